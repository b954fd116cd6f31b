"""Sites agree on how columns are read without a row leaving them; what does not fit is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asked_directly import Direct
from modalloy.cells.cells import Cells
from modalloy.errors import FederationError, TableError
from modalloy.federation.agreement import agree
from modalloy.federation.own_rows import as_the_job
from modalloy.federation.pooled import pooled
from modalloy.federation.proposal import KEY, in_groups, propose
from modalloy.federation.server import Federation
from modalloy.federation.wire import Message, fingerprint, pack, unpack
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.readers.build import from_state
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader, to_log
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job
from modalloy.table.table import Table
from plants import JOB, job_of, plants_of, rows_of


def proposals(folder: Path, frames: dict[str, pd.DataFrame], **federate: Any) -> dict[str, Any]:
    job = job_of(**federate)
    found = {}
    for site, plant in plants_of(folder, frames, job).items():
        data = plant.answer(pack(Message("propose"), plant.mark))
        found[site] = dict(unpack(data, plant.mark).facts)
    return found


def test_numbers_are_read_as_though_all_were_in_one_table(tmp_path: Path) -> None:
    frames = {"A": rows_of(2000, 1, share=0.1), "B": rows_of(1000, 2, share=0.9)}
    made = agree(job_of(), proposals(tmp_path, frames))
    reader = from_state(made.readers)["load"]
    assert isinstance(reader, NumberReader)
    every = np.concatenate([f["load"] for f in frames.values()])
    low, middle, high = np.quantile(every, [0.25, 0.5, 0.75])
    assert reader.center == pytest.approx(middle, abs=0.1)
    assert reader.scale == pytest.approx((high - low) / 1.349, rel=0.08)


def test_names_of_all_sites_are_known(tmp_path: Path) -> None:
    other = rows_of(100, 2).assign(line=lambda f: f["line"].replace("a", "z"))
    made = agree(job_of(), proposals(tmp_path, {"A": rows_of(100, 1), "B": other}))
    assert made.readers["line"]["names"] == ("a", "b", "c", "z")


def test_a_site_with_one_class_learns_with_the_others(tmp_path: Path) -> None:
    frames = {"A": rows_of(80, 1, share=0.0), "B": rows_of(80, 2)}
    made = agree(job_of(), proposals(tmp_path, frames))
    assert tuple(made.targets["fault"]["names"]) == ("bad", "good")
    only = {"A": rows_of(80, 1, share=0.0), "B": rows_of(80, 2, share=0.0)}
    said = proposals(tmp_path / "only", only)
    with pytest.raises(FederationError, match="holds only 'good' at every site"):
        agree(job_of(), said)


def test_nothing_that_few_rows_have_is_told(tmp_path: Path) -> None:
    odd = rows_of(200, 1)
    odd.loc[:9, "line"] = "Secret Street 5"
    odd.loc[:9, "load"] = 987654.0
    frames = {"A": odd, "B": rows_of(200, 2)}
    said = json.dumps(proposals(tmp_path, frames, fewest=20)["A"])
    assert "Secret" not in said
    reader = proposals(tmp_path, frames, fewest=20)["A"]["readers"]["load"]
    told = NumberReader.from_state({k: v for k, v in reader.items() if k != "kind"})
    assert told.span[1] < 20
    known = proposals(tmp_path / "one", frames, fewest=1)["A"]
    assert "Secret" in json.dumps(known)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_numbers_are_told_as_means_of_several_rows(scale: str) -> None:
    """No number that is told is a row's own, and the means of groups are those of a slow way."""
    x = np.random.default_rng(0).lognormal(3, 1, 57)
    cells = Cells({"load": [*map(float, x), None, float("nan")]})
    options = config.Number.model_validate({"scale": scale})
    found = in_groups(cells, "load", options, 5)
    assert found is not None
    drawn = np.array(found["load"][:57])
    assert found["load"][57:] == [None, None]
    told, counts = np.unique(drawn, return_counts=True)
    assert counts.min() >= 5
    assert counts[0] == counts[-1] == 9
    assert np.abs(told[:, None] - x).min() > 1e-6
    onto = to_log if scale == "log" else np.asarray
    y = np.sort(onto(x))
    lowest = np.mean([max(v, y[4]) for v in y[:9]])
    assert onto(told[:1])[0] == pytest.approx(lowest)
    assert onto(told[1:2])[0] == pytest.approx(y[9 : 9 + counts[1]].mean())
    assert (np.diff(drawn[np.argsort(x)]) >= 0).all()
    assert in_groups(Cells({"load": x[:17].tolist()}), "load", options, 5) is None
    with pytest.raises(TableError, match="'about 5', which is no number"):
        in_groups(Cells({"load": [*x, "about 5"]}), "load", options, 5)


