"""Every fault of a job in one pass, at the right line, in a sentence that says what to do."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.job_file import FRAME, absolute, check_against, job_text, load_job, save_job
from modalloy.job.lined_yaml import read_page

GOOD = """\
table: parts.parquet
split: {by: machine, test: 0.2}
columns:
  photo: {type: image, encoder: efficientnet_lite0}
  words:
    type: tokens
  shake: {type: series, rate_hz: 12_000, from: [ax, ay], rpm: speed}
  load: {type: number}
fuse:
  type: attention
  heads: 4
tasks:
  fault: {type: classify, target: code}
  spans: {type: tag, target: tags, on: words}
  spots: {type: locate, target: boxes, on: photo}
  life: {type: regress, target: hours, quantiles: [0.1, 0.9]}
train:
  epochs: 3
  lr: 3e-4
"""


def faults_of(text: str, tmp_path: Path) -> list[str]:
    """The lines of the error that this job file raises, without the folder."""
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(JobError) as caught:
        load_job(path)
    return str(caught.value).replace(str(tmp_path) + "/", "").splitlines()


def changed(old: str, new: str) -> str:
    """The good job with one place changed."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_good_job_loads_with_yaml_1_2_values(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(GOOD)
    job = load_job(tmp_path / "job.yaml")
    assert job.train.lr == 3e-4
    assert isinstance(job.columns["shake"], config.Series)
    assert job.columns["shake"].rate_hz == 12_000
    assert job.columns["shake"].channels == ("ax", "ay")
    assert job.table == str(tmp_path / "parts.parquet")
    assert job.fuse == config.Attention(heads=4)


