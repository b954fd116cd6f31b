"""Rows are found by any column in a space, and by their own column without one; an index belongs to
its run and its table."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from conftest import make_job, write_table
from modalloy.answer.space_rows import row_vectors
from modalloy.retrieval.index import KEYS, replacing, unit
from modalloy.retrieval.searcher import Searcher
from modalloy.runs.run import Run

COLUMNS = ("photo", "note", "load", "sound")
SHORT = {"epochs": 1, "batch": 16, "precision": "float32"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, no_lines: None) -> Run:
    """A run that was trained for its tasks."""
    folder = tmp_path_factory.mktemp("trained")
    job = make_job(write_table(folder), columns=COLUMNS, train=SHORT)
    return ma.train(job, out=folder / "run", quiet=True)


@pytest.fixture(scope="module")
def spaced(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has learned a space of all columns."""
    folder = tmp_path_factory.mktemp("spaced")
    return ma.pretrain(space_job(write_table(folder)), out=folder / "run", quiet=True)


def space_job(table: Path, **contrast: Any) -> dict[str, Any]:
    """A job that learns a space in seconds."""
    pretrain = {"masked": {"weight": 0}, "contrast": {"size": 8, **contrast}, "epochs": 60}
    train = {"batch": 32, "precision": "float32", "lr": 5e-3}
    split = {"by": "machine", "test": 0.25, "validation": 0.35}
    return make_job(table, columns=COLUMNS, train=train, pretrain=pretrain, split=split)


def test_without_a_space_a_column_finds_itself(trained: Run) -> None:
    rows = Searcher(trained)
    found = rows.search(text="crack near the weld 8", top=3)
    assert found.rows[0] == 8
    assert found.against == "note"
    assert "has no space for all columns" in found.notes[0]
    table = Path(trained.job.table)
    assert rows.search(image=table.parent / "img" / "012.png", top=1).rows == [12]
    assert rows.search(audio=(table.parent / "snd" / "007.wav").read_bytes(), top=1).rows == [7]
    with pytest.raises(ma.TableError, match="'note' cannot be compared with column 'photo'"):
        rows.search(text="crack", against="photo")
    with pytest.raises(ma.TableError, match="whole rows cannot be compared with column 'note'"):
        rows.search(row=4, against="note")


def test_a_row_finds_rows_like_it_and_not_itself(trained: Run) -> None:
    rows = Searcher(trained)
    found = rows.search(row=4, top=5)
    some = np.arange(80)
    whole = row_vectors(rows.body, None, rows.loader, some).row
    have = np.any(list(row_vectors(rows.body, None, rows.loader, some).present.values()), axis=0)
    z = unit(whole - whole.sum(0) / have.sum())
    slow = z @ z[4]
    slow[4] = -np.inf
    slow[~have] = -np.inf
    assert 4 not in found.rows
    assert [h.score for h in found] == pytest.approx(slow[found.rows], abs=2e-3)
    assert [h.score for h in found] == pytest.approx(np.sort(slow)[::-1][:5], abs=2e-3)
    frame = pd.read_parquet(trained.job.table).head(6).drop(columns="sound")
    like = rows.search(like=frame, top=2)
    assert [len(hits) for hits in like.queries] == [2, 2, 2, 0, 2, 2]  # row 3 has nothing
    assert len(like.frame()) == 10
    both = pd.read_parquet(trained.job.table).iloc[[4]]
    folder = Path(trained.job.table).parent
    both["photo"] = [(folder / "img" / "004.png").read_bytes()]
    both["sound"] = [(folder / "snd" / "004.wav").read_bytes()]
    assert rows.search(like=both, top=1).rows == [4]


def test_a_row_like_nothing_finds_nothing(trained: Run, spaced: Run) -> None:
    like = pd.DataFrame({"load": [9.0, None, 12.0, None], "note": ["crack", None, None, " "]})
    for run in (trained, spaced):
        found = Searcher(run).search(like=like, top=2)
        assert [len(hits) for hits in found.queries] == [2, 0, 2, 0]
        assert any("nothing is looked for by rows 1, 3 of the given" in n for n in found.notes)
        assert any(n.startswith("photo: absent in") for n in found.notes)
    whole = Searcher(trained).search(like=like.iloc[:1], top=2)
    assert not any("nothing is looked for" in note for note in whole.notes)


def test_what_the_table_lacks_is_said(trained: Run, tmp_path: Path) -> None:
    frame = pd.read_parquet(trained.job.table)[["note", "load"]].rename(columns={"load": "LOAD"})
    found = Searcher(trained, frame, folder=tmp_path / "index").search(text="crack")
    for said in ("sound: absent in", "load: read from the column 'LOAD'"):
        assert any(note.startswith(said) for note in found.notes)
        assert f"note: {said}" in found.text()


