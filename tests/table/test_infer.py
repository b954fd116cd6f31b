"""Drafts are what a sensible engineer would write, and their job files are valid as they are."""

import json
import re
import string
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from modalloy import config
from modalloy.errors import TableError
from modalloy.job import load_job
from modalloy.rules import broken_rules
from modalloy.table.infer import Draft, infer, job_yaml
from modalloy.table.reader import Cells
from modalloy.table.split import split_job
from modalloy.table.table import open_table
from modalloy.table.targets import NumberTarget
from modalloy.table.time import TimeReader

N = 200


def draft_of(columns: dict[str, Any], target: str | list[str] = "y", **options: Any) -> Draft:
    return infer(
        open_table(pd.DataFrame(columns), **options),
        [target] if isinstance(target, str) else target,
    )


def valid(draft: Draft) -> config.Job:
    """The job of the draft's own text, without a fault."""
    data = YAML(typ="safe").load(job_yaml(draft, "t.csv"))
    assert list(broken_rules(data)) == []
    return config.Job.model_validate(data)


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def y(draw: np.random.Generator) -> list[str]:
    return draw.choice(["ok", "crack", "dent"], N).tolist()


# --- a whole table -----------------------------------------------------------------------------


def test_the_small_table_gets_the_job_one_would_write(small_table: Path) -> None:
    draft = infer(open_table(small_table), ["fault_code", "hours_left", "tags", "boxes"])
    job = valid(draft)
    types = {name: options.type for name, options in job.columns.items()}
    assert types == {
        "photo": "image",
        "sound": "audio",
        "vibration": "series",
        "note": "text",
        "load": "number",
        "site": "category",
        "taken_at": "time",
        "machine": "group",
        "words": "tokens",
        "box_names": "ignore",
    }
    assert job.split.by == "machine"
    assert {name: task.type for name, task in job.tasks.items()} == {
        "fault_code": "classify",
        "hours_left": "regress",
        "tags": "tag",
        "boxes": "locate",
    }
    assert job.tasks["tags"].on == "words"
    assert job.tasks["boxes"].labels == "box_names"
    assert len(split_job(open_table(small_table), job).test) > 0


