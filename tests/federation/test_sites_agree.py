"""Sites agree on how columns are read without a row leaving them; what does not fit is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asked_directly import Direct
from modalloy.errors import FederationError
from modalloy.federation.agreement import agree
from modalloy.federation.proposal import KEY
from modalloy.federation.server import Federation
from modalloy.federation.wire import Message, pack, unpack
from modalloy.readers.build import from_state
from modalloy.readers.number import NumberReader
from plants import job_of, plants_of, rows_of


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
    odd = rows_of(100, 1)
    odd.loc[:9, "line"] = "Secret Street 5"
    odd.loc[:9, "load"] = 987654.0
    frames = {"A": odd, "B": rows_of(100, 2)}
    said = json.dumps(proposals(tmp_path, frames, fewest=20)["A"])
    assert "Secret" not in said
    reader = proposals(tmp_path, frames, fewest=20)["A"]["readers"]["load"]
    told = NumberReader.from_state({k: v for k, v in reader.items() if k != "kind"})
    assert told.span[1] < 20
    known = proposals(tmp_path / "one", {"A": odd, "B": rows_of(100, 2)}, fewest=1)["A"]
    assert "Secret" in json.dumps(known)


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
    monkeypatch.setenv(KEY, "rose")
    assert said != proposals(tmp_path / "rose", frames, names="hashed")


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


def test_what_a_site_is_said_to_have_and_has_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(FederationError, match="has no column 'lod'"):
        plants_of(tmp_path, {"B": rows_of(20, 1)}, job_of(columns={"B": {"load": {"name": "lod"}}}))
    both = {"B": {"load": {"name": "heat"}}}
    with pytest.raises(FederationError, match="has both 'heat' and 'load'"):
        plants_of(tmp_path, {"B": rows_of(20, 1)}, job_of(columns=both))


def test_all_conflicts_are_named_at_once(tmp_path: Path) -> None:
    found = proposals(tmp_path, {"A": rows_of(100, 1), "B": rows_of(100, 2, scale=1000.0)})
    found["B"]["units"] = {"load": "N"}
    found["B"]["readers"]["line"] = {**found["B"]["readers"]["line"], "decimal": ","}
    with pytest.raises(FederationError) as error:
        agree(job_of(), found)
    said = str(error.value)
    assert "'load' is in N at B and in kN at A" in said
    assert "times smaller" in said
    assert "decimal is '.' at one site and ',' at another" in said