def test_conditions_hold_and_none_may_be_left(trained: Run) -> None:
    rows = Searcher(trained)
    found = rows.search(row=4, where=["site=north", "load>=8"], top=80)
    frame = pd.read_parquet(trained.job.table)
    wanted = frame.index[(frame["site"] == "north") & (frame["load"] >= 8)]
    assert sorted(found.rows) == sorted(set(wanted) - {4})
    none = rows.search(row=4, where="load>1000")
    assert none.rows == []
    assert "no row is left" in none.text()
    assert none.frame().empty


def test_the_page_shows_what_was_found_and_reaches_for_nothing(
    trained: Run, tmp_path: Path
) -> None:
    found = ma.search(trained, row=4, top=3, out=tmp_path / "found.html", quiet=True)
    page = (tmp_path / "found.html").read_text()
    assert page.count("<img") >= 2
    assert "<audio" in page
    assert "http" not in page.split("<body>")[1]
    data = json.loads((tmp_path / "found.json").read_text())
    assert [hit["row"] for hit in data["found"][0]] == found.rows
    assert found.frame()["fault_code"].notna().all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"text": "  "}, "the text is empty"),
        ({}, "say one thing to look for"),
        ({"text": "a", "row": 1}, "text and row were given"),
        ({"image": "nowhere.png"}, "there is no file 'nowhere.png'"),
        ({"row": 80}, "there is no row 80"),
        ({"row": 3}, "row 3 has no cell that this run reads"),
        ({"row": 1, "column": "note"}, "no cell is given"),
        ({"text": "a", "column": "photo"}, "column 'photo' reads no text; note does"),
        ({"row": 1, "against": "life"}, "nothing can be compared with 'life'"),
        ({"row": 1, "top": 0}, "ask for at least one row"),
        ({"row": 1, "where": "lad=1"}, "no column 'lad'. Did you mean 'load'"),
        ({"image": b"no picture"}, "the query for column 'photo' cannot be read"),
        ({"answer": "what?"}, "has no space for all columns, so nobody can say"),
        ({"answer": " "}, "the question is empty"),
        ({"answer": "what?", "row": 1}, "leave row out"),
        ({"row": 1, "index": "faiss"}, "index 'faiss' is none"),
    ],
)
def test_senseless_queries_get_a_sentence(trained: Run, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ma.TableError) as caught:
        ma.search(trained, **asked, quiet=True)
    assert said in str(caught.value)


def test_a_kind_of_cell_that_the_run_does_not_read(tmp_path: Path, no_lines: None) -> None:
    job = make_job(write_table(tmp_path), columns=("load", "site"), train=SHORT)
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    with pytest.raises(ma.TableError, match="this run reads no picture column"):
        ma.search(run, image=tmp_path / "img" / "001.png", quiet=True)
    assert len(ma.search(run, row=0, quiet=True)) == 10


def test_an_index_is_kept_renewed_and_refused(trained: Run, tmp_path: Path) -> None:
    place, table = tmp_path / "index", tmp_path / "parts.parquet"
    frame = pd.read_parquet(trained.job.table).drop(columns=["photo", "sound"])
    frame.to_parquet(table)
    first = Searcher(trained, table, folder=place)
    made = (place / "row.npy").stat().st_mtime_ns
    assert isinstance(first.index.row, np.memmap)
    assert first.index.row.dtype == np.float16
    again = Searcher(trained, table, folder=place)
    assert (place / "row.npy").stat().st_mtime_ns == made
    assert np.array_equal(first.index.row, again.index.row)
    frame.loc[5, "note"] = "another text"
    frame.to_parquet(table)
    changed = Searcher(trained, table, folder=place)
    assert (place / "row.npy").stat().st_mtime_ns != made
    assert not np.array_equal(first.index.row[5], changed.index.row[5])
    heading = json.loads((place / "index.json").read_text())
    (place / "index.json").write_text(json.dumps(heading | {"made_by": "another"}))
    with pytest.raises(ma.RunError, match="was built by another run"):
        Searcher(trained, table, folder=place)
    Searcher(trained, table, folder=place, rebuild=True)
    (place / "row.npy").write_bytes((place / "row.npy").read_bytes()[:200])
    with pytest.raises(ma.RunError, match="the index is damaged; add --rebuild"):
        Searcher(trained, table, folder=place)
    shutil.rmtree(place)
    place.mkdir()
    (place / "mine.txt").write_text("keep")
    with pytest.raises(ma.RunError, match="holds other files and no index"):
        Searcher(trained, table, folder=place)