def test_what_few_rows_have_is_told_of_no_kind_of_column(tmp_path: Path) -> None:
    frame = rows_of(200, 1)
    day = pd.Series(pd.date_range("2024-01-01", periods=200).astype(str))
    spectrum = [[float(i), 2.0, 3.0] for i in range(200)]
    rare = np.arange(200) % 50 == 0  # 4 rows
    frame["day"], frame["spectrum"] = day.where(rare, None), spectrum
    frame.loc[~rare, "spectrum"] = None
    frame["grade"] = np.where(rare, 7.5, np.nan)
    columns = {**JOB["columns"], "day": {"type": "time"}, "spectrum": {"type": "vector"}}
    tasks = {**JOB["tasks"], "grade": {"type": "regress", "target": "grade"}}
    job = load_job({**JOB, "columns": columns, "tasks": tasks})
    said = propose(job, *as_split(frame, job))
    assert set(said["readers"]) == {"load", "heat", "line"}
    assert set(said["targets"]) == {"fault"}


def as_split(frame: pd.DataFrame, job: config.Job) -> tuple[Table, Parts, list[str]]:
    table, absent = as_the_job(open_table(frame), job, "A")
    return table, split_job(table, job), absent


def test_pieces_of_words_are_not_learned_from_a_sites_texts() -> None:
    """They would be told to every other site."""
    frame = rows_of(60, 1).assign(note="Frau Huber, Secret Street 5")
    text = {**JOB, "columns": {**JOB["columns"], "note": {"type": "text"}}}
    job = load_job(text)
    with pytest.raises(FederationError, match=r"'note': its word pieces .* pretrained encoder"):
        propose(job, *as_split(frame, job))
    written = {**JOB, "tasks": {"note": {"type": "generate", "target": "note"}}}
    job = load_job(written)
    with pytest.raises(FederationError, match=r"'note': what it writes with .* pretrained"):
        propose(job, *as_split(frame, job))


def test_a_site_whose_numbers_are_all_the_same_learns_with_the_others(tmp_path: Path) -> None:
    tasks = {"size": {"type": "regress", "target": "size"}}
    split = {"random": "stratified", "test": 0.2, "validation": 0.2}
    job = load_job({**JOB, "tasks": tasks, "split": split})
    draw = np.random.default_rng(0)
    x = draw.normal(6.0, 2.0, 100)
    frames = {"A": rows_of(100, 1).assign(size=5.0), "B": rows_of(100, 2).assign(size=x)}
    said = {s: propose(job, *as_split(f, job)) for s, f in frames.items()}
    made = agree(job, said)
    assert 5.0 < made.targets["size"]["center"] < 6.0
    assert made.targets["size"]["scale"] > 0.5
    with pytest.raises(FederationError, match="'size' is 5 in all training rows of all sites"):
        agree(job, {"A": said["A"], "C": said["A"]})
    thousands = propose(job, *as_split(frames["B"].assign(size=1000 * x), job))
    with pytest.raises(FederationError, match=r"'size': numbers of .* as in another unit"):
        agree(job, {"B": said["B"], "C": thousands})


def test_another_unit_shows_on_a_logarithm_too(tmp_path: Path) -> None:
    columns = {**JOB["columns"], "load": {"type": "number", "scale": "log"}}
    job = load_job({**JOB, "columns": columns})
    frames = {"A": rows_of(100, 1), "B": rows_of(100, 2, scale=1000.0)}
    said = {s: propose(job, *as_split(f, job)) for s, f in frames.items()}
    with pytest.raises(FederationError, match=r"'load': numbers of .* as in another unit"):
        agree(job, said)


def test_names_may_travel_as_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = {"A": rows_of(100, 1), "B": rows_of(100, 2)}
    with pytest.raises(FederationError, match=f"common key in the environment's {KEY}"):
        proposals(tmp_path / "none", frames, names="hashed")
    monkeypatch.setenv(KEY, "tulip")
    said = proposals(tmp_path, frames, names="hashed")
    assert "good" not in json.dumps(said)
    assert said["A"]["targets"]["fault"]["names"] == said["B"]["targets"]["fault"]["names"]
    job = job_of(names="hashed")
    plants = plants_of(tmp_path / "run", frames, job)
    made = Federation(job, Direct(plants), tmp_path / "server")
    made.begin()
    made.run()
    assert made.best_score > 0.7
    assert sorted(plants["A"].ready()[1].targets["fault"].names) == ["bad", "good"]
    assert any("answer rows with the sites' own runs" in text for text in made.said)
    monkeypatch.setenv(KEY, "rose")
    assert said != proposals(tmp_path / "rose", frames, names="hashed")


