"""The type of a column follows its cells and its name, and the reason says what was seen."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from drafts import N, draft_of, lists, sentences, valid
from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.readers.targets.regress import NumberTarget
from modalloy.readers.time import TimeReader
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job


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
        ("x", [c.cumsum() for c in lists(16)], "series"),
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


def test_paths_spelled_otherwise_are_media_and_the_reason_says_so(
    tmp_path: Path, y: list[str]
) -> None:
    (tmp_path / "Fotos").mkdir()
    Image.new("L", (40, 30)).save(tmp_path / "Fotos" / "Teil #1.png")
    soundfile.write(tmp_path / "Fotos" / "Teil #1.wav", np.zeros(50), 100)
    pd.DataFrame({"t": [0, 1], "v": [3, 5], "w": [4, 1]}).to_csv(tmp_path / "Fotos" / "a.csv")
    spellings = {
        "blank": ("Fotos/Teil #1.png ", "spelled otherwise"),
        "back": ("Fotos\\Teil #1.png", "spelled otherwise"),
        "case": ("fotos/teil #1.PNG", "spelled otherwise"),
        "moved": ("D:\\x\\Fotos\\Teil #1.png", "only their ends were found"),
        "hash": ("Fotos/Teil #1.png", "up to 40 pixels"),
    }
    frame = {name: [cell, None] * (N // 2) for name, (cell, _) in spellings.items()}
    frame |= {"tone": ["Fotos/teil #1.wav"] * N, "run": ["Fotos\\a.csv", "fotos/A.csv"] * (N // 2)}
    frame["tone"][1] = frame["run"][1] = frame["blank"][1] = "Fotos/none.png"
    frame["run"][1] = "Fotos/none.csv"
    for name in spellings:
        frame[name][1] = "Fotos/none.png"
    found = draft_of({**frame, "y": y}, folder=tmp_path).columns
    for name, (_, said) in spellings.items():
        assert found[name].type == "image", name
        assert found[name].options["pixels"] == 64
        assert said in found[name].reason
        assert "allow_outside" not in found[name].reason
    assert found["tone"].type == "audio"
    assert found["run"].type == "series"
    assert "channels v, w; row numbers, times in column t: no channel" in found["run"].reason


def test_paths_without_a_file_say_what_would_mend_them(tmp_path: Path, y: list[str]) -> None:
    Image.new("L", (40, 30)).save(tmp_path / "1.jpg")
    cells = {"a": ["1.png", "2.png"], "b": ["https://x.y/1.png", "https://x.y/2.png"]}
    frame = {name: two * (N // 2) for name, two in cells.items()}
    frame["z"] = [float(i * i % 17) for i in range(N)]
    found = draft_of({**frame, "y": y}, folder=tmp_path).columns
    assert found["a"].reason.endswith("; there is 1.jpg")
    assert "it is an address: download the file" in found["b"].reason


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
        ([f"{1 + i % 12}/{1 + i % 9}/2024" for i in range(N)], "dates that can be read in two"),
        (
            [f"img/{i}.heic" for i in range(N)],
            "200 of 200 cells are paths ending in .heic, a format",
        ),
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


@pytest.mark.parametrize("name", ["fault_code", "zip", "errorCode", "product_type"])
def test_codes_that_are_rare_or_many_are_no_amounts(name: str) -> None:
    many = [100 + 7 * (i % 40) for i in range(N - 2)] + [305, 977]
    assert typed(many, name)[0] == "category"
    rare = [-1, 100, 200, 305, 307, 309, 410, 411] + [100] * (N - 8)
    assert typed(rare, name)[0] == "category"
    assert typed(many, "load")[0] == "number"
    assert typed([c + 0.5 for c in many], name)[0] == "number"


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