CASES = [
    # old, new, line, path, words that must stand in the sentence
    ("efficientnet_lite0", "eficientnet_lite0", 4, "columns.photo.encoder",
     "'eficientnet_lite0' is not one of scratch, ~Did you mean 'efficientnet_lite0'?"),
    ("type: image,", "type: imag,", 4, "columns.photo",
     "'imag' is not one of ~Did you mean 'image'?"),
    ("{type: number}", "{typ: number}", 8, "columns.load", "has no type; write type: number, "),
    ("{type: number}", "number", 8, "columns.load", "Write {type: number}."),
    ("{type: number}", "3", 8, "columns.load", "must be a group of options~Got 3."),
    ("{type: number}", "{type: number, bin: 3}", 8, "columns.load.bin",
     "is not an option of type: number. Did you mean 'bins'?"),
    ("{type: number}", "{type: number, bins: 0}", 8, "columns.load.bins",
     "must be a whole number of at least 1. Got 0."),
    ("{type: number}", "{type: number, bins: 9, embed: linear}", 8, "columns.load.bins",
     "is for embed: piecewise or periodic"),
    ("{type: number}", "{type: number, unit: 5}", 8, "columns.load.unit",
     "must be text. Got 5. Put it in quotes."),
    ("rpm: speed", "rpm: []", 7, "columns.shake.rpm", "must be text or a number above 0. Got []."),
    ("rpm: speed", "front: [leraned]", 7, "columns.shake.front[0]", "Did you mean 'learned'?"),
    ("rpm: speed", "front: []", 7, "columns.shake.front", "at least one front"),
    ("rpm: speed", "front: [order]", 7, "columns.shake.front", "order needs rpm"),
    ("rpm: speed", "front: [learned, convolution]", 7, "columns.shake.front",
     "names learned and convolution"),
    ("rpm: speed", "encoder: 'hf:x', front: [learned, hydra]", 7, "columns.shake.front",
     "hydra does not stand beside 'hf:x'"),
    ("rate_hz: 12_000, from: [ax, ay], rpm: speed", "from: [ax, ay], front: [spectrum]", 7,
     "columns.shake.front", "needs rate_hz"),
    ("rate_hz: 12_000,", "", 7, "columns.shake.rpm", "needs rate_hz, samples a second"),
    ("rpm: speed", "rpm: speed, front: [spectrum]", 7, "columns.shake.rpm",
     "is read by the order front alone; add order to front"),
    ("rate_hz: 12_000", "rate_hz: -1", 7, "columns.shake.rate_hz",
     "must be a number above 0. Got -1."),
    ("rpm: speed", "encoder: 'hf:x', front: [statistics]", 7, "columns.shake.encoder",
     "add learned to front"),
    ("rpm: speed", "size: base, front: [statistics]", 7, "columns.shake.size",
     "is for the learned front, which front does not name"),
    ("rpm: speed", "augment: jitter, encoder: 'hf:x', tune: frozen", 7, "columns.shake.augment",
     "a frozen encoder sees each cell once"),
    ("[ax, ay]", "[ax, ax]", 7, "columns.shake.from", "names 'ax' twice"),
    ("from: [ax, ay]", "history: {order: t}", 7, "columns.shake.history.by", "is missing"),
    ("{type: number}", "{type: time, since: hours}", 8, "columns.load.since",
     "'hours' is the target of task 'life'"),
    ("rpm: speed", "rpm: hours", 7, "columns.shake.rpm", "'hours' is the target of task 'life'"),
    ("[ax, ay]", "[ax, hours]", 7, "columns.shake.from", "'hours' is the target of task 'life'"),
    ("    type: tokens", "    type: tokens\n    tune: frozen", 7, "columns.words.tune",
     "frozen needs a pretrained encoder"),
    ("    type: tokens", "    type: tokens\n    tune: lora", 7, "columns.words.tune",
     "lora needs weights to stand beside; take a pretrained encoder, or train.start"),
    ("rpm: speed", "tune: ia3, front: [statistics]", 7, "columns.shake.tune",
     "has nothing to stand beside"),
    ("efficientnet_lite0}", "efficientnet_lite0, adapter: {rank: 4}}", 4, "columns.photo.adapter",
     "is for tune: lora | rslora | dora | pissa | adalora | ia3 | vera | layernorm. Got"),
    ("efficientnet_lite0}", "efficientnet_lite0, tune: ia3, adapter: {rank: 4}}", 4,
     "columns.photo.adapter.rank", "is not read by ia3"),
    ("heads: 4", "heads: 4\n  tune: dora", 12, "fuse.tune", "needs weights to stand beside"),
    ("    type: tokens", "    type: tokens\n    last_n: 3", 7, "columns.words.last_n",
     "is for tune: last_n. Got tune: full."),
    ("efficientnet_lite0}", "efficientnet_lite0, size: base}", 4, "columns.photo.size",
     "is for encoder: scratch"),
    ("efficientnet_lite0}", "efficientnet_lite0, all_views: true}", 4, "columns.photo.all_views",
     "needs augment: flip or rotate"),
    ("  load: {type: number}", "  table: {type: number}", 8, "columns.table", "is taken"),
    ("  load: {type: number}", "  hours: {type: number}", 8, "columns.hours",
     "'hours' is the target of task 'life'; the model would see its own answer. ~type: ignore"),
    ("split: {by: machine, test: 0.2}", "split: {by: machine, time: t}", 2, "split",
     "say one of column, by, time or random: stratified"),
    ("split: {by: machine, test: 0.2}", "split: {test: 0.2}", 2, "split", "say one of column, by"),
    ("test: 0.2", "test: 1.0", 2, "split.test", "of at least 0 and below 1. Got 1.0."),
    ("test: 0.2", "test: .nan", 2, "split.test", "Got NaN."),
    ("by: machine", "by: code", 2, "split.by", "'code' is the target of task 'fault'"),
    ("by: machine", "time: photo", 2, "split.time", "'photo' is an input of type image"),
    ("by: machine", "column: load", 2, "split.column", "'load' is an input of type number"),
    ("heads: 4", "heads: 7", 11, "fuse.heads", "must divide width 256. Got 7."),
    ("heads: 4", "width: 9", 11, "fuse.width", "must be a multiple of 8 from 8 to 4096. Got 9."),
    ("heads: 4", "rank: 4", 11, "fuse.rank", "is not an option of type: attention. It takes "),
    ("target: code", "traget: code", 13, "tasks.fault.traget", "Did you mean 'target'?"),
    ("target: code", "weight: 1", 13, "tasks.fault.target", "is missing; it must be text."),
    ("on: words", "on: wrods", 14, "tasks.spans.on",
     "type tokens; 'wrods' is not among the columns. Did you mean 'words'?"),
    ("on: words", "on: load", 14, "tasks.spans.on", "'load' is of type number"),
    ("on: photo", "on: words", 15, "tasks.spots.on", "must name a column of type image"),
    ("on: photo", "on: photo, template: photo", 15, "tasks.spots.template", "another column than"),
    ("efficientnet_lite0}", "efficientnet_lite0, tune: frozen}", 15, "tasks.spots.on",
     "'photo' is frozen and keeps no maps to find boxes on; set its tune to full or last_n"),
    ("on: photo", "on: photo, labels: load", 8, "columns.load", "is the labels of task 'spots'"),
    ("[0.1, 0.9]", "[0.1, 2]", 16, "tasks.life.quantiles[1]", "above 0 and below 1. Got 2."),
    ("[0.1, 0.9]", "[0.9, 0.1]", 16, "tasks.life.quantiles", "must rise"),
    ("[0.1, 0.9]", "[], lowest: 1, highest: 1", 16, "tasks.life.highest", "above lowest 1. Got 1."),
    ("[0.1, 0.9]", "[], lowest: none", 16, "tasks.life.lowest", "must be a number. Got 'none'."),
    ("epochs: 3", "epocs: 3", 18, "train.epocs",
     "is not an option of train. Did you mean 'epochs'?"),
    ("epochs: 3", "epochs: '3'", 18, "train.epochs", "Got '3'. Take the quotes away."),
    ("epochs: 3", "epochs: true", 18, "train.epochs", "must be a whole number~Got true."),
    ("epochs: 3", "epochs: 2.5", 18, "train.epochs", "must be a whole number~Got 2.5."),
    ("epochs: 3", "epochs:", 18, "train.epochs", "Got nothing."),
    ("lr: 3e-4", "lr: .inf", 19, "train.lr", "must be a number above 0. Got Infinity."),
    ("lr: 3e-4", "epochs: 4", 18, "train.epochs", "stands twice, on lines 18 and 19"),
    ("lr: 3e-4", "lr: 3e-4\nallow_leak: no", 20, "allow_leak", "must be true or false. Got 'no'."),
    ("lr: 3e-4", "lr: 3e-4\nseed: 5_000_000_000", 20, "seed", "from 0 to 4294967295"),
    ("lr: 3e-4", "lr: 3e-4\ncolums: {}", 20, "colums", "of a job. Did you mean 'columns'?"),
    ("lr: 3e-4", "lr: 3e-4\n? [a, b]\n: 3", None, "", "has a key that is no word, on line 20"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "path", "words"), CASES)