def test_a_site_knows_a_name_that_few_of_its_rows_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells no such name, and reads it where another site has told it."""
    monkeypatch.setenv(KEY, "tulip")
    frames = {"A": rows_of(100, 1), "B": rows_of(100, 2)}
    frames["A"].loc[frames["A"]["line"] == "c", "line"] = "a"
    job = job_of(names="hashed", rounds=1)
    few = [*split_job(open_table(frames["A"]), job).train[:2]]
    frames["A"].loc[few, "line"] = "c"
    plants = plants_of(tmp_path, frames, job)
    told = unpack(plants["A"].answer(pack(Message("propose"), plants["A"].mark)), plants["A"].mark)
    assert len(told.facts["readers"]["line"]["names"]) == 2
    made = Federation(job, Direct(plants), tmp_path / "server")
    made.begin()
    reader = plants["A"].ready()[1].readers["line"]
    assert isinstance(reader, CategoryReader)
    assert sorted(reader.names) == ["a", "b", "c"]


def test_another_unit_is_named_and_mended(tmp_path: Path) -> None:
    frames = {"A": rows_of(100, 1), "B": rows_of(100, 2, scale=1000.0)}
    with pytest.raises(FederationError, match=r"'load': numbers of .* about 1,0.. times smaller"):
        agree(job_of(), proposals(tmp_path, frames))
    frames["B"] = frames["B"].rename(columns={"load": "load_N"})
    said = proposals(tmp_path / "name", frames)["B"]["said"]
    assert said == [
        "no column 'load' but 'load_N': if it is the same, say so in federate.columns (name: "
        "load_N, and times: where its unit is another); until then its cells count as missing"
    ]
    mapped = {"B": {"load": {"name": "load_N", "times": 0.001}}}
    mended = agree(job_of(columns=mapped), proposals(tmp_path / "mended", frames, columns=mapped))
    right = {"A": rows_of(100, 1), "B": rows_of(100, 2)}
    plain = agree(job_of(), proposals(tmp_path / "plain", right))
    assert mended.readers["load"]["center"] == pytest.approx(plain.readers["load"]["center"])
    shifted = {"B": {"load": {"name": "load_N", "times": 0.001, "plus": 1.0}}}
    moved = agree(job_of(columns=shifted), proposals(tmp_path / "plus", frames, columns=shifted))
    assert moved.readers["load"]["center"] > mended.readers["load"]["center"] + 0.1


def test_plants_of_other_countries_agree(tmp_path: Path) -> None:
    """6,5 at one and 6.5 at the other: numbers are numbers, and words have no fraction."""
    frames, job = {"A": rows_of(60, 1), "B": rows_of(60, 2)}, job_of()
    frames["A"].to_csv(tmp_path / "A.csv", index=False)
    frames["B"].to_csv(tmp_path / "B.csv", index=False, sep=";", decimal=",")
    tables = {s: as_the_job(open_table(tmp_path / f"{s}.csv"), job, s)[0] for s in "AB"}
    parts = {s: split_job(table, job) for s, table in tables.items()}
    assert [t.decimal for t in tables.values()] == [".", ","]
    made = agree(job, {s: propose(job, tables[s], parts[s], ()) for s in "AB"})
    assert made.readers["line"]["names"] == ("a", "b", "c")
    table, whole = pooled(job, tables, parts)
    every = np.concatenate([f["load"] for f in frames.values()])
    np.testing.assert_allclose(table.numbers("load"), every)
    assert len(whole.train) == sum(len(p.train) for p in parts.values())


def test_jobs_that_differ_in_units_alone_find_out(tmp_path: Path) -> None:
    columns = {**JOB["columns"], "load": {"type": "number", "unit": "N"}}
    newtons = load_job({**JOB, "columns": columns})
    assert fingerprint(newtons) == fingerprint(job_of()) != fingerprint(job_of(rounds=3))
    kilos, frame = job_of(), rows_of(100, 1)
    said = {"A": propose(kilos, *as_split(frame, kilos))}
    said["B"] = propose(newtons, *as_split(frame, newtons))
    with pytest.raises(FederationError, match="'load' is in N at B and in kN at A"):
        agree(kilos, said)


def test_what_a_site_is_said_to_have_and_has_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(FederationError, match="has no column 'lod'"):
        plants_of(tmp_path, {"B": rows_of(20, 1)}, job_of(columns={"B": {"load": {"name": "lod"}}}))
    both = {"B": {"load": {"name": "heat"}}}
    with pytest.raises(FederationError, match="has both 'heat' and 'load'"):
        plants_of(tmp_path, {"B": rows_of(20, 1)}, job_of(columns=both))


def test_all_conflicts_are_named_at_once(tmp_path: Path) -> None:
    found = proposals(tmp_path, {"A": rows_of(100, 1), "B": rows_of(100, 2, scale=1000.0)})
    found["B"]["units"] = {"load": "N"}
    amounts = {"names": ["0,5", "b"], "decimal": ","}
    found["B"]["readers"]["line"] = {**found["B"]["readers"]["line"], **amounts}
    with pytest.raises(FederationError) as error:
        agree(job_of(), found)
    said = str(error.value)
    assert "'load' is in N at B and in kN at A" in said
    assert "times smaller" in said
    assert "decimal is '.' at one site and ',' at another" in said