def test_pretrained_encoders_are_named_where_they_are_installed(
    small_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = open_table(small_csv)
    monkeypatch.setattr("modalloy.table.guessed.find_spec", lambda name: name)
    found = valid(infer(table, ["fault_code"])).columns
    names = [found[c].encoder for c in ("photo", "sound", "note")]
    assert names == ["efficientnet_lite0", "whisper_tiny_en", "minilm"]
    monkeypatch.setattr("modalloy.table.guessed.find_spec", lambda name: None)
    found = valid(infer(table, ["fault_code"])).columns
    assert [found[c].encoder for c in ("photo", "sound", "note")] == ["scratch"] * 3


def test_every_default_of_what_was_inferred_stands_once_as_a_comment(small_table: Path) -> None:
    draft = infer(open_table(small_table), ["fault_code", "hours_left", "tags", "boxes"])
    text = job_yaml(draft, "t.parquet")
    job = valid(draft)
    groups = {"split": job.split}
    groups |= {o.type: o for o in (*job.columns.values(), *job.tasks.values())}
    for kind, group in groups.items():
        told = [x for x in text.splitlines() if x.strip().startswith(f"# defaults of {kind}: ")]
        fields = {f.alias or n: f for n, f in type(group).model_fields.items() if n != "type"}
        wanted = {n: f.default for n, f in fields.items() if not f.is_required()}
        if kind == "series":
            wanted["front"] = config.usual_fronts(wanted)  # follows from the defaults before it
        if kind == "split":
            del wanted["by"]  # it is given
        if not wanted:
            assert told == [], kind
            continue
        (line,) = told
        found = YAML(typ="safe").load(line.partition(": ")[2])
        assert {n: tuple(v) if isinstance(v, list) else v for n, v in found.items()} == wanted
    below = text[text.index("train:") :]
    assert all(f"  {n}: " in below or f"# {n}: " in below for n in config.Train.model_fields)
    assert "\n# sheet:" in text


def test_every_line_has_its_reason_and_defaults_come_from_the_options(small_csv: Path) -> None:
    text = job_yaml(infer(open_table(small_csv), ["fault_code"]), "parts.csv")
    lines = text.split("\n")
    start, end = lines.index("columns:"), lines.index("tasks:")
    assert all("  # " in line for line in lines[start + 1 : end])
    # With every default switched on, the job is still the same.
    off = [line for line in lines[end:] if not line.lstrip().lower().startswith("# defaults")]
    switched = [
        line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line for line in off
    ]
    data = YAML(typ="safe").load("\n".join(lines[:end] + switched))
    assert config.Job.model_validate(data) == config.Job.model_validate(YAML(typ="safe").load(text))
    for group in (config.Train, type(config.Job.model_fields["fuse"].default)):
        for name in group.model_fields:
            assert any(line.lstrip("# ").startswith(f"{name}:") for line in lines)


def test_strange_names_and_sources_survive_the_yaml(draw: np.random.Generator) -> None:
    names = ["a: b", "#1", "yes", "{x}", "1", "Größe [mm]", "'", "null", "-"]
    columns = {name: draw.normal(size=N) for name in names}
    draft = draft_of(columns | {"true": draw.choice(["p", "q"], N)}, "true")
    text = job_yaml(draft, "C: #1/data 'x'.csv")
    data = YAML(typ="safe").load(text)
    assert data["table"] == "C: #1/data 'x'.csv"
    assert list(data["columns"]) == names
    assert data["tasks"]["true"]["target"] == "true"


def test_names_with_line_breaks_and_long_ones_survive_the_yaml(
    draw: np.random.Generator, tmp_path: Path
) -> None:
    names = ["Temp\n[°C]", "a" * 127, "b: " * 80, "\x07\x85\u2028 \U0001f600", '"q\\\n']
    columns = {name: draw.normal(size=N) for name in names}
    target = "Result\n(final) " + "c" * 130
    folds = {"part\n": ["train", "val", "test", "test"] * (N // 4)}
    draft = draft_of(columns | folds | {target: draw.choice(["p", "q"], N)}, target)
    (tmp_path / "job.yaml").write_text(job_yaml(draft, "t.csv"))
    job = load_job(tmp_path / "job.yaml")
    assert list(job.columns) == [*names, "part\n"]
    assert job.tasks[target].target == target
    assert job.split.column == "part\n"


def test_a_relative_table_says_where_it_counts_from(y: list[str]) -> None:
    draft = draft_of({"x": np.random.default_rng(1).normal(size=N), "y": y})
    said = "counts from the folder of this file"
    for source, told in (
        ("data/t.csv", True),
        ("sqlite:///t.db?x", True),
        ("/data/t.csv", False),
        ("sqlite:////data/t.db?x", False),
        ("<frame>", False),
    ):
        assert (said in job_yaml(draft, source).split("\ntable:")[0]) is told, source


def test_a_column_called_table_is_left_out_of_a_valid_job(y: list[str]) -> None:
    x = np.random.default_rng(1).normal(size=N)
    draft = draft_of({"table": x, "x": x + 1, "y": y})
    assert draft.columns["table"].type == "ignore"
    assert "the name 'table' is taken" in draft.columns["table"].reason
    valid(draft)


# --- types -------------------------------------------------------------------------------------


def typed(cells: Any, name: str = "x", y: Any = None) -> tuple[str, str]:
    """The guessed type and reason of one column beside a number that always helps."""
    rng = np.random.default_rng(1)
    frame = {
        name: cells,
        "other": rng.normal(size=N),
        "y": rng.choice(["p", "q"], N) if y is None else y,
    }
    found = draft_of(frame).columns[name]
    return found.type, found.reason


WORDS = ["seal", "pump", "leak", "worn", "crack", "weld", "bolt", "loose", "hot", "noise"]


def sentences(count: int, words: int) -> list[str]:
    rng = np.random.default_rng(2)
    return [" ".join(rng.choice(WORDS, words)) + f" {i}" for i in range(count)]


def lists(length: int | None) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=length or rng.integers(5, 9)) for _ in range(N)]


def test_amounts_over_magnitudes_are_read_on_a_log_scale() -> None:
    rng = np.random.default_rng(5)
    amounts = {"cost": rng.lognormal(3, 2.5, N), "load": rng.normal(size=N)}
    found = draft_of(amounts | {"y": rng.choice(["p", "q"], N)}).columns
    assert found["cost"].options == {"scale": "log"}
    assert "over several magnitudes" in found["cost"].reason
    assert found["load"].options == {}


@pytest.mark.parametrize(
    ("name", "cells", "wanted"),
    [
        ("x", np.random.default_rng(5).normal(size=N), "number"),
        ("x", [str(v) for v in np.random.default_rng(5).normal(size=N)], "number"),
        ("x", [f"{i % 40:04d}" for i in range(N)], "category"),
        ("x", [True, False] * (N // 2), "category"),
        ("x", ["north", "south", None, "west"] * (N // 4), "category"),
        ("vendor", [f"Smith & Sons {i % 30}" for i in range(N)], "category"),
        ("x", sentences(N, 7), "text"),
        ("x", [f"2024-01-{1 + i % 28:02d}" for i in range(N)], "time"),
        ("x", pd.date_range("2024-01-01", periods=N), "time"),
        ("x", lists(16), "vector"),
        ("x", [json.dumps(c.tolist()) for c in lists(16)], "vector"),
        ("vibration", lists(16), "series"),
        ("features_vibration", lists(16), "vector"),
        ("x", lists(300), "series"),
        ("x", lists(None), "series"),
        ("x", [[[1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 0.0, 1.0, 2.0]]] * N, "series"),
        ("x", [s.split() for s in sentences(N, 4)], "tokens"),
        ("id", list(range(N)), "ignore"),
        ("x", list(range(N)), "ignore"),
        ("x", list(range(0, 7 * N, 7)), "number"),
        ("part_no", [f"P-{i}" for i in range(N)], "ignore"),
        ("x", [f"P-{i}" for i in range(N)], "ignore"),
        ("x", [f"P-{i % 180}" for i in range(N)], "ignore"),
        ("x", [3.0] * N, "ignore"),
        ("x", [None] * N, "ignore"),
        ("x", ['{"a": 1}', '{"b": 2}'] * (N // 2), "ignore"),
        ("x", [[[1, 2, 3, 4]]] * N, "ignore"),
        ("x", [f"img/{i}.png" for i in range(N)], "ignore"),
        ("machine_id", [i % 10 for i in range(N)], "group"),
        ("machine_temperature", [20.5 + i % 10 for i in range(N)], "number"),
        ("batch", [f"b{i % 40}" for i in range(N)], "group"),
    ],
)
def test_types_follow_the_cells_and_the_name(name: str, cells: Any, wanted: str) -> None:
    found, reason = typed(cells, name)
    assert found == wanted, reason
    assert reason


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([3.0] * N, "always 3"),
        ([None] * N, "empty in all 200 rows"),
        (
            ["north", "south", None, "west"] * 50,
            "3 different names in 150 rows; 50 of 200 cells are empty",
        ),
        (
            [f"a/{i}.png" for i in range(N)],
            "200 of 200 cells are paths ending in .png, but none of the 20",
        ),
        ([f"P-{i}" for i in range(N)], "every cell is different: an identifier"),
    ],
)
def test_reasons_are_counted(cells: list[Any], reason: str) -> None:
    assert typed(cells)[1].startswith(reason)


def test_media_are_paths_to_files_that_exist(tmp_path: Path, y: list[str]) -> None:
    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    np.save(tmp_path / "v.npy", np.zeros(9))
    frame = {"photo": ["a.png"] * N, "run": ["v.npy#0", "v.npy"] * (N // 2), "y": y}
    frame["photo"][1] = "b.png"
    frame["z"] = np.random.default_rng(0).normal(size=N)
    found = draft_of(frame, folder=tmp_path).columns
    assert found["photo"].type == "image"
    assert found["photo"].options["pixels"] == 64
    assert found["run"].type == "series"
    outside = {**frame, "photo": [str(tmp_path / "a.png"), str(tmp_path / "b.png")] * (N // 2)}
    reason = draft_of(outside, folder=tmp_path / "elsewhere").columns["photo"].reason
    assert "set allow_outside: true" in reason


def stray(cells: list[str], **places: str) -> list[str]:
    """The cells with others at the rows r0, r7 ..."""
    return [places.get(f"r{i}", c) for i, c in enumerate(cells)]


NUMBERS = [f"{v:.2f}" for v in np.random.default_rng(6).normal(20, 3, N)]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (stray(NUMBERS, r7="k.A."), "numbers but for 1 of 200 cells ('k.A.'); to use it, empty"),
        (stray(NUMBERS, r7="<0.5", r9="OFF"), "numbers but for 2 of 200 cells ('<0.5', 'OFF')"),
        (stray(NUMBERS, r0="mm"), "numbers but for 1 of 200 cells ('mm')"),
        (stray(NUMBERS, r7="-", r8="<0.5"), "numbers but for 1 of 200 cells ('<0.5'); to use it"),
        ([c if i % 4 else "k.A." for i, c in enumerate(NUMBERS)], "numbers but for 50 of 200"),
        ([f"{c}%" for c in NUMBERS], f"numbers written as '{NUMBERS[0]}%'; to use it, write"),
        ([f"{c} kN" for c in NUMBERS], f"numbers written as '{NUMBERS[0]} kN'"),
        ([f"{100 * float(c):,.1f}" for c in NUMBERS], "numbers written as '"),
        (stray([c.replace(".", ",") for c in NUMBERS], r3="?"), "numbers but for 1 of 200 cells"),
        ([f"{1 + i % 12}/{1 + i % 9}/2024" for i in range(N)], "dates that can be read in two"),
        ([f"img/{i}.gif" for i in range(N)], "200 of 200 cells are paths ending in .gif, a format"),
        ([f"snd/{i}.m4a" for i in range(N)], "200 of 200 cells are paths ending in .m4a, a format"),
    ],
)
def test_what_is_nearly_of_a_type_says_what_is_in_the_way(cells: list[str], reason: str) -> None:
    kind, found = typed(cells, "temp")
    assert kind == "ignore"
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (stray(NUMBERS, r7="n.d."), "1 cell 'n.d.' is read as missing"),
        (stray(NUMBERS, r7="-", r9="-"), "2 cells '-' are read as missing"),
        ([c if i % 3 else "-" for i, c in enumerate(NUMBERS)], "67 cells '-' are read as missing"),
        (
            stray(NUMBERS, r7="n.d.", r8=" n.d. ", r9="ERR"),
            "2 cells 'n.d.' and 1 cell 'ERR' are read as missing",
        ),
        (
            stray(NUMBERS, r7="-", r8="?", r9="ERR", r11="#DIV/0!", r12="TBD"),
            "1 cell '-', 1 cell '?', 1 cell 'ERR' and 2 written otherwise are read as missing",
        ),
        (
            stray(NUMBERS, r7="n.d.", r8=""),
            "1 cell 'n.d.' is read as missing; 1 of 200 cells are empty",
        ),
    ],
)
def test_marks_for_no_value_among_numbers_are_counted(cells: list[str], reason: str) -> None:
    low, high = (f"{v:g}" for v in _ends(cells))
    assert typed(cells, "temp") == ("number", f"numbers from {low} to {high}; {reason}")


def _ends(cells: list[str]) -> tuple[float, float]:
    x = [float(c) for c in cells if c in NUMBERS]
    return min(x), max(x)


def test_marks_are_counted_among_the_cells_looked_at(draw: np.random.Generator) -> None:
    cells = [f"{v:.3f}" for v in draw.normal(size=30_000)]
    cells[::10] = ["n.d."] * 3000
    frame = {"temp": cells, "load": draw.normal(size=30_000), "y": ["p", "q"] * 15_000}
    found = draft_of(frame).columns["temp"]
    assert found.type == "number"
    told = r"; [12] \d{3} cells 'n\.d\.' are read as missing, of 20 000 looked at$"
    assert re.search(told, found.reason)


@pytest.mark.parametrize(
    ("name", "cells", "wanted"),
    [
        ("x", [["1", "2", "3", "-"][i % 4] for i in range(N)], "category"),
        ("x", [c if i % 3 == 0 else "-" for i, c in enumerate(NUMBERS)], "category"),
        ("x", ["-", "?", "n.d.", "tbd"] * (N // 4), "category"),
        ("x", stray([f"0{100 + i}" for i in range(N)], r7="-"), "ignore"),
        ("part_id", stray([str(3 * i) for i in range(N)], r7="-", r9="-"), "ignore"),
    ],
)
def test_marks_among_names_and_codes_make_no_number(
    name: str, cells: list[str], wanted: str
) -> None:
    assert typed(cells, name)[0] == wanted


def test_a_target_of_numbers_and_marks_is_regressed(draw: np.random.Generator) -> None:
    frame = {"hours": stray(NUMBERS, r7="n.d.", r9="-"), "load": draw.normal(size=N)}
    draft = draft_of(frame, "hours")
    assert draft.tasks["hours"].type == "regress"
    assert draft.tasks["hours"].reason.endswith("1 cell 'n.d.' and 1 cell '-' are read as missing")
    job = valid(draft)
    table = open_table(pd.DataFrame(frame))
    reader = NumberTarget.fit("hours", job.tasks["hours"], table.take(["hours"], np.arange(N)))
    truth = reader.truth(table.take(["hours"], np.arange(6, 10)))
    assert [t is None for t in truth] == [False, True, False, True]
    names = ["1", "2", "-", "3"] * (N // 4)
    assert draft_of({**frame, "grade": names}, "grade").tasks["grade"].type == "classify"


def test_a_column_with_marks_where_the_answer_is_unknown_is_left_out(
    draw: np.random.Generator, y: list[str]
) -> None:
    known = [c if i % 4 else None for i, c in enumerate(y)]
    after = [c if i % 4 else "n.d." for i, c in enumerate(NUMBERS)]
    found = draft_of({"load": draw.normal(size=N), "after": after, "y": known}).columns["after"]
    assert found.type == "ignore"
    assert "empty in the same 50 rows" in found.reason


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (stray([f"{i % 12}" for i in range(N)], r7="k.A."), "category"),
        ([f"{10 * (i % 4)} mm" for i in range(N)], "category"),
        ([f"0{i % 180}" for i in range(N)], "ignore"),
        ([f"{i % 180}{'ABC'[i % 3]}" for i in range(N)], "ignore"),
        ([f"1.{i % 60}.{i % 9}" for i in range(N)], "ignore"),
    ],
)
def test_names_and_codes_are_not_nearly_numbers(cells: list[str], wanted: str) -> None:
    kind, reason = typed(cells)
    assert kind == wanted
    assert kind == "category" or "nearly an identifier" in reason


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["x" if i % 5 < 2 else None for i in range(N)], "'x' or nothing; 120 of 200 cells are"),
        ([1 if i % 5 < 2 else None for i in range(N)], "1 or nothing; 120 of 200 cells"),
        ([True if i % 5 < 2 else None for i in range(N)], "True or nothing; 120 of 200 cells"),
    ],
)
def test_a_mark_that_some_rows_bear_is_an_input(cells: list[Any], reason: str) -> None:
    kind, found = typed(cells)
    assert kind == "category"
    assert found.startswith(reason)
    assert typed([*cells[:1] * (N - 1), None])[0] == "ignore"


@pytest.mark.parametrize("name", ["status_code", "cavity", "error_code", "plz"])
def test_whole_numbers_that_stand_for_classes_are_categories(name: str) -> None:
    codes = [(0, 17, 42, 301)[i % 4] for i in range(N)]
    assert typed(codes, name) == ("category", "4 codes, by the name")
    assert typed([i % 90 for i in range(N)], name)[0] == "number"
    assert typed(codes, "load")[0] == "number"


DAYS = pd.date_range("2024-01-01", periods=N, freq="31h")


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("x", DAYS.strftime("%m/%d/%Y %I:%M:%S %p"), "dates written as text, the month first"),
        ("x", DAYS.strftime("%d/%m/%Y"), "dates written as text, the day first"),
        ("x", DAYS.strftime("%d-%b-%Y %H:%M"), "dates written as text"),
        ("timestamp", [int(t.timestamp()) for t in DAYS], "times in seconds since 1970"),
        ("ts_ms", [int(1000 * t.timestamp()) for t in DAYS], "times in milliseconds since 1970"),
        ("day", DAYS.strftime("%Y%m%d").astype(int), "dates written as numbers (20240531)"),
    ],
)
def test_times_as_people_and_machines_write_them_split_the_rows(
    name: str, cells: Any, reason: str, y: list[str], draw: np.random.Generator
) -> None:
    frame = {"load": draw.normal(size=N), name: list(cells), "y": y}
    draft = draft_of(frame)
    assert draft.columns[name].type == "time"
    assert draft.columns[name].reason.split(" different ")[1].split(";")[0] == reason
    assert draft.split == {"time": name}
    job = valid(draft)
    parts = split_job(open_table(pd.DataFrame(frame)), job)
    assert parts.test.min() > parts.train.max()
    reader = TimeReader.fit(name, config.Time(), Cells({name: frame[name]}))
    assert reader.read(Cells({name: frame[name]})).present.all()
    if name != "x":
        assert typed(frame[name], "load_cycles")[0] != "time"


def test_media_say_when_their_paths_or_arrays_are_refused(tmp_path: Path, y: list[str]) -> None:
    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    np.savez(tmp_path / "two.npz", vib=np.zeros(9), cur=np.zeros(9))
    frame = {
        "photo": [str(tmp_path / "a.png")] * N,
        "many": ["two.npz"] * (N - 1) + ["gone.npz"],
        "one": ["two.npz#vib", "two.npz#cur"] * (N // 2),
        "z": np.random.default_rng(0).normal(size=N),
        "y": y,
    }
    frame["photo"][0] = str(tmp_path / "b.png")
    found = draft_of(frame, folder=tmp_path).columns
    assert "absolute, so set allow_outside: true" in found["photo"].reason
    assert found["one"].type == "series"
    assert found["many"].type == "ignore"
    assert "vib" in found["many"].reason


def test_lists_of_one_length_and_stem_are_channels(y: list[str]) -> None:
    frame = {f"s{i:02d}": lists(30) for i in range(4)} | {"y": y}
    job = valid(draft_of(frame))
    assert job.columns["sensors"].channels == ("s00", "s01", "s02", "s03")
    frame["s01"] = [None, *frame["s01"][1:]]
    assert set(draft_of(frame).columns) == {"s01", "sensors"}


# --- targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind", "options"),
    [
        (["ok", "bad"] * (N // 2), "classify", {}),
        ([True, False] * (N // 2), "classify", {}),
        ([0, 1, 2, None] * (N // 4), "classify", {}),
        ([0.0, 0.25] * (N // 2), "classify", {}),
        ([0.0, 1 / 3, 2 / 3, 1.0] * (N // 4), "regress", {}),
        (list(range(100)) * 2, "regress", {}),
        ([["a"], ["a", "b"], [], ["c"]] * (N // 4), "classify", {"labels": "multi"}),
        (["a", "a;b", None, "c; b"] * (N // 4), "classify", {"labels": "multi"}),
        (["ok; new", "bad"] * (N // 2), "classify", {"labels": "multi"}),
        (np.random.default_rng(0).lognormal(5, 2, N), "regress", {"scale": "log"}),
        (np.random.default_rng(0).exponential(1, N), "regress", {}),
    ],
)
def test_targets_become_tasks(cells: Any, kind: str, options: dict[str, Any]) -> None:
    x = np.random.default_rng(1).normal(size=N)
    job = draft_of({"x": x, "y": cells}).job("t.csv")
    assert job["tasks"]["y"] == {"type": kind, "target": "y", **options}


def test_counts_are_amounts() -> None:
    frame = {"x": np.random.default_rng(1).normal(size=N), "n_holes": [0, 1, 2, 3] * (N // 4)}
    assert draft_of(frame, "n_holes").tasks["n_holes"].type == "regress"


def test_boxes_are_located_on_the_picture_that_is_no_template(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (300, 200)).save(tmp_path / name)
    boxes = [json.dumps([[1, 2, 3, 4]] * (i % 3)) for i in range(N)]
    frame = {
        "template": ["a.png", "b.png"] * (N // 2),
        "photo": ["b.png", "a.png"] * (N // 2),
        "boxes": boxes,
        "kinds": [json.dumps(["hole"] * (i % 3)) for i in range(N)],
        "n_boxes": [i % 3 for i in range(N)],
    }
    draft = draft_of(frame, "boxes", folder=tmp_path)
    options = {"on": "photo", "template": "template", "labels": "kinds"}
    assert draft.job("t")["tasks"]["boxes"] == {"type": "locate", "target": "boxes", **options}
    assert draft.columns["photo"].options["pixels"] == 320
    assert draft.columns["kinds"].type == "ignore"
    assert draft.columns["n_boxes"].type == "ignore"
    valid(draft)
    with pytest.raises(TableError, match="holds boxes, but no column holds paths to pictures"):
        draft_of({"boxes": boxes, "x": range(N)}, "boxes")


def test_tags_go_with_the_words_of_their_rows() -> None:
    words = [s.split() for s in sentences(N, 4)]
    tags = [["O", "B-part", "I-part", "O", "O"]] * N
    frame = {
        "id": range(N),
        "text": [" ".join(w) for w in words],
        "pos": [["NN"] * 5] * N,
        "words": words,
        "tags": tags,
    }
    draft = draft_of(frame, "tags")
    assert draft.job("t")["tasks"]["tags"] == {"type": "tag", "target": "tags", "on": "words"}
    assert draft.columns["text"].reason == "the same words as 'words'"
    assert draft.columns["pos"].reason == "labels of the words in 'words', not words"
    with pytest.raises(TableError, match="no other column holds as many words"):
        draft_of({"x": range(N), "tags": tags}, "tags")
    with pytest.raises(TableError, match="'NN' is no BIO tag"):
        draft_of({"words": words, "pos": [["NN"] * 5] * N}, "pos")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (sentences(N, 6), "different texts in 200 rows, which are no classes"),
        ([1.0] * N, "is 1.0 in every row"),
        ([None] * N, "empty in all 200 rows"),
        (lists(4), "lists of numbers, which no task answers"),
        (pd.date_range("2024-01-01", periods=N), "holds times"),
        ([np.inf, -np.inf] * (N // 2), "no finite number"),
    ],
)
def test_targets_that_no_task_answers(cells: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        draft_of({"x": np.random.default_rng(1).normal(size=N), "y": cells})


def test_other_mistakes(y: list[str]) -> None:
    table = open_table(pd.DataFrame({"fault": y, "x": [1.0] * N}))
    with pytest.raises(TableError, match=r"no column 'fualt'\. Did you mean 'fault'"):
        infer(table, ["fualt"])
    with pytest.raises(TableError, match="name at least one column to be answered"):
        infer(table, [])
    with pytest.raises(TableError, match=r"no column is left to learn from\. 'x': always 1"):
        infer(table, ["fault"])


# --- split -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drop", "wanted"),
    [
        ((), {"column": "part"}),
        (("part",), {"by": "machine"}),
        (("part", "machine"), {"by": "session_id"}),
        (("part", "machine", "session_id"), {"time": "at"}),
        (("part", "machine", "session_id", "at"), {"random": "stratified"}),
    ],
)
def test_the_most_honest_split_is_chosen(
    drop: tuple[str, ...], wanted: dict[str, str], y: list[str], draw: np.random.Generator
) -> None:
    frame = {
        "x": draw.normal(size=N),
        "part": ["train", "train", "val", "test"] * (N // 4),
        "machine": [f"m{i % 12}" for i in range(N)],
        "session_id": draw.integers(0, 60, N),
        "at": pd.date_range("2024-01-01", periods=N),
        "y": y,
    }
    draft = draft_of({k: v for k, v in frame.items() if k not in drop})
    assert draft.split == wanted
    valid(draft)


@pytest.mark.parametrize("name", ["tool", "heat", "Maschine", "panel_SN", "customer"])
def test_things_that_own_several_rows_stay_together(name: str) -> None:
    rows, draw = 400, np.random.default_rng(2)
    thing = np.repeat(np.arange(80), 5)
    frame = {name: [f"k{t}" for t in thing], "x": draw.normal(size=rows)}
    draft = draft_of(frame | {"y": np.array(list("abcde"))[thing % 5]})
    assert draft.split == {"by": name}
    assert draft.columns[name].type == "group"


@pytest.mark.parametrize(
    ("words", "test", "validation", "said"),
    [
        (["train", "holdout"], 100, None, "test (holdout), train"),
        (["train", "eval"], 100, None, "test (eval), train"),
        (["Train", "eval", "test", "test"], 100, 50, "test, train, validation (eval)"),
        (["train", "valid"] * 2 + ["evaluation"], 40, 80, "test (evaluation), train, validation"),
    ],
)
def test_other_words_for_the_parts_of_a_split(
    words: list[str], test: int, validation: int | None, said: str, y: list[str]
) -> None:
    frame = {"x": np.random.default_rng(1).normal(size=N), "subset": words * (N // len(words))}
    draft = draft_of(frame | {"y": y})
    assert draft.split == {"column": "subset"}
    assert draft.split_reason.startswith(f"says {said}")
    assert draft.columns["subset"].type == "ignore"
    parts = split_job(open_table(pd.DataFrame(frame | {"y": y})), valid(draft))
    assert len(parts.test) == test
    assert set(parts.test) == {i for i, w in enumerate(frame["subset"]) if w == words[-1]}
    if validation is not None:
        assert len(parts.validation) == validation


def test_groups_that_a_split_column_tears_apart_are_no_input(y: list[str]) -> None:
    frame = {
        "x": np.random.default_rng(1).normal(size=N),
        "split": ["train", "test"] * (N // 2),
        "torn_id": [i // 4 for i in range(N)],
        "whole_id": [100 * (i % 2) + i // 8 for i in range(N)],
        "machine": [f"m{i % 3}" for i in range(N)],
        "y": y,
    }
    draft = draft_of(frame)
    assert draft.split == {"column": "split", "by": "whole_id"}
    assert draft.columns["torn_id"].type == "ignore"
    assert "`split: {by: torn_id}` would test unseen ones" in draft.columns["torn_id"].reason
    assert draft.columns["whole_id"].type == "group"
    assert draft.columns["machine"].type == "category"


def test_rows_with_the_same_picture_stay_together(tmp_path: Path, y: list[str]) -> None:
    for i in range(20):
        Image.new("L", (8, 8)).save(tmp_path / f"{i}.png")
    frame = {"photo": [f"{i % 20}.png" for i in range(N)], "q": sentences(N, 6), "y": y}
    draft = draft_of(frame, folder=tmp_path)
    assert draft.split == {"by": "photo"}
    assert draft.columns["photo"].type == "image"


# --- what gives a target away --------------------------------------------------------------------


def test_columns_that_tell_a_class_are_left_out(y: list[str], draw: np.random.Generator) -> None:
    code = {"ok": 0, "crack": 1, "dent": 2}
    low = {"ok": 0.0, "crack": 5.0, "dent": 9.0}
    days = pd.Series(draw.integers(0, 300, N))
    due = pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")
    late = pd.to_timedelta([low[c] + draw.random() for c in y], unit="D")
    frame = {
        "good": draw.normal(size=N),
        "copy": [c.upper() for c in y],
        "finer": [f"{c}-{draw.integers(3)}" for c in y],
        "coarser": [c == "ok" for c in y],
        "grade": [code[c] for c in y],
        "range": [low[c] + draw.random() for c in y],
        "gap": [None if c == "ok" else draw.random() for c in y],
        "due": due,
        "done": due + late,
        "y": y,
    }
    found = draft_of(frame).columns
    kept = [c for c, g in found.items() if g.type != "ignore"]
    assert kept == ["good", "due"]
    assert "each of its 3 values goes with one class" in found["copy"].reason
    assert "made from 'y'" in found["coarser"].reason
    assert found["range"].reason == "gives 'y' away: each class is a range of it"
    assert found["done"].reason == "gives 'y' away together with 'due'"


def test_columns_that_tell_a_number_are_left_out(draw: np.random.Generator) -> None:
    y = draw.gamma(2.0, 40.0, N).round(2)
    good = y + draw.normal(size=N) * 30
    y[::4] = np.nan
    frame = {
        "good": good,
        "square": np.where(np.isnan(y), 0.0, y**2),
        "capped": np.where(np.isnan(y), 0.0, -np.minimum(y, 90)),
        "known_with_it": np.where(np.isnan(y), np.nan, draw.normal(size=N)),
        "large": np.where(y > 80, "yes", "no"),
        "always": np.where(np.isnan(y), "x", "y"),
        "parts": [None if np.isnan(v) else [v / 2, v / 2] for v in y],
        "y": y,
    }
    found = draft_of(frame).columns
    assert [c for c, g in found.items() if g.type != "ignore"] == ["good"]
    assert found["square"].reason == "gives 'y' away: rises with it without an exception"
    assert found["known_with_it"].reason.startswith("empty in the same 50 rows as 'y'")
    assert found["always"].reason == "always 'y' where a target is known"


def test_texts_that_say_the_class_are_left_out(draw: np.random.Generator) -> None:
    y = draw.choice(["bearing", "sealing", "winding", "coupling", "housing"], N)
    frame = {
        "told": [f"the {c} of unit {i} broke" for i, c in enumerate(y)],
        "note": sentences(N, 7),
        "y": y,
    }
    found = draft_of(frame).columns
    assert "100% of its texts hold the class's name" in found["told"].reason
    assert found["note"].type == "text"


def test_strong_but_imperfect_columns_stay(y: list[str], draw: np.random.Generator) -> None:
    level = {"ok": 0.0, "crack": 2.0, "dent": 4.0}
    mostly = [c if draw.random() < 0.9 else "ok" for c in y]
    frame = {"level": [level[c] + draw.normal() for c in y], "mostly": mostly, "y": y}
    assert [g.type for g in draft_of(frame).columns.values()] == ["number", "category"]


# --- any table ---------------------------------------------------------------------------------

CELLS = {
    "number": st.floats(-1e3, 1e3) | st.none(),
    "whole": st.integers(-3, 3),
    "name": st.sampled_from(["a", "b", "c", None, ""]),
    "text": st.text(string.ascii_lowercase + " ", max_size=30),
    "flag": st.booleans(),
    "day": st.dates(),
    "numbers": st.lists(st.floats(-9, 9), max_size=4),
    "words": st.lists(st.sampled_from(["x", "B-y", "O"]), max_size=3) | st.none(),
    "part": st.sampled_from(["train", "test", "dev"]),
    "mixed": st.integers() | st.text(max_size=3) | st.none(),
}


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_table_gets_a_valid_job_or_a_sentence(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=2, max_size=6))
    rows = data.draw(st.integers(1, 40))
    columns = {
        f"{kind}{i}": data.draw(st.lists(CELLS[kind], min_size=rows, max_size=rows))
        for i, kind in enumerate(kinds)
    }
    target = data.draw(st.sampled_from(sorted(columns)))
    try:
        draft = draft_of(columns, target)
    except TableError as error:
        told = str(error)
    else:
        told = "<frame>: "
        named = valid(draft).columns.items()  # channels of one kind may be drawn together
        read = {c for name, o in named for c in getattr(o, "channels", ()) or (name,)}
        assert read == set(columns) - {target}
    assert told.startswith("<frame>: ")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "target", "inputs", "split"),
    [
        (
            "elpv/table.csv",
            "defect_class",
            "image module_type mean_intensity std_intensity",
            "split",
        ),
        (
            "mosi/table.parquet",
            "sentiment",
            "utterance text audio_features video_features",
            "split",
        ),
        ("maintie/table.parquet", "ner_tags", "tokens n_entities", "split"),
        ("esc10/table.csv", "label", "audio seconds take", "split"),
        ("cmapss_fd001/table.parquet", "rul", "end_cycle sensors", "split"),
    ],
)
def test_real_tables(name: str, target: str, inputs: str, split: str, shared: Path) -> None:
    draft = infer(open_table(shared / name), [target])
    kept = [c for c, g in draft.columns.items() if g.type not in ("ignore", "group")]
    assert kept == inputs.split()
    assert draft.split["column"] == split
    valid(draft)


def test_a_series_with_a_known_rate_gets_its_fronts_written_out(tmp_path: Path) -> None:
    for row in range(8):
        with wave.open(str(tmp_path / f"{row}.wav"), "wb") as file:
            file.setparams((1, 2, 12_000, 0, "NONE", ""))
            file.writeframes(np.zeros(1200, np.int16).tobytes())
    frame = pd.DataFrame({"vibration": [f"{r}.wav" for r in range(8)], "bad": ["x", "y"] * 4})
    frame.to_csv(tmp_path / "t.csv", index=False)
    draft = infer(open_table(tmp_path / "t.csv"), ["bad"])
    options = draft.columns["vibration"].options
    assert options["rate_hz"] == 12_000
    assert options["front"] == ["learned", "statistics", "spectrum", "envelope"]
    assert valid(draft).columns["vibration"].front == tuple(options["front"])
