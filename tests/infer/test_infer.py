"""Drafts are what a sensible engineer would write, and their job files are valid as they are."""

import string
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from drafts import N, draft_of, valid
from modalloy.errors import TableError
from modalloy.infer.infer import infer, job_yaml
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

# --- a whole table -------------------------------------------------------------------------------


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
    monkeypatch.setattr("modalloy.infer.guessed.find_spec", lambda name: name)
    found = valid(infer(table, ["fault_code"])).columns
    names = [found[c].encoder for c in ("photo", "sound", "note")]
    assert names == ["efficientnet_lite0", "whisper_tiny_en", "minilm"]
    monkeypatch.setattr("modalloy.infer.guessed.find_spec", lambda name: None)
    found = valid(infer(table, ["fault_code"])).columns
    assert [found[c].encoder for c in ("photo", "sound", "note")] == ["scratch"] * 3


def plain(default: Any) -> Any:
    """A default as YAML holds it."""
    return default.model_dump() if isinstance(default, config.Options) else default


def test_every_default_of_what_was_inferred_stands_once_as_a_comment(small_table: Path) -> None:
    draft = infer(open_table(small_table), ["fault_code", "hours_left", "tags", "boxes"])
    text = job_yaml(draft, "t.parquet")
    job = valid(draft)
    groups = {"split": job.split}
    groups |= {o.type: o for o in (*job.columns.values(), *job.tasks.values())}
    for kind, group in groups.items():
        told = [x for x in text.splitlines() if x.strip().startswith(f"# defaults of {kind}: ")]
        fields = {f.alias or n: f for n, f in type(group).model_fields.items() if n != "type"}
        wanted = {n: plain(f.default) for n, f in fields.items() if not f.is_required()}
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


# --- any table -----------------------------------------------------------------------------------

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


@pytest.mark.parametrize("shortest", [3, 30, 100])
def test_channels_of_several_lengths_are_said_from_the_shortest_to_the_longest(
    shortest: int,
) -> None:
    lists = [list(map(float, range(shortest if i % 2 else 300))) for i in range(N)]
    columns = {"shake_x": lists, "shake_y": lists, "y": [float(i) for i in range(N)]}
    reason = draft_of(columns, "y").columns["shake"].reason
    assert f"2 columns with lists of {shortest}-300 numbers" in reason


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