def test_rebuilding_removes_an_index_and_nothing_else(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        with replacing(folder) as new:
            (new / "index.json").write_text(json.dumps(dict.fromkeys(KEYS, 1)))
            (new / "row.npy").touch()

    place = tmp_path / "photos"
    for made in (lambda: None, place.mkdir):  # absent, then empty, then an index
        shutil.rmtree(place, ignore_errors=True)
        made()
        build(place)
    (place / "column0.usearch.12.part").touch()
    (place / "threshold1.json").touch()
    build(place)
    assert sorted(p.name for p in place.iterdir()) == ["index.json", "row.npy"]
    (place / "mine.txt").write_text("keep")
    with pytest.raises(ma.RunError, match=r"holds 'mine.txt', which is no part of an index"):
        build(place)
    (place / "mine.txt").rename(place / "row.npy")
    (place / "index.json").write_text('{"title": "a page of mine"}')
    with pytest.raises(ma.RunError, match="are not those of an index"):
        build(place)
    (place / "index.json").unlink()
    with pytest.raises(ma.RunError, match="are not those of an index"):
        build(place)
    assert (place / "row.npy").read_text() == "keep"
    with pytest.raises(ma.RunError, match="is a file; name a folder"):
        build(place / "row.npy")
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


def test_rebuild_spares_the_files_of_others(trained: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(ma.RunError, match=r"holds 'thesis.tex'"):
        ma.search(trained, row=4, folder=tmp_path, rebuild=True, quiet=True)
    assert (tmp_path / "thesis.tex").read_text() == "years"


def test_in_a_space_words_find_pictures(spaced: Run) -> None:
    rows = Searcher(spaced)
    frame = pd.read_parquet(spaced.job.table)
    share = {}
    for text, fault in (("crack near the weld", "crack"), ("clean part, nothing seen", "ok")):
        for against in ("photo", "sound", None):
            found = rows.search(text=text, against=against, top=10)
            share[fault, against] = (frame.loc[found.rows, "fault_code"] == fault).mean()
            assert not found.notes
    assert np.mean(list(share.values())) > 0.8
    found = rows.search(image=Path(spaced.job.table).parent / "img" / "002.png", against="note")
    assert set(found.rows) <= set(frame.index[frame["note"].notna()])


def test_a_query_alone_is_as_in_the_index(spaced: Run) -> None:
    rows = Searcher(spaced)
    texts = pd.read_parquet(spaced.job.table)["note"].iloc[[0, 1, 5]].tolist()
    z = rows.cell_vectors("note", texts)
    assert np.abs(z - rows.index.columns["note"][[0, 1, 5]].astype(np.float32)).max() < 2e-3


def test_evaluate_tells_recall_and_zero_shot(spaced: Run, tmp_path: Path) -> None:
    report = ma.evaluate(spaced, out=tmp_path / "space.html", quiet=True)
    pairs = {f"{a} -> {b}" for a in ("table", "photo", "note", "sound") for b in
             ("table", "photo", "note", "sound") if a != b}  # fmt: skip
    assert set(report.retrieved) == pairs
    one = report.retrieved["photo -> note"]
    assert one["recall@1"] <= one["recall@5"] <= one["recall@10"] <= 1
    assert one["chance"]["recall@10"] == pytest.approx(10 / one["candidates"])
    assert report.zero_shot["fault"]["columns"]["photo"]["accuracy"] >= 0
    assert "photo -> note" in report.text()
    assert "fault by photo" in report.text()
    assert "Columns that find one another" in (tmp_path / "space.html").read_text()
    assert report.rows == {"test": len(spaced.prints().test)}
    assert not any(f["level"] == "leak" for f in report.findings)
    other = ma.evaluate(spaced, spaced.job.table, out=tmp_path / "all.html", quiet=True)
    assert any(f["level"] == "leak" for f in other.findings)


@pytest.mark.parametrize("by", ["rows", "groups"])
def test_evaluate_needs_no_answers_and_takes_the_rows_that_were_held_back(
    tmp_path: Path, by: str
) -> None:
    table = write_table(tmp_path)
    frame = pd.read_parquet(table).drop(columns=["fault_code", "hours_left"])
    frame.to_parquet(table)
    split = {"random": "stratified", "test": 0.25} if by == "rows" else {"by": "machine"}
    job = space_job(table) | {"split": split}
    job["pretrain"]["epochs"] = 1
    job["columns"] = {name: job["columns"][name] for name in ("note", "load")}
    run = ma.pretrain(job, out=tmp_path / "run", quiet=True)
    report = ma.evaluate(run, quiet=True)
    assert report.rows == {"test": len(run.prints().test)}
    assert not report.zero_shot
    # Answers that come later share rows out otherwise, and change nothing of what was held back.
    write_table(tmp_path)
    again = ma.evaluate(run, quiet=True)
    assert again.rows == report.rows
    assert again.retrieved == report.retrieved
    assert again.zero_shot
    assert not any(f["level"] == "leak" for f in again.findings)
