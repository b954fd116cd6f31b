"""A job without an answer read in, a run out that a training starts from."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from test_sharded import sharded_job

import modalloy as ma
from conftest import make_job, write_table
from modalloy.job.job_file import load_job
from modalloy.learn import train
from modalloy.learn.training import begin_job
from modalloy.learn.unlabelled_rows import fit_state
from modalloy.runs.learned_from import all_learned
from modalloy.runs.run import load_run
from modalloy.table.fingerprints import learned_rows
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

PLAIN = ("load", "site", "taken_at")


def small_job(table: Path, *columns: str, steps: int = 6, **asked: Any) -> dict[str, Any]:
    """A job over some columns that pretrains for a few steps."""
    job = make_job(table, columns=columns or PLAIN)
    job["pretrain"] = {"epochs": 2, "steps": steps, "judged": 0.2} | asked
    return job


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(t, b[n]) for n, t in a.items())


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small table and a run that was pretrained on it."""
    folder = tmp_path_factory.mktemp("pretrained")
    table = write_table(folder)
    job = small_job(table, "load", "site", "vibration", masked={})
    ma.pretrain(job, out=folder / "pre", quiet=True)
    return folder


def test_a_pretrained_run_starts_a_training_and_answers_nothing_itself(
    pretrained: Path, no_lines: None
) -> None:
    pre, table = pretrained / "pre", pretrained / "parts.parquet"
    with pytest.raises(ma.RunError, match="pretrained without labels and answers nothing"):
        ma.predict(pre, table)
    with pytest.raises(ma.RunError, match="train from it"):
        ma.evaluate(pre)
    assert (pre / "pretrain.html").is_file()
    assert "vibration" in (pre / "pretrain.html").read_text()
    job = small_job(table, "load", "site", "vibration")
    job["train"] |= {"start": str(pre), "epochs": 1}
    run = ma.train(job, out=pretrained / "run", quiet=True)
    assert set(run.notes["start"]["kept"]) == {
        f"column '{c}'" for c in ("load", "site", "vibration")
    }
    assert run.notes["start"]["unlike"] == []
    assert run.parent is not None
    assert run.parent.sha256 == load_run(pre, pretrained=True).identity