def test_one_fault_has_its_line_and_a_sentence(
    old: str, new: str, line: int | None, path: str, words: str, tmp_path: Path
) -> None:
    faults = faults_of(changed(old, new), tmp_path)
    where = f"job.yaml:{line}: {path}: " if line else "job.yaml: "
    mine = [fault for fault in faults if fault.startswith(where)]
    assert mine, faults
    for piece in words.split("~"):
        assert piece in mine[0]
    others = [f for f in faults if f not in mine and "Did you mean" not in f]
    consequences = ("target: is missing", "must name a column", "needs rate_hz", "order needs")
    assert all(any(c in f for c in consequences) for f in others), others


ONE_INPUT = """\
table: parts.parquet
split: {by: machine}
columns:
  photo: {type: image}
tasks:
  spots: {type: locate, target: boxes, on: photo}
fuse: {type: concat}
train: {epochs: 3}
"""
OF_NO_USE = [
    # old, new, line and start of the fault; None where the job is taken
    (
        "{type: concat}",
        "{type: concat, auxiliary: 0.5}",
        7,
        "fuse.auxiliary: is for several inputs",
    ),
    ("{type: concat}", "{type: concat, auxiliary: 0.3}", None, ""),
    ("{type: concat}", "{type: concat, auxiliary: 0}", None, ""),
    ("epochs: 3", "label_smoothing: 0.1", 8, "train.label_smoothing: is for classify, tag and"),
    ("epochs: 3", "label_smoothing: 0.0", None, ""),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), OF_NO_USE)
