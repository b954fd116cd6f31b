"""Leaks planted in small tables are found and graded; honest tables stay free of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from modalloy.checks.check import Check, check
from modalloy.checks.finding import Finding
from modalloy.checks.leaks import agreement
from modalloy.checks.name_hints import names_a_group, tells, words
from modalloy.checks.target_findings import Truth
from modalloy.checks.target_leakage import FOLDS, Asked, score
from modalloy.job import config
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

ROWS = 200
DRAW = np.random.default_rng
CLASSES = {"type": "classify", "target": "fault"}


def look(
    frame: pd.DataFrame,
    columns: dict[str, Any],
    *,
    task: dict[str, Any] = CLASSES,
    split: dict[str, Any] | None = None,
    folder: Path | None = None,
    **job: Any,
) -> Check:
    """Check a frame whose last quarter is the test part, unless `split` says otherwise."""
    if split is None:
        part = np.where(np.arange(len(frame)) < 0.75 * len(frame), "train", "test")
        frame, split = frame.assign(part=part), {"column": "part", "validation": 0}
    page = {"table": "frame", "split": split, "columns": columns, "tasks": {"t": task}, **job}
    made = config.Job.model_validate(page)
    table = open_table(frame, folder=folder)
    return check(made, table, split_job(table, made))


@pytest.fixture(autouse=True)
def _known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's speed is not measured anew for each small table."""
    monkeypatch.setattr("modalloy.checks.estimate.machine_gflops", lambda: 300.0)