def test_each_option_changes_what_is_learned(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    more = pd.read_parquet(table).drop(columns=["site", "fault_code", "hours_left", "machine"])
    more.to_parquet(tmp_path / "more.parquet")

    def learned(name: str, **asked: Any) -> tuple[int, dict[str, torch.Tensor], Any]:
        job = small_job(table, "load", "site", **asked)
        run = ma.pretrain(job, out=tmp_path / name, quiet=True)
        return run.notes["epochs"], weights(run.path), run.notes

    epochs, usual, notes = learned("usual")
    assert epochs == 2
    assert notes["pretrained"]["rows"] == 40
    assert learned("epochs", epochs=3)[0] == 3
    assert learned("auto", epochs="auto", steps=15)[0] == 5
    assert learned("more steps", epochs="auto", steps=30)[0] == 10
    judged = learned("judged", judged=0.0)
    assert (judged[2]["pretrained"]["rows"], judged[2]["pretrained"]["judged"]) == (50, 0)
    assert not same(judged[1], usual)
    unlabelled = learned("unlabelled", unlabelled=str(tmp_path / "more.parquet"))[2]
    assert unlabelled["pretrained"]["tables"] == [50, 80]
    assert unlabelled["pretrained"]["rows"] == 104
    assert ["lacks site: missing cells" in f["what"] for f in unlabelled["findings"]] == [True]
    weight = learned("weight", masked={"weight": 0.5})
    assert weight[2]["curves"][-1]["score"] != notes["curves"][-1]["score"]
    with pytest.raises(ma.JobError, match="leaves no method to learn by"):
        learned("none", masked={"weight": 0.0})


def test_minutes_and_patience_end_it(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = small_job(table, "load", epochs=60, minutes=0.03)
    run = ma.pretrain(job, out=tmp_path / "minutes", quiet=True)
    assert run.notes["seconds"]["training"] < 60
    job = small_job(table, "load", epochs=400, patience=1)
    job["train"]["lr"] = 1.0
    assert ma.pretrain(job, out=tmp_path / "patience", quiet=True).notes["epochs"] < 100


def test_rows_that_are_held_back_teach_nothing(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = small_job(table, "load", "site", "note")
    run = ma.pretrain(job, out=tmp_path / "one", quiet=True)
    parts = split_job(open_table(table), load_job(job))
    frame = pd.read_parquet(table)
    held = np.concatenate([parts.validation, parts.test])
    frame.loc[held, "load"] = 1e6
    frame.loc[held, ["site", "note", "fault_code"]] = "elsewhere"
    other = ma.pretrain(job, out=tmp_path / "two", table=frame, quiet=True)
    assert same(weights(run.path), weights(other.path))
    frame.loc[parts.train[0], "load"] = 1e6
    third = ma.pretrain(job, out=tmp_path / "three", table=frame, quiet=True)
    assert not same(weights(run.path), weights(third.path))


def test_targets_are_not_read(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = small_job(table)
    run = ma.pretrain(job, out=tmp_path / "one", quiet=True)
    frame = pd.read_parquet(table).drop(columns=["fault_code", "hours_left"])
    other = ma.pretrain(job, out=tmp_path / "two", table=frame, quiet=True)
    assert same(weights(run.path), weights(other.path))


def test_killed_and_resumed_it_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_table(tmp_path)
    job = small_job(table, epochs=4, masked={"cells": 0.4})
    whole = ma.pretrain(job, out=tmp_path / "whole", quiet=True)
    store = train.store

    def killed(path: Path, state: Any, best: Any, notes: Any, *rest: Any) -> None:
        store(path, state, best, notes, *rest)
        if notes.epoch == 2:
            raise RuntimeError("killed")

    monkeypatch.setattr(train, "store", killed)
    with pytest.raises(RuntimeError, match="killed"):
        ma.pretrain(job, out=tmp_path / "parts", quiet=True)
    monkeypatch.undo()
    with pytest.raises(ma.RunError, match="interrupted"):
        ma.pretrain(job, out=tmp_path / "parts", quiet=True)
    other = small_job(table, epochs=4, masked={"cells": 0.2})
    with pytest.raises(ma.RunError, match="another job"):
        ma.pretrain(other, out=tmp_path / "parts", resume=True, quiet=True)
    parts = ma.pretrain(job, out=tmp_path / "parts", resume=True, quiet=True)
    assert same(weights(whole.path), weights(parts.path))
    with pytest.raises(ma.RunError, match="holds a finished run"):
        ma.pretrain(job, out=tmp_path / "parts", quiet=True)


def test_rows_that_are_held_back_teach_nothing_from_a_further_table_either(
    tmp_path: Path,
) -> None:
    table = write_table(tmp_path)
    job = small_job(table, "load", "note", epochs=1)
    parts = split_job(open_table(table), load_job(job))
    frame = pd.read_parquet(table)[["load", "note"]]
    held = np.concatenate([parts.validation, parts.test])
    new = frame[:6].assign(load=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    more = pd.concat([new, frame.iloc[parts.train], frame.iloc[held]], ignore_index=True)
    run = ma.pretrain(job, out=tmp_path / "one", unlabelled=[more], quiet=True)
    assert run.notes["pretrained"]["tables"] == [50, 6 + 50]
    (said,) = (f["what"] for f in run.notes["findings"])
    assert "30 of 86 rows hold the same cells as validation, calibration or test rows" in said
    assert said in (tmp_path / "one" / "pretrain.html").read_text()
    changed = more.copy()  # what is left out may be anything that is held back
    changed.iloc[-30:] = frame.iloc[held[::-1]].to_numpy()
    other = ma.pretrain(job, out=tmp_path / "two", unlabelled=[changed], quiet=True)
    assert same(weights(run.path), weights(other.path))


def test_a_training_is_warned_of_rows_that_pretraining_has_seen(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = small_job(table, "load", "note", "vibration")
    frame = pd.read_parquet(table)
    first, rest = tmp_path / "first.parquet", frame[40:]
    frame[:40].to_parquet(first)
    # Rows that lie in two tables, or twice in one, are known as well.
    twice = pd.concat([rest, rest], ignore_index=True)
    twice.to_parquet(tmp_path / "twice.parquet")
    pre = job | {"table": str(first)}
    pre["pretrain"] = pre["pretrain"] | {"unlabelled": str(tmp_path / "twice.parquet")}
    ma.pretrain(pre, out=tmp_path / "pre", quiet=True)
    job["train"]["start"] = str(tmp_path / "pre")
    found = [f for f in ma.check(job).findings if f.where == "train.start"]
    assert [f.level for f in found] == ["leak", "warning"]
    assert "test rows are rows that" in found[0].what
    known = all_learned(load_run(tmp_path / "pre", pretrained=True))
    assert learned_rows(open_table(rest), load_job(job), np.arange(40), known).all()
    pre["train"] = {"start": str(tmp_path / "pre")}
    assert not [f for f in ma.check(pre).findings if f.where == "train.start"]


def test_rows_that_repeat_by_themselves_are_no_leak(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = small_job(table, "site", epochs=1)
    ma.pretrain(job, out=tmp_path / "pre", unlabelled=[pd.read_parquet(table)], quiet=True)
    job["train"]["start"] = str(tmp_path / "pre")
    assert not [f for f in ma.check(job).findings if f.where == "train.start"]


def test_it_is_not_resumed_with_other_further_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_table(tmp_path)
    job, store = small_job(table, "load", epochs=3), train.store
    more = pd.read_parquet(table)[["load"]] + 1

    def killed(path: Path, state: Any, best: Any, notes: Any, *rest: Any) -> None:
        store(path, state, best, notes, *rest)
        raise RuntimeError("killed")

    monkeypatch.setattr(train, "store", killed)
    with pytest.raises(RuntimeError, match="killed"):
        ma.pretrain(job, out=tmp_path / "run", unlabelled=[more], quiet=True)
    monkeypatch.undo()
    given = {"out": tmp_path / "run", "resume": True, "quiet": True}
    for other in (more + 1, more[::-1], more[:-1]):
        with pytest.raises(ma.RunError, match="no longer holds the rows that this pretraining"):
            ma.pretrain(job, unlabelled=[other], **given)
    with pytest.raises(ma.RunError, match="began with 1 further tables, not with 2"):
        ma.pretrain(job, unlabelled=[more, more], **given)
    assert ma.pretrain(job, unlabelled=[more], **given).notes["epochs"] == 3


def test_bad_input_gets_a_sentence(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    frame = pd.read_parquet(table)
    given = {"out": tmp_path / "run", "quiet": True}
    with pytest.raises(ma.TableError, match="column 'site' is empty in all 50"):
        ma.pretrain(small_job(table), table=frame.assign(site=None), **given)
    with pytest.raises(ma.JobError, match=r"has none of the columns of this job \(load, site"):
        ma.pretrain(small_job(table), unlabelled=[pd.DataFrame({"other": [1.0]})], **given)
    job = small_job(table)
    job["split"] = {"column": "part", "validation": 0}
    with pytest.raises(ma.TableError, match="no train rows"):
        ma.pretrain(job, table=frame.assign(part="test"), **given)
    still = small_job(table, "vibration")
    still["columns"]["vibration"]["front"] = ["statistics"]
    with pytest.raises(ma.JobError, match="'vibration' is the only column and its encoder stands"):
        ma.pretrain(still, **given)
    with pytest.raises(ma.RunError, match="no such run directory"):
        ma.train(small_job(table) | {"train": {"start": str(tmp_path / "none")}}, **given)
    ma.pretrain(small_job(table, "load", epochs=1), **given)
    other = small_job(table, "note") | {"train": {"start": str(tmp_path / "run")}}
    with pytest.raises(ma.JobError, match="shares no column with this job"):
        ma.train(other, out=tmp_path / "other", quiet=True)


def test_cells_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    frame = pd.read_parquet(table)[["load", "site"]].astype({"load": object})
    frame.loc[3, "load"] = "broken"
    frame[10:].to_csv(tmp_path / "good.csv", index=False)
    frame[:10].to_csv(tmp_path / "bad.csv", index=False)
    given = {"out": tmp_path / "run", "quiet": True}
    more = [str(tmp_path / "good.csv"), str(tmp_path / "bad.csv")]
    with pytest.raises(ma.TableError, match=r"bad\.csv: column 'load', row 3: unreadable"):
        ma.pretrain(small_job(table, "load", "site", unlabelled=more), **given)
    job = small_job(table, "load", "site", unlabelled=more) | {"unreadable": "missing"}
    run = ma.pretrain(job, **given)
    assert run.notes["pretrained"]["tables"] == [50, 46, 7]  # without rows that are held back
    said = [f["what"] for f in run.notes["findings"] if f["level"] == "warning"]
    assert [s.partition(";")[0] for s in said] == [f"1 of 7 cells of {more[1]} taught nothing"]
    assert "row 3: unreadable" in said[0]
    # The table with most cells of a column tells its scale; what it cannot tell is no way out.
    frame.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(ma.TableError, match=r"bad\.csv: column 'load' holds 'broken'"):
        ma.pretrain(small_job(table, "load", unlabelled=more), out=tmp_path / "two", quiet=True)


def test_a_column_is_fitted_on_the_table_with_most_cells_of_it(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    frame = pd.read_parquet(table)[["load", "site"]]
    many = pd.concat([frame] * 3, ignore_index=True)
    many.loc[many.index >= 20, "load"] = None
    many["site"] = "elsewhere"
    job = load_job(small_job(table, "load", "site"))
    tables = [open_table(t) for t in (table, many)]
    readers = fit_state(job, tables, [np.arange(t.rows) for t in tables])
    alone = [fit_state(job, [t], [np.arange(t.rows)]) for t in tables]
    assert readers["load"] == alone[0]["load"] != alone[1]["load"]
    assert readers["site"] == alone[1]["site"] != alone[0]["site"]


def test_what_stands_still_is_told_by_other_columns(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = small_job(table, "load", "vibration", epochs=3, masked={"columns": 0.6})
    job["columns"]["vibration"]["front"] = ["statistics"]
    run = ma.pretrain(job, out=tmp_path / "run", quiet=True)
    assert run.notes["curves"][-1]["validation"]["masked"].keys() == {"load", "vibration"}


def test_one_column_learns_to_tell_another(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x, free = draw.normal(size=600), draw.normal(size=600)
    frame = pd.DataFrame({"x": x, "twin": 5 - 2 * x, "free": free, "y": 0.0})
    job = {
        "split": {"random": "stratified", "test": 0.1, "validation": 0.1},
        "columns": {name: {"type": "number"} for name in ("x", "twin", "free")},
        "fuse": {"type": "concat", "width": 32, "layers": 1},
        "tasks": {"y": {"type": "regress", "target": "y"}},
        "train": {"lr": 3e-3},
        "pretrain": {"steps": 150, "judged": 0.4, "masked": {"cells": 0.2}},
    }
    run = ma.pretrain(job, table=frame, out=tmp_path / "run", quiet=True)
    after = run.notes["pretrained"]["after"]["masked"]
    assert after["twin"] < 0.5 * after["free"]  # which nothing tells


def test_a_folder_of_parts_is_mapped_from_disk_and_teaches_the_same(tmp_path: Path) -> None:
    frame = pd.read_parquet(write_table(tmp_path))
    folder = tmp_path / "parts"
    folder.mkdir()
    for i in range(4):
        frame[20 * i : 20 * i + 20].to_parquet(folder / f"part-{i:05}.snappy.parquet")
    job = small_job(tmp_path / "parts.parquet", "load", "site", "vibration")
    run = ma.pretrain(job, out=tmp_path / "one", quiet=True)
    spooled = open_table(folder, spool_above_mb=0.001)
    assert spooled.spooled is not None
    other = ma.pretrain(job, table=spooled, out=tmp_path / "two", quiet=True)
    assert same(weights(run.path), weights(other.path))


@pytest.mark.parametrize("tune", ["full", "lora"])
def test_a_pretrained_encoder_goes_on_reading_masked_texts(tmp_path: Path, tune: str) -> None:
    job = sharded_job(tmp_path)
    job["columns"]["note"]["tune"] = tune
    job["train"] = {"lr": 1e-2, "encoder_lr": 1e-2}
    job["pretrain"] = {"epochs": 1, "masked": {"pieces": 0.5}}
    run = ma.pretrain(job, out=tmp_path / "run", quiet=True)
    front, before = "encoders.in_note.trunk.", load_file(tmp_path / "bert" / "model.safetensors")
    after = {n.removeprefix(front): t for n, t in weights(run.path).items() if n.startswith(front)}
    assert not any("lora" in name for name in after)  # merged
    changed = {n for n, t in after.items() if n in before and not torch.equal(t, before[n])}
    queries = {n for n in after if n.endswith(("query.weight", "q_proj.weight"))}
    assert queries
    assert queries <= changed
    assert ("embeddings.word_embeddings.weight" in changed) == (tune == "full")
    job["train"] = {"start": str(tmp_path / "run")}
    parts = split_job(open_table(job["table"]), load_job(job))
    table = open_table(job["table"])
    begun = begin_job(load_job(job), table, parts, out=tmp_path / "next", quiet=True)
    assert begun.started is not None
    assert begun.started.unlike == ()
    start = begun.model.state_dict()
    same_names = {front + n: t for n, t in after.items() if front + n in start}
    assert same_names
    assert all(torch.equal(start[n], t) for n, t in same_names.items())


def begun_from(job: dict[str, Any], out: Path) -> tuple[dict[str, torch.Tensor], ...]:
    """The weights before the first step of a training that begins from `train.start`, and of the
    same one that begins from nothing."""
    table, found = open_table(job["table"]), []
    for number, start in enumerate((job["train"]["start"], None)):
        loaded = load_job(job | {"train": job["train"] | {"start": start}})
        parts = split_job(table, loaded)
        begun = begin_job(loaded, table, parts, out=out / str(number), quiet=True)
        found.append({n: p.detach() for n, p in begun.model.named_parameters()})
    return tuple(found)


def test_what_reads_cells_goes_on_and_what_sums_rows_up_begins_anew(tmp_path: Path) -> None:
    job = small_job(write_table(tmp_path), "load", "site", "vibration", "note", epochs=1)
    held = weights(ma.pretrain(job, out=tmp_path / "pre", quiet=True).path)
    job["train"] |= {"start": str(tmp_path / "pre")}
    start, nothing = begun_from(job, tmp_path)
    learned = {n for n in held if n in start and not torch.equal(held[n], nothing[n])}
    goes_on = {n for n in learned if torch.equal(start[n], held[n])}
    assert all(torch.equal(start[n], nothing[n]) for n in start.keys() - goes_on)
    reading = (".parts.", ".absent", ".strided.", ".scratch.", ".shape_CF.")
    assert goes_on == {n for n in learned if any(r in n for r in reading)}
    assert {r for r in reading if any(r in n for n in goes_on)} == set(reading)
    assert any(n.startswith("fusion.") for n in learned - goes_on)


def test_summaries_go_on_where_nothing_else_has_learned(tmp_path: Path) -> None:
    job = small_job(write_table(tmp_path), "load", "vibration", epochs=1)
    job["columns"]["vibration"]["front"] = ["statistics"]
    del job["columns"]["load"]
    job["columns"]["note"] = {"type": "text", "encoder": "minilm", "tune": "frozen"}
    held = weights(ma.pretrain(job, out=tmp_path / "pre", quiet=True).path)
    job["train"] |= {"start": str(tmp_path / "pre")}
    start, nothing = begun_from(job, tmp_path)
    changed = {n for n in held if n in start and not torch.equal(held[n], nothing[n])}
    assert any(n.startswith("fusion.") for n in changed)
    assert all(torch.equal(start[n], held[n]) for n in changed)


@pytest.mark.parametrize(
    ("columns", "asked", "methods"),
    [
        (("load", "site"), {}, {"masked"}),
        (("load", "vibration"), {}, {"contrast"}),
        (("load", "vibration"), {"masked": {}}, {"masked"}),
        (("load", "vibration"), {"matching": {}}, {"masked", "matching"}),
        (("load", "vibration"), {"contrast": {}}, {"masked", "contrast"}),
    ],
)
def test_several_inputs_meet_in_one_space_unless_another_way_is_asked_for(
    columns: tuple[str, ...], asked: dict[str, Any], methods: set[str], tmp_path: Path
) -> None:
    job = small_job(write_table(tmp_path), *columns, epochs=1, **asked)
    run = ma.pretrain(job, out=tmp_path / "run", quiet=True)
    assert set(run.notes["pretrained"]["methods"]) == methods
    assert run.notes["pretrained"]["after"].keys() == methods