def test_an_option_that_nothing_reads_is_refused_where_it_is_written(
    old: str, new: str, line: int | None, words: str, tmp_path: Path
) -> None:
    text = ONE_INPUT.replace(old, new)
    if line is None:
        (tmp_path / "job.yaml").write_text(text)
        load_job(tmp_path / "job.yaml")
        return
    [fault] = faults_of(text, tmp_path)
    assert fault.startswith(f"job.yaml:{line}: {words}")
    more = text.replace(
        "tasks:\n", "  load: {type: number}\ntasks:\n  f: {type: classify, target: y}\n"
    )
    (tmp_path / "job.yaml").write_text(more)
    load_job(tmp_path / "job.yaml")


def test_steps_are_planned_where_passes_are_not(tmp_path: Path) -> None:
    text = ONE_INPUT.replace("epochs: 3", "epochs: 3, least_steps: 9")
    [fault] = faults_of(text, tmp_path)
    assert fault.startswith("job.yaml:8: train.least_steps: is for `epochs: auto`, and epochs is 3")
    (tmp_path / "job.yaml").write_text(text.replace("epochs: 3", "epochs: auto"))
    assert load_job(tmp_path / "job.yaml").train.least_steps == 9


@pytest.mark.parametrize("option", ["encoder_lr: 3e-4", "frozen_first: false", "freeze_epochs: 1"])
@pytest.mark.parametrize(
    ("photo", "words"),
    [
        ("{type: image}", "and there is none"),
        (
            "{type: image, encoder: efficientnet_lite0, tune: frozen}",
            "and they are all frozen",
        ),
        ("{type: image, encoder: efficientnet_lite0}", ""),
        ("{type: image, encoder: efficientnet_lite0, tune: last_n}", ""),
    ],
)
def test_the_rate_of_pretrained_encoders_needs_one_that_changes(
    option: str, photo: str, words: str, tmp_path: Path
) -> None:
    text = ONE_INPUT.replace("{type: image}", photo).replace("epochs: 3", option)
    text = text.replace("{type: locate, target: boxes, on: photo}", "{type: classify, target: y}")
    if words:
        [fault] = faults_of(text, tmp_path)
        name = option.split(":")[0]
        assert fault.startswith(f"job.yaml:8: train.{name}: is for pretrained encoders that change")
        assert words in fault
    else:
        (tmp_path / "job.yaml").write_text(text)
        load_job(tmp_path / "job.yaml")


def test_heads_of_single_inputs_need_a_task_that_answers_rows(tmp_path: Path) -> None:
    text = ONE_INPUT.replace("tasks:\n", "  load: {type: number}\ntasks:\n")
    [fault] = faults_of(text.replace("concat}", "concat, auxiliary: 1.0}"), tmp_path)
    assert fault.startswith("job.yaml:8: fuse.auxiliary: is for classify and regress tasks")


def test_a_frozen_picture_is_changed_only_for_its_views(tmp_path: Path) -> None:
    frozen = "{type: image, encoder: efficientnet_lite0, tune: frozen, "
    task = "{type: locate, target: boxes, on: photo}"
    text = ONE_INPUT.replace(task, "{type: classify, target: y}")
    [fault] = faults_of(text.replace("{type: image", frozen + "augment: flip"), tmp_path)
    assert fault.startswith("job.yaml:4: columns.photo.augment: has no effect: a frozen encoder")
    for read in ("augment: flip, all_views: true", "augment: none", "augment: shift"):
        (tmp_path / "job.yaml").write_text(text.replace("{type: image", frozen + read))
        load_job(tmp_path / "job.yaml")


