"""Whatever a bundle says in JSON of itself, it loads and answers, or one sentence says why not."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import onnx_bytes
from golden_rows import BUNDLE
from modalloy.answer.engines import engine_for
from modalloy.bundle.archive import Archive
from modalloy.bundle.bundled import ABSENT, load_bundle
from modalloy.bundle.golden_note import GOLDEN, NOTE, golden_note
from modalloy.bundle.told import BRANCHES, JOB, MACHINE, ORIGIN, SCHEMA
from modalloy.bundle.write import write_bundle
from modalloy.errors import BundleError, RunError
from modalloy.machine.fingerprint import fingerprint

TIMES = 12  # 120 of each were tried once
AT = datetime(2026, 11, 30, tzinfo=UTC)
ODDITIES: tuple[Any, ...] = (None, "", "x", -1, 0, 1.5, 10**12, True, [], {}, [[]], {"a": None})
Data = dict[str, Any]


@pytest.fixture(scope="module")
def whole() -> tuple[dict[str, bytes], Data]:
    """The parts and the notes of a bundle that answers."""
    archive = Archive.open(BUNDLE)
    parts = {name: archive.read(name) for name in archive.names}
    return parts, json.loads(json.dumps(archive.manifest.notes))


def opened(path: Path, parts: dict[str, bytes], notes: Data) -> str:
    """Writes a bundle and opens it to answer: what it says against it, nothing if it is sound."""
    write_bundle(path, parts, notes, created=AT)
    said = ""
    try:
        engine_for(load_bundle(path), device="cpu", threads=1)
    except (BundleError, RunError) as error:
        said = str(error)
    assert "\n" not in said
    return said


def spots(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in nested data: what holds it, and its key."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(pairs):
        yield data, key
        if isinstance(value, dict | list):
            yield from spots(value)


LACKS: list[tuple[str, Callable[[Data], Any], str]] = [
    ("notes", lambda d: d.pop(BRANCHES), "branches: Field required"),
    ("notes", lambda d: d[BRANCHES].pop(), "lacks the graph of 'fusion and heads'"),
    ("notes", lambda d: d[BRANCHES].pop(1), "lacks the graph of 'spectrum'"),
    ("notes", lambda d: d[BRANCHES][0].update(variants=[]), "no way to be computed"),
    ("notes", lambda d: d[BRANCHES][0]["inputs"]["number"].update(dtype="object"), "takes object"),
    ("notes", lambda d: d.update({MACHINE: "here"}), "machine"),
    ("notes", lambda d: d[MACHINE].pop("flags"), "machine.flags"),
    (ORIGIN, lambda d: d.pop("format"), "format: Field required"),
    (ORIGIN, lambda d: d.update(format=99), "upgrade modalloy"),
    (ORIGIN, lambda d: d.pop("parent"), "parent: Field required"),
    (ORIGIN, lambda d: d.pop("sha256"), "sha256: Field required"),
    (ORIGIN, lambda d: d.pop("notes"), "notes: Field required"),
    (SCHEMA, lambda d: d.pop("readers"), "readers: Field required"),
    (SCHEMA, lambda d: d.update(targets=[]), "targets: Input should be"),
    (SCHEMA, lambda d: d["targets"].pop("life"), "lacks what the task answers, 'life'"),
    (SCHEMA, lambda d: d["targets"].update(more=d["targets"]["life"]), "lacks the task 'more'"),
    (JOB, lambda d: d.pop("tasks"), "tasks"),
]


@pytest.mark.parametrize(("name", "change", "said"), LACKS)
def test_what_it_lacks_is_said(
    name: str,
    change: Callable[[Data], Any],
    said: str,
    whole: tuple[dict[str, bytes], Data],
    tmp_path: Path,
) -> None:
    parts, notes = dict(whole[0]), copy.deepcopy(whole[1])
    data = notes if name == "notes" else json.loads(parts[name])
    change(data)
    if name != "notes":
        parts[name] = json.dumps(data).encode()
    assert said in opened(tmp_path / "m.zip", parts, notes)


@pytest.mark.parametrize("name", ["notes", ORIGIN, SCHEMA, JOB])
def test_any_change_of_what_it_says(
    name: str, whole: tuple[dict[str, bytes], Data], tmp_path: Path
) -> None:
    """Somewhere a value is another one, or is gone; with a seed, some of each part."""
    dice, refused = random.Random(name), 0
    for _ in range(TIMES):
        parts, notes = dict(whole[0]), copy.deepcopy(whole[1])
        data = notes if name == "notes" else json.loads(parts[name])
        holder, key = dice.choice(list(spots(data)))
        if dice.random() < 0.4:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(dice.choice(ODDITIES))
        if name != "notes":
            parts[name] = json.dumps(data).encode()
        refused += bool(opened(tmp_path / "m.zip", parts, notes))
    assert refused > 0


def test_vectors_and_golden_rows_that_are_none(
    whole: tuple[dict[str, bytes], Data], tmp_path: Path
) -> None:
    from safetensors.numpy import save

    parts, notes = dict(whole[0]), copy.deepcopy(whole[1])
    for odd in ({}, {"0": np.zeros((2, 2), np.float32)}, {"0": np.zeros(8, np.int64)}):
        changed = parts | {ABSENT: save(odd)}
        assert "missing cell of 'spectrum'" in opened(tmp_path / "m.zip", changed, notes)
    notes[MACHINE]["flags"] = ["another"]
    for key in ("value/9/x", "said/9/x", "said/0/x", "none"):
        changed = parts | {GOLDEN: save({key: np.zeros(3, np.float32), "said/0/y": np.zeros(3)})}
        assert "does not fit together" in opened(tmp_path / "m.zip", changed, notes)
    rows = {f"present/{m}": np.ones((3, 3) if m == 0 else 3, bool) for m in (0, 1)}
    changed = parts | {GOLDEN: save({**rows, "said/0/logits": np.zeros((3, 2), np.float32)})}
    assert "golden rows cannot be answered" in opened(tmp_path / "m.zip", changed, notes)


def test_a_graph_under_another_ending_is_refused(
    whole: tuple[dict[str, bytes], Data], tmp_path: Path
) -> None:
    """Engines look at what is in a file: `0.weights` would be parsed as ONNX, unlooked at."""
    from onnx import TensorProto, load_from_string

    secret = tmp_path / "secret"
    secret.write_bytes(bytes(8))
    model = load_from_string(onnx_bytes())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", str(secret)
    parts, notes = dict(whole[0]), copy.deepcopy(whole[1])
    parts |= {"graphs/0.weights": model.SerializeToString(), "graphs/0.bin": bytes(8)}
    cases: list[tuple[str, list[str]]] = [
        ("openvino", ["graphs/0.weights"]),
        ("onnxruntime", ["graphs/0.weights"]),
        ("openvino", ["graphs/0.onnx", "graphs/0.bin"]),
        ("openvino", ["graphs/0.weights", "graphs/0.bin"]),
        ("onnxruntime", ["graphs/none.onnx"]),
        ("onnxruntime", [str(secret)]),
        ("onnxruntime", []),
    ]
    for engine, files in cases:
        variant = {"engine": engine, "files": files, "precision": "f32"}
        notes[BRANCHES][0]["variants"] = [variant]
        assert "Do not use this bundle" in opened(tmp_path / "m.zip", parts, notes), files
    notes[BRANCHES][0]["variants"] = [{"engine": "other", "files": ["graphs/0.onnx"]}]
    assert "upgrade modalloy" in opened(tmp_path / "m.zip", parts, notes)
    notes[BRANCHES][0]["variants"] = whole[1][BRANCHES][0]["variants"]
    with_external = parts | {"graphs/0.onnx": parts["graphs/0.weights"]}
    with pytest.raises(BundleError, match="external data"):
        write_bundle(tmp_path / "n.zip", with_external, notes, created=AT)


def test_golden_rows_are_asked_off_the_processor_and_their_lack_is_said(
    whole: tuple[dict[str, bytes], Data], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modalloy.answer import engines

    parts, notes = dict(whole[0]), copy.deepcopy(whole[1])
    notes[MACHINE] = fingerprint().state()
    real, device = engines.open_session, "cpu"
    asked: list[bool] = []

    def elsewhere(*args: Any, **more: Any) -> Any:
        session = real(*args, **more)
        session.device = device
        return session

    monkeypatch.setattr(engines, "open_session", elsewhere)
    monkeypatch.setattr(engines, "strange", lambda *a, **k: asked.append(True) or [])
    write_bundle(tmp_path / "m.zip", parts, notes, created=AT)
    assert engine_for(load_bundle(tmp_path / "m.zip"), device="cpu").caveats == ()
    assert asked == []
    device = "gpu"
    assert engine_for(load_bundle(tmp_path / "m.zip"), device="cpu").caveats == ()
    assert asked == [True]
    del parts[GOLDEN]
    notes |= golden_note(0, asked=True)
    write_bundle(tmp_path / "m.zip", parts, notes, created=AT)
    engine = engine_for(load_bundle(tmp_path / "m.zip"), device="cpu")
    (said,) = engine.caveats
    assert "holds no rows to compare by (they were left out when it was exported" in said
    device = "cpu"
    engine = engine_for(load_bundle(tmp_path / "m.zip"), device="cpu")
    assert engine.caveats == ()
    (said,) = engine.notes
    assert "m.zip holds no golden rows (they were left out when it was exported" in said


def test_golden_rows_that_were_removed_are_missed_on_any_machine(
    whole: tuple[dict[str, bytes], Data], tmp_path: Path
) -> None:
    """Even where whoever removed them has written the manifest anew."""
    parts, notes = dict(whole[0]), copy.deepcopy(whole[1])
    notes[MACHINE] = fingerprint().state()
    assert opened(tmp_path / "m.zip", parts, notes) == ""
    assert opened(tmp_path / "m.zip", parts, notes | golden_note(48, asked=False)) == ""
    less = {name: data for name, data in parts.items() if name != GOLDEN}
    for told in ({}, golden_note(48, asked=False)):
        said = opened(tmp_path / "m.zip", less, notes | told)
        assert "lacks golden.safetensors" in said
        assert "somebody has removed them" in said
    for asked in (True, False):
        none = golden_note(0, asked=asked)
        assert opened(tmp_path / "m.zip", less, notes | none) == ""
        assert "and holds some" in opened(tmp_path / "m.zip", parts, notes | none)
    for odd in ({"rows": 3, "without": "asked"}, {"rows": 0, "without": None}, {"rows": -1}, 7):
        assert opened(tmp_path / "m.zip", less, notes | {NOTE: odd})


def test_golden_rows_that_were_emptied_are_missed_where_they_are_asked(
    whole: tuple[dict[str, bytes], Data], tmp_path: Path
) -> None:
    from safetensors.numpy import save

    parts, notes = dict(whole[0]), copy.deepcopy(whole[1])
    notes[MACHINE]["flags"] = ["another"]
    empty = parts | {GOLDEN: save({})}
    said = opened(tmp_path / "m.zip", empty, notes | golden_note(48, asked=False))
    assert "golden.safetensors holds no rows, and the manifest says 48" in said