def honest(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Two classes, a number that hints at them, and a category that does not."""
    draw = DRAW(seed)
    fault = draw.choice(["crack", "ok"], rows)
    return pd.DataFrame(
        {
            "fault": fault,
            "load": draw.normal(0, 1, rows) + (fault == "crack"),
            "site": draw.choice(["a", "b", "c"], rows),
        }
    )


PLAIN = {"load": {"type": "number"}, "site": {"type": "category"}}


def about(found: Check, column: str) -> list[Finding]:
    return [f for f in found.findings if f.where == column and f.level != "note"]


def test_an_honest_table_has_nothing_grave() -> None:
    found = look(honest(), PLAIN)
    assert found.findings == []
    assert found.ok


# --- groups ------------------------------------------------------------------------------------


def grouped(purity: float) -> pd.DataFrame:
    """Rows of 20 machines on both sides; a machine has its own fault in `purity` of its rows."""
    frame, draw = honest(), DRAW(1)
    machine = draw.integers(0, 20, ROWS)
    own = np.array(["crack", "ok"])[machine % 2]
    fault = np.where(draw.random(ROWS) < purity, own, frame["fault"])
    return frame.assign(machine=[f"m{m}" for m in machine], fault=fault)


def test_a_declared_group_that_answers_is_a_leak() -> None:
    group = {"machine": {"type": "group"}}
    (found,) = about(look(grouped(1.0), PLAIN | group), "machine")
    assert found.level == "leak"
    assert "tells fault" in found.what
    assert found.count == 50


def test_a_declared_group_that_answers_nothing_is_a_warning() -> None:
    (found,) = about(look(grouped(0.0), PLAIN | {"machine": {"type": "group"}}), "machine")
    assert found.level == "warning"


def test_a_random_split_although_a_group_is_declared_is_a_leak() -> None:
    split = {"random": "stratified", "validation": 0}
    (found,) = about(
        look(grouped(0.0), PLAIN | {"machine": {"type": "group"}}, split=split), "machine"
    )
    assert found.level == "leak"
    assert "split: {by: machine}" in found.what


def test_a_split_by_the_group_is_clean() -> None:
    found = look(grouped(1.0), PLAIN, split={"by": "machine", "validation": 0})
    assert found.leaks == []
    assert about(found, "machine") == []


@pytest.mark.parametrize(
    ("columns", "split", "level"),
    [
        ({}, {"random": "stratified"}, "leak"),
        ({}, None, "warning"),
        ({"machine": {"type": "ignore"}}, {"random": "stratified"}, "warning"),
    ],
)
def test_a_group_that_nobody_mentions(
    columns: dict[str, Any], split: dict[str, Any] | None, level: str
) -> None:
    (found,) = about(look(grouped(1.0), PLAIN | columns, split=split), "machine")
    assert found.level == level


def pieces(purity: float = 1.0) -> pd.DataFrame:
    """Five rows of each of 80 things, whose own class is that of `purity` of its rows."""
    draw, thing = DRAW(2), np.repeat(np.arange(80), 5)
    own = np.array(list("abcde"))[thing % 5]
    fault = np.where(draw.random(400) < purity, own, draw.choice(list("abcde"), 400))
    return pd.DataFrame({"thing": thing, "load": draw.normal(size=400), "fault": fault})


AT_RANDOM = {"random": "stratified"}


@pytest.mark.parametrize("name", ["pump", "specimen", "lab_sample", "customer", "tool", "heat_no"])
def test_more_names_of_groups(name: str) -> None:
    frame = pieces().rename(columns={"thing": name})
    (found,) = about(look(frame, {"load": {"type": "number"}}, split=AT_RANDOM), name)
    assert found.level == "leak"


@pytest.mark.parametrize("written", ["text", "number"])
@pytest.mark.parametrize("columns", [{}, {"Stück": {"type": "ignore"}}])
def test_a_group_that_only_its_cells_betray(written: str, columns: dict[str, Any]) -> None:
    frame = pieces().rename(columns={"thing": "Stück"})
    if written == "text":
        frame["Stück"] = [f"k{c}" for c in frame["Stück"]]
    columns = columns | {"load": {"type": "number"}}
    (found,) = about(look(frame, columns, split=AT_RANDOM), "Stück")
    assert found.level == "warning"
    assert "split: {by: Stück}" in found.what
    assert about(look(frame, columns, split={"by": "Stück"}), "Stück") == []


def test_amounts_classes_and_honest_names_are_no_likely_groups() -> None:
    frame = pieces(0.3).rename(columns={"thing": "Stück"})
    frame["kind"] = [f"{c}{row % 2}" for row, c in enumerate(frame["fault"])]  # finer classes
    frame["degrees"] = (np.searchsorted(list("abcde"), frame["fault"]) * 20) + DRAW(0).integers(
        0, 20, 400
    )
    found = look(frame, {"load": {"type": "number"}}, split=AT_RANDOM)
    for name in ("Stück", "kind", "degrees"):
        assert about(found, name) == [], name


def test_numbering_and_classes_are_no_groups() -> None:
    frame = honest().assign(product_group=DRAW(2).choice(list("abcdefgh"), ROWS))
    frame["serial_no"] = np.arange(ROWS)
    found = look(frame, PLAIN)
    assert about(found, "product_group") == []
    assert about(found, "serial_no") == []


def test_recordings_of_a_history_that_the_split_keeps_apart() -> None:
    frame = honest()
    frame["part"] = np.where(np.arange(ROWS) < 150, "train", "test")
    frame["run"] = np.arange(ROWS) % 10
    frame["fault"] = np.array(["crack", "ok"])[frame["run"] % 2]
    series = {"type": "series", "from": ["load"]}
    split = {"column": "part", "validation": 0}
    apart = series | {"history": {"by": ["run", "part"], "order": "step", "rows": 4}}
    shared = series | {"history": {"by": ["run"], "order": "step", "rows": 4}}
    frame["step"] = np.arange(ROWS)
    assert about(look(frame, {"s": apart}, split=split), "run") == []
    assert [f.level for f in about(look(frame, {"s": shared}, split=split), "run")] == ["warning"]


def test_agreement_beyond_chance() -> None:
    classes = Truth("t", config.Classify(target="y"), np.array(["a", "b", "a", "b", None], object))
    rows = np.arange(5)
    assert agreement(classes, np.array([[0, 2], [1, 3]]), rows) == 1.0
    assert agreement(classes, np.array([[0, 2], [0, 1]]), rows) == pytest.approx(0.0)
    assert agreement(classes, np.array([[0, 4]]), rows) == 0.0
    y = DRAW(0).normal(size=4000)
    numbers = Truth("t", config.Regress(target="y"), y.astype(object))
    pairs = DRAW(1).integers(0, 4000, (4000, 2))
    assert agreement(numbers, pairs, np.arange(4000)) == pytest.approx(0.0, abs=0.1)
    assert agreement(numbers, np.stack([pairs[:, 0]] * 2, axis=1), np.arange(4000)) == 1.0


# --- twins -------------------------------------------------------------------------------------


def pictures(folder: Path, rows: int, copies: int, seed: int = 0) -> list[str]:
    """Random smooth pictures; the last `copies` are JPEG copies of the first ones."""
    draw, names = DRAW(seed), []
    for row in range(rows - copies):
        cells = Image.fromarray(draw.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        cells.resize((40, 40), Image.Resampling.BICUBIC).save(folder / f"{row}.png")
        names.append(f"{row}.png")
    for row in range(copies):
        Image.open(folder / f"{row}.png").save(folder / f"copy{row}.jpg", quality=92)
        names.append(f"copy{row}.jpg")
    return names


def photographed(folder: Path, *, copies: int, agree: bool) -> pd.DataFrame:
    frame = honest(80).assign(photo=pictures(folder, 80, copies))
    if agree and copies:
        frame.loc[frame.index[-copies:], "fault"] = frame["fault"][:copies].to_numpy()
    return frame


PHOTO = {"photo": {"type": "image"}, "load": {"type": "number"}}


def test_copies_of_pictures_are_a_leak(tmp_path: Path) -> None:
    found = look(photographed(tmp_path, copies=6, agree=True), PHOTO, folder=tmp_path)
    (leak,) = found.leaks
    assert leak.where == "photo"
    assert leak.rows == list(range(74, 80))
    assert not found.ok
    assert look(
        photographed(tmp_path, copies=6, agree=True), PHOTO, folder=tmp_path, allow_leak=True
    ).ok


def test_pictures_that_many_parts_share_are_a_warning(tmp_path: Path) -> None:
    frame = photographed(tmp_path, copies=12, agree=False)
    (found,) = about(look(frame, PHOTO, folder=tmp_path), "photo")
    assert found.level == "warning"
    assert found.count == 12


def test_different_pictures_are_fine(tmp_path: Path) -> None:
    found = look(photographed(tmp_path, copies=0, agree=True), PHOTO, folder=tmp_path)
    assert found.findings == []


def test_twins_need_all_pictures_of_a_row(tmp_path: Path) -> None:
    frame = photographed(tmp_path, copies=6, agree=True)
    (tmp_path / "side").mkdir()
    frame["side"] = [f"side/{n}" for n in pictures(tmp_path / "side", 80, 0, seed=5)]
    found = look(frame, PHOTO | {"side": {"type": "image"}}, folder=tmp_path)
    assert found.leaks == []
    assert [f.level for f in about(found, "photo")] == ["warning"]


def test_the_same_recording_twice_is_a_leak(tmp_path: Path) -> None:
    frame, draw = honest(40), DRAW(3)
    for row in range(40):
        soundfile.write(tmp_path / f"{row}.wav", draw.normal(0, 0.1, 400), 4000)
    frame["sound"] = [f"{row}.wav" for row in range(40)]
    frame.loc[39, "sound"] = "3.wav"
    frame.loc[39, "fault"] = frame["fault"][3]
    (leak,) = look(frame, {"sound": {"type": "audio"}}, folder=tmp_path).leaks
    assert (leak.where, leak.rows) == ("sound", [39])


def test_equal_series_in_cells_are_found() -> None:
    frame, draw = honest(40), DRAW(3)
    frame["wave"] = [draw.normal(size=30) for _ in range(40)]
    frame.at[38, "wave"] = frame.at[5, "wave"]
    frame.at[39, "wave"] = np.zeros(30)  # dead sensors are alike and say nothing
    frame.at[6, "wave"] = np.zeros(30)
    frame.loc[38, "fault"] = frame["fault"][5]
    (leak,) = look(frame, {"wave": {"type": "series"}}).leaks
    assert (leak.where, leak.rows) == ("wave", [38])


@pytest.mark.parametrize("kind", ["series", "vector"])
def test_equal_lists_are_found(kind: str) -> None:
    frame, draw = honest(40), DRAW(3)
    for name in ("a", "b"):
        frame[name] = [draw.normal(size=30) for _ in range(40)]
        frame.at[38, name] = frame.at[5, name]
    frame.at[39, "a"] = frame.at[6, "a"]  # one channel of two
    frame.loc[38, "fault"] = frame["fault"][5]
    columns = {"s": {"type": "series", "from": ["a", "b"]}}
    if kind == "vector":
        columns = {"a": {"type": "vector"}, "b": {"type": "vector"}}
    (leak,) = look(frame, columns).leaks
    assert leak.rows == [38]


def test_vectors_of_flags_repeat_by_chance() -> None:
    frame, draw = honest(40), DRAW(3)
    flags = np.eye(4)[draw.integers(0, 2, 40) + 2 * (frame["fault"] == "ok")]
    assert look(frame.assign(v=list(flags)), {"v": {"type": "vector"}}).leaks == []


def written(copies: int, length: int) -> pd.DataFrame:
    draw = DRAW(4)
    vocabulary = np.array(["".join(draw.choice(list("aeioustrlmn"), 6)) for _ in range(300)])
    texts = [" ".join(draw.choice(vocabulary, length)) for _ in range(ROWS)]
    frame = honest()
    for row in range(copies):
        texts[ROWS - 1 - row] = texts[row].upper() + "."
        frame.loc[ROWS - 1 - row, "fault"] = frame["fault"][row]
    return frame.assign(note=texts)


@pytest.mark.parametrize(
    ("copies", "length", "others", "level"),
    [
        (6, 12, False, "leak"),
        (6, 3, False, "warning"),  # short orders repeat
        (6, 12, True, "warning"),  # other columns say more than the text
        (16, 12, True, "leak"),  # a third of the test rows are no chance
        (1, 12, False, "warning"),  # one in fifty is chance
        (0, 12, False, None),
    ],
)
def test_copies_of_texts(copies: int, length: int, others: bool, level: str | None) -> None:
    columns = {"note": {"type": "text"}} | (PLAIN if others else {})
    found = about(look(written(copies, length), columns), "note")
    assert [f.level for f in found] == ([level] if level else [])
    assert not found or found[0].count == copies


# --- telltales ---------------------------------------------------------------------------------


def column(kind: str) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """A frame with a column `x` that tells the target, its type, and the task."""
    frame, draw = honest(400, seed=7), DRAW(8)
    crack = (frame["fault"] == "crack").to_numpy()
    hours = draw.lognormal(3, 2, 400)
    task: dict[str, Any] = dict(CLASSES)
    match kind:
        case "copy":
            x, own = np.where(crack, "reject", "pass"), {"type": "category"}
        case "number":
            x, own = crack * 5.0 + draw.random(400), {"type": "number"}
        case "empty":
            x = [None if c else v for c, v in zip(crack, draw.random(400), strict=True)]
            own = {"type": "number"}
        case "text":
            x, own = np.where(crack, "will be scrapped", "may go on"), {"type": "text"}
        case "amount":
            x, own = hours * 0.7 + 3, {"type": "number"}
            task = {"type": "regress", "target": "hours"}
    return frame.assign(x=x, hours=hours), {"x": own, "load": {"type": "number"}}, task


@pytest.mark.parametrize("kind", ["copy", "number", "empty", "text", "amount"])
def test_a_column_that_tells_the_answer(kind: str) -> None:
    frame, columns, task = column(kind)
    (leak,) = look(frame, columns, task=task).leaks
    assert leak.where == "x"


@pytest.mark.parametrize("rows", [40, 120, 300])
@pytest.mark.parametrize(
    ("made", "level"),
    [
        (lambda y, draw: 2 * y + 1, "leak"),
        (lambda y, draw: -np.exp(y / 9), "leak"),
        (lambda y, draw: np.where(draw.random(len(y)) < 0.1, np.nan, y), "leak"),
        (lambda y, draw: np.where(draw.random(len(y)) < 0.7, np.nan, y), None),
        (lambda y, draw: y + draw.normal(0, 4, len(y)), None),
        (lambda y, draw: draw.normal(size=len(y)), None),
    ],
)
def test_an_amount_that_rises_with_the_answer_is_found_among_few_rows(
    rows: int, made: Callable[..., np.ndarray], level: str | None
) -> None:
    draw = DRAW(4)
    y = draw.normal(50, 9, rows)
    frame = pd.DataFrame({"x": made(y, draw), "load": draw.normal(size=rows), "hours": y})
    columns = {"x": {"type": "number"}, "load": {"type": "number"}}
    found = look(frame, columns, task={"type": "regress", "target": "hours"})
    told = [f for f in about(found, "x") if "tells hours on its own" in f.what]
    assert [f.level for f in told] == ([level] if level else [])


def test_two_dates_that_together_tell_the_answer() -> None:
    frame, draw = honest(400), DRAW(9)
    promised = pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 600, 400), "D")
    late = np.where(frame["fault"] == "crack", 1, -1) * draw.integers(1, 9, 400)
    frame["promised"], frame["delivered"] = promised, promised + pd.to_timedelta(late, "D")
    columns = {"promised": {"type": "time"}, "delivered": {"type": "time"}}
    (leak,) = look(frame, columns).leaks
    assert leak.where == "delivered"
    assert "promised" in leak.what
    alone = {"promised": {"type": "time"}, "load": {"type": "number"}}
    assert look(frame, alone).leaks == []


NAMES = ["bearing", "sealing", "winding", "coupling", "water pump"]


@pytest.mark.parametrize(("share", "level"), [(1.0, "leak"), (0.97, "warning"), (0.6, None)])
def test_a_text_that_names_its_class(share: float, level: str | None) -> None:
    draw = DRAW(2)
    fault = draw.choice(NAMES, 600)
    words = ["line", "noisy", "heard", "on", "shift", "leak", "pump"]
    notes = [
        f"{' '.join(draw.choice(words, 5))} Replaced {name if draw.random() < share else 'it'}. {i}"
        for i, name in enumerate(fault)
    ]
    frame = pd.DataFrame({"note": notes, "load": draw.normal(size=600), "fault": fault})
    found = about(look(frame, {"note": {"type": "text"}, "load": {"type": "number"}}), "note")
    assert [f.level for f in found] == ([level] if level else [])
    assert not level or "names the row's fault" in found[0].what


@pytest.mark.parametrize("how", ["on its own", "by being empty or not"])
def test_a_column_that_tells_one_class_of_five(how: str) -> None:
    draw = DRAW(2)
    fault = draw.choice(NAMES, 400)
    other = draw.choice([7.0, 14.0, 21.0], 400) if how == "on its own" else draw.random(400)
    x = np.where(fault == "sealing", 0.0 if how == "on its own" else np.nan, other)
    frame = pd.DataFrame({"x": x, "load": draw.normal(size=400), "fault": fault})
    columns = {"x": {"type": "number"}, "load": {"type": "number"}}
    found = [f for f in about(look(frame, columns), "x")]
    assert [f.level for f in found] == ["warning"]
    assert f"tells 'sealing' of fault {how} without a mistake" in found[0].what
    frame.loc[frame.index[fault == "sealing"][0], "x"] = 7.0
    assert about(look(frame, columns), "x") == []


def test_a_strong_honest_feature_is_no_leak() -> None:
    frame = honest(1000)
    frame["load"] += 2.5 * (frame["fault"] == "crack")
    assert look(frame, PLAIN).leaks == []


def test_one_class_in_twenty_is_judged_with_care() -> None:
    draw = DRAW(0)
    rare = draw.random(600) < 0.03
    frame = pd.DataFrame({"fault": np.where(rare, "crack", "ok")})
    frame["load"] = rare * 5 + draw.random(600)
    found = look(frame, {"load": {"type": "number"}})
    assert found.leaks == []
    assert [f.level for f in about(found, "load")] == ["warning"]


def test_groups_keep_an_identifier_from_looking_like_an_answer() -> None:
    frame, draw = honest(400), DRAW(5)
    machine = np.repeat(np.arange(40), 10)
    frame["fault"] = np.array(["crack", "ok"])[draw.permutation(40) % 2][machine]
    frame["machine"], frame["speed"] = machine, machine * 1.7  # each machine runs at its own speed
    frame["load"] = draw.normal(size=400)
    columns = {"speed": {"type": "category"}, "load": {"type": "number"}}
    split = {"by": "machine", "validation": 0}
    assert look(frame, columns, split=split).leaks == []


def test_a_name_that_holds_the_target() -> None:
    frame = honest().assign(fault_note=DRAW(0).choice(list("xyz"), ROWS))
    found = look(frame, PLAIN | {"fault_note": {"type": "category"}})
    assert [f.level for f in about(found, "fault_note")] == ["warning"]


def test_score_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import r2_score, roc_auc_score

    draw = DRAW(0)
    codes, fold = draw.integers(0, 6, 120), draw.integers(0, FOLDS, 120)
    y = ((codes + draw.integers(0, 4, 120)) > 4).astype(float)
    for target, classes in ((y, True), (draw.random(120) + codes, False)):
        guess = np.empty(120)
        for row in range(120):
            others = (codes == codes[row]) & (fold != fold[row])
            guess[row] = (target[others].sum() + 0.05 * target.mean()) / (others.sum() + 0.05)
        slow = roc_auc_score(target, guess) if classes else r2_score(target, guess)
        asked = Asked("t", np.arange(120), target[:, None], fold, classes)
        assert score(codes, asked) == pytest.approx(slow)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("machine_id", True),
        ("boardNo", True),
        ("lab_sample", True),
        ("sample_rate", False),
        ("motor_speed", False),
        ("video", True),
        ("group", True),
        ("product_group", False),
        ("tool", True),
        ("Customer", True),
        ("test_specimen", True),
        ("pump", True),
        ("tool_wear", False),
        ("motor_current", False),
        ("width", False),
        ("idea", False),
    ],
)
def test_names_of_groups(name: str, group: bool) -> None:
    assert names_a_group(name) is group


def test_words_of_names() -> None:
    assert words("fileNo_2") == ["file", "no", "2"]
    assert tells("freight_note", "freight")
    assert not tells("plate", "late")