@pytest.mark.parametrize(
    ("options", "front"),
    [
        ("rate_hz: 12_000, rpm: speed", ("learned", "statistics", "spectrum", "envelope", "order")),
        ("rate_hz: 12_000", ("learned", "statistics", "spectrum", "envelope")),
        ("length: 64", ("learned", "statistics")),
        ("rate_hz: 12_000, front: [learned]", ("learned",)),
    ],
)
def test_fronts_left_out_are_those_that_rate_and_speed_allow(
    options: str, front: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "job.yaml").write_text(
        changed("rate_hz: 12_000, from: [ax, ay], rpm: speed", options)
    )
    job = load_job(tmp_path / "job.yaml")
    assert isinstance(job.columns["shake"], config.Series)
    assert job.columns["shake"].front == front
    save_job(job, tmp_path / "saved.yaml")
    assert load_job(tmp_path / "saved.yaml") == job


def test_a_wrong_rate_is_one_fault_and_not_two(tmp_path: Path) -> None:
    faults = faults_of(changed("rate_hz: 12_000", "rate_hz: -1"), tmp_path)
    assert faults == ["job.yaml:7: columns.shake.rate_hz: must be a number above 0. Got -1."]


def test_all_faults_come_in_one_pass_in_the_order_of_the_page(tmp_path: Path) -> None:
    text = GOOD
    for old, new in (
        ("efficientnet_lite0", "resnet"),
        ("{type: number}", "{type: nmber}"),
        ("heads: 4", "heads: 7"),
        ("on: words", "on: photo"),
        ("epochs: 3", "epochs: 0\n  epochs: 1"),
        ("lr: 3e-4", "lr: fast"),
    ):
        text = text.replace(old, new)
    faults = faults_of(text, tmp_path)
    assert [int(fault.split(":")[1]) for fault in faults] == [4, 8, 11, 14, 18, 18, 20]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "is empty; `modalloy init TABLE` writes a job."),
        ("# nothing but a comment\n", None, "is empty"),
        ("- a\n- b\n", None, "must be a group of options"),
        ("table: [a\nsplit: 3\n", 2, "is not YAML: "),
        ("table: a: b\n", 1, "is not YAML: mapping values are not allowed here."),
        ("\ttable: a\n", 1, "is not YAML: "),
        ("a: 1\n---\nb: 2\n", 2, "is not YAML: "),
        ("a: \x07\n", None, "is not YAML: "),
        ("[" * 1100, None, "is nested too deeply"),
        ("columns: &x {a: {type: number}}\ntasks: *x\n", 2, "tasks: uses an alias"),
    ],
)
def test_a_page_that_is_no_job(text: str, line: int | None, words: str, tmp_path: Path) -> None:
    faults = faults_of(text, tmp_path)
    where = f"job.yaml:{line}: " if line else "job.yaml: "
    assert any(fault.startswith(where) and words in fault for fault in faults), faults


def test_everything_that_a_job_needs_is_named_when_it_is_missing(tmp_path: Path) -> None:
    faults = faults_of("seed: 1\n", tmp_path)
    named = {re.match(r"job.yaml: (\w+): is missing", fault)[1] for fault in faults}
    assert named == {"table", "split", "columns", "tasks"}


def test_a_job_without_inputs_or_tasks_is_refused() -> None:
    job = {
        "table": "t.csv",
        "split": {"by": "g"},
        "columns": {"g": {"type": "group"}},
        "tasks": {},
    }
    with pytest.raises(JobError) as caught:
        load_job(job)
    said = str(caught.value).splitlines()
    assert said[0].startswith("job: columns: must name at least one input")
    assert said[1].startswith("job: tasks: must hold at least one task")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.yaml", None, "no such file. Did you mean 'other.yaml'?"),
        ("parts.csv", b"a,b\n", "is a table, not a job; `modalloy init"),
        ("binary.yaml", b"\xff\xfe\x00", "is not text in UTF-8"),
        ("long.yaml", b"#" * 1_000_001, "is too large for a job file"),
    ],
)
def test_a_file_that_cannot_be_a_job(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    (tmp_path / "other.yaml").write_text("x")
    if name == "missing.yaml":
        name = "oter.yaml"
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(JobError, match=re.escape(words)):
        load_job(tmp_path / name)


def test_a_folder_is_no_job(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="is a folder"):
        load_job(tmp_path)


def test_names_in_keys_stay_as_written(tmp_path: Path) -> None:
    text = GOOD.replace("load: {type", "010: {type").replace("tags, on", "no, on")
    (tmp_path / "job.yaml").write_text(text)
    job = load_job(tmp_path / "job.yaml")
    assert "010" in job.columns
    assert job.tasks["spans"].target == "no"


def test_the_table_starts_at_the_job_files_folder(tmp_path: Path) -> None:
    assert absolute("../a.csv", tmp_path / "jobs") == str(tmp_path / "a.csv")
    assert absolute("/x/a.csv", tmp_path) == "/x/a.csv"
    query = "?select * from a where b = 'c/d'"
    assert absolute(f"sqlite:///a.db{query}", Path("/q")) == f"sqlite:////q/a.db{query}"
    assert absolute(f"sqlite:////z/a.db{query}", Path("/q")) == f"sqlite:////z/a.db{query}"


@pytest.mark.parametrize("read", [False, True], ids=["dictionary", "job"])
def test_a_job_names_the_table_that_is_given_beside_it(read: bool, job_dict: Any) -> None:
    old: Any = job_dict("old.xlsx") | {"sheet": "Lab"}
    old = load_job(old) if read else old
    sqlite = absolute("sqlite:///a.db?p", Path())
    for table, name, sheet in (
        (object(), FRAME, None),
        ("new.csv", absolute("new.csv", Path()), None),
        (Path("new.XLSX"), absolute("new.XLSX", Path()), "Lab"),
        (SimpleNamespace(source="sqlite:///a.db?p", sheet=None), sqlite, None),
        (SimpleNamespace(source="b.xlsx", sheet="New"), absolute("b.xlsx", Path()), "New"),
        (SimpleNamespace(source=FRAME, sheet=None), FRAME, None),
        (pd.DataFrame({"source": ["x"]}), FRAME, None),
    ):
        job = load_job(old, table=table)
        assert (job.table, job.sheet) == (name, sheet)


def test_a_table_given_beside_the_job(tmp_path: Path, job_dict: Any) -> None:
    plain = job_dict("unused")
    del plain["table"]
    assert load_job(plain, table=object()).table == FRAME
    assert load_job(plain, table=tmp_path / "a.csv").table == str(tmp_path / "a.csv")
    job = load_job(plain, table=object())
    assert load_job(job, table=tmp_path / "b.csv").table == str(tmp_path / "b.csv")
    assert load_job(job) is job
    with pytest.raises(JobError, match="table: is missing"):
        load_job(plain)


def test_saved_jobs_are_the_same_and_spell_out_every_default(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(GOOD)
    job = load_job(tmp_path / "job.yaml")
    save_job(job, tmp_path / "saved.yaml")
    assert load_job(tmp_path / "saved.yaml") == job
    text = (tmp_path / "saved.yaml").read_text()
    assert "weight_decay: 0.01" in text
    assert "from:" in text


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
AWKWARD = ("no", "3e-4", "010", "~", "null", "a: b", "#x", " x ", "'", "-", "1_0", "=", "true")
HARD = st.sampled_from((*AWKWARD, "<<", "2024-01-01", "*a", "{", "%", "x\u2028y", "\ufeffa"))


@given(name=WORDS | HARD, target=WORDS | HARD, unit=WORDS | HARD, lr=st.floats(1e-30, 1e30))
def test_any_names_survive_saving(name: str, target: str, unit: str, lr: float) -> None:
    data = {
        "table": "/t/parts.csv",
        "split": {"column": "side"},
        "columns": {"c" + name: {"type": "number", "unit": unit}},
        "tasks": {name: {"type": "classify", "target": "t" + target}},
        "train": {"lr": lr},
    }
    if name == target and data["columns"].keys() & {"t" + target}:
        return
    job = load_job(data)
    assert load_job(job_text(job)) == job


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | HARD
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)


def places_in(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into nested dictionaries and lists."""
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    found = []
    for key, value in inner:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places_in(value, (*path, key))
    return found


@given(where=st.integers(0, 999), what=ANYTHING, extra=st.dictionaries(WORDS, ANYTHING, max_size=2))
def test_whatever_stands_in_a_job_gives_a_job_or_a_sentence(
    where: int, what: Any, extra: dict[str, Any]
) -> None:
    data = read_page(GOOD).data
    paths = places_in(data)
    *above, last = paths[where % len(paths)]
    spot = data
    for key in above:
        spot = spot[key]
    spot[last] = what
    if isinstance(spot, dict):
        spot |= extra
    try:
        job = load_job(data)
    except JobError as error:
        for line in str(error).splitlines():
            assert line.startswith("job: "), line
            assert line.endswith((".", "?")), line
    else:
        assert load_job(job_text(job)) == job


@given(text=st.text(max_size=80) | st.sampled_from(GOOD.splitlines()).map(lambda t: t + "\n:"))
def test_whatever_text_gives_a_job_or_a_sentence(text: str) -> None:
    with pytest.raises(JobError):
        load_job(text + "\n")


def table_with(*columns: str) -> SimpleNamespace:
    """What `check_against` asks of a table."""
    return SimpleNamespace(columns=list(columns), source="/data/parts.parquet")


def test_every_column_that_the_table_lacks_is_named_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(changed("test: 0.2", "test: 0.3"))
    job = load_job(path)
    table = table_with("machin", "photo", "words", "ax", "speed", "load", "code", "tags", "hours")
    with pytest.raises(JobError) as caught:
        check_against(job, table, source=path)
    said = str(caught.value).replace(str(tmp_path) + "/", "").splitlines()
    assert said == [
        "job.yaml:2: split.by: parts.parquet has no column 'machine'. Did you mean 'machin'?",
        "job.yaml:7: columns.shake.from: parts.parquet has no column 'ay'. It has machin, "
        "photo, words, ax, speed, load, code, tags, hours.",
        "job.yaml:15: tasks.spots.target: parts.parquet has no column 'boxes'. It has machin, "
        "photo, words, ax, speed, load, code, tags, hours.",
    ]


def test_a_table_with_all_columns_passes(small_table: Path, job_dict: Any) -> None:
    import pyarrow.parquet as pq

    names = pq.read_schema(small_table).names
    job = load_job(job_dict(small_table))
    check_against(job, table_with(*names))
    job = load_job(job_dict(small_table, split={"column": "side"}))
    with pytest.raises(JobError, match=r"job: split\.column: parts\.parquet has no column 'side'"):
        check_against(job, table_with(*names))


def test_history_and_labels_are_columns_of_the_table() -> None:
    data = {
        "table": "t",
        "split": {"time": "when"},
        "columns": {
            "photo": {"type": "image"},
            "past": {
                "type": "series",
                "from": ["a"],
                "history": {"by": ["unit", "run"], "order": "cycle"},
            },
        },
        "tasks": {"b": {"type": "locate", "target": "boxes", "labels": "names", "on": "photo"}},
    }
    with pytest.raises(JobError) as caught:
        check_against(load_job(data), table_with("zzz"))
    missing = re.findall(r"has no column '(\w+)'", str(caught.value))
    assert sorted(missing) == sorted(
        ["when", "photo", "a", "unit", "run", "cycle", "boxes", "names"]
    )
