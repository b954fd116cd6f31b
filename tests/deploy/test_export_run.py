"""`export`: a bundle answers as its run does, and is written only where it decides alike."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load, save

import modalloy as ma
from conftest import write_table
from exported import Made, buying, whole
from in_engines import quick_export
from modalloy import runtime
from modalloy.answer import engines
from modalloy.answer.engines import engine_for
from modalloy.answer.predictor import Predictor
from modalloy.bundle.bundled import Bundle, load_bundle, say_parity
from modalloy.bundle.golden_note import GOLDEN
from modalloy.commands.terminal import notes_in
from modalloy.deploy.export_rows import example_of, rows_of
from modalloy.deploy.export_run import export_run, exported, judge
from modalloy.deploy.parity_page import page_beside
from modalloy.errors import BundleError, JobError, RunError, TableError
from modalloy.graphs.branch import FUSION
from modalloy.report.rescore import given_rows
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from untrained import untrained

CLOSE = 1e-4


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    """All graphs of this file are written with the exporter's translations read once."""
    with quick_export():
        yield


@pytest.fixture(scope="module")
def made() -> Made:
    return whole()


@pytest.fixture(scope="module")
def bundle(made: Made) -> Path:
    return made.bundle("model.zip")


def same(found: pd.DataFrame, wanted: pd.DataFrame, *, notes: int = 0) -> None:
    """Raise AssertionError where two frames of answers are not the same but for rounding.

    A threshold is some row's own score: one row's set may be another one, with what hangs on it.
    notes: that are told of the first one alone, behind all others.
    """
    numbers = wanted.select_dtypes("number").columns
    scale = wanted[numbers].abs().max().clip(lower=1.0)
    pd.testing.assert_frame_equal(found[numbers] / scale, wanted[numbers] / scale, atol=CLOSE)
    others = wanted.columns.difference(numbers)
    by_set = [n for n in others if n.endswith((".set", ".abstain"))]
    for name in by_set:
        assert (found[name] != wanted[name]).sum() <= 1, name
    others = others.difference(by_set)
    pd.testing.assert_frame_equal(found[others], wanted[others])
    assert list(found) == list(wanted)
    told = found.attrs["notes"][: len(found.attrs["notes"]) - notes]
    assert found.attrs | {"notes": told} == wanted.attrs


def test_a_bundle_answers_as_its_run(made: Made, bundle: Path, tmp_path: Path) -> None:
    wanted = ma.predict(made.run, made.table, quiet=True)
    assert {"fault.set", "fault.decision", "life.low", "unlike"} <= set(wanted)
    found = ma.predict(bundle, made.table, quiet=True)
    same(found, wanted)
    for row in (3, 11, 19, 20):  # without a photo, a note, with both
        one = ma.predict(bundle, made.table, rows=slice(row, row + 1), quiet=True)
        same(one.reset_index(drop=True), found.iloc[[row]].reset_index(drop=True))
    less = pd.read_parquet(made.table).drop(columns=["photo", "site"])
    less.to_parquet(made.table.parent / "less.parquet")
    less_of = [ma.predict(m, made.table.parent / "less.parquet") for m in (bundle, made.run)]
    same(*less_of)


def test_a_bundle_is_scored_as_its_run(made: Made, bundle: Path, tmp_path: Path) -> None:
    few = made.table.parent / "few.parquet"
    pd.read_parquet(made.table).head(40).to_parquet(few)
    wanted = ma.evaluate(made.run, few, out=tmp_path / "run.html", quiet=True)
    found = ma.evaluate(bundle, few, quiet=True)
    for task in ("fault", "life"):
        for figure, value in wanted.tasks[task].items():
            if figure != "interval":
                assert found.tasks[task][figure] == pytest.approx(value, rel=1e-3, abs=1e-4)
    assert found.subsets.keys() == wanted.subsets.keys()
    assert found.environment["network"] == "graphs of a bundle"
    assert (made.folder / "model-evaluated.html").is_file()
    with pytest.raises(RunError, match="has no test rows of its own; give a table"):
        ma.evaluate(bundle)


def test_a_policy_buys_in_a_bundle_what_it_buys_in_its_run(made: Made) -> None:
    run = buying()
    path = made.bundle("buying.zip", run)
    wanted, found = (ma.predict(m, made.table, quiet=True) for m in (run, path))
    assert len(wanted["bought"].unique()) > 1
    same(found, wanted)


def test_the_gate_lets_exact_graphs_pass_by_every_way(made: Made, tmp_path: Path) -> None:
    found = judge(Predictor(made.run), made.graphs, made.rows, tmp_path / "model.zip")
    assert [one.label for one in found] == ["openvino f32", "onnxruntime f32"]
    assert all(one.fine and not one.differences for one in found)
    assert list(found[0].verdicts) == ["fault", "life", "unlike"]
    hidden = 1 + len(("table", "photo", "note"))  # each row as it is, and with each input hidden
    assert len(found[0].verdicts["fault"].compared.same_B) == hidden * len(made.rows.which)


def test_the_gate_refuses_graphs_of_other_weights(made: Made, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    branch = made.graphs.branches[FUSION]
    name = branch.variants[-1].files[0]
    model = onnx.load_from_string(made.graphs.files[name])
    for tensor in model.graph.initializer:
        x = numpy_helper.to_array(tensor)
        if x.dtype == np.float32 and x.ndim == 2:
            tensor.CopyFrom(numpy_helper.from_array(-x, tensor.name))
    files = {**made.graphs.files, name: model.SerializeToString()}
    wrong = replace(made.graphs, files=files)
    out = tmp_path / "model.zip"
    with pytest.raises(
        BundleError, match="onnxruntime f32 does not decide as the run does"
    ) as told:
        judge(Predictor(made.run), wrong, made.rows, out)
    page = page_beside(out)
    assert str(page) in str(told.value)
    assert list(tmp_path.iterdir()) == [page]
    text = page.read_text()
    assert "Rows that onnxruntime f32 decides otherwise" in text
    assert "Rows that openvino f32" not in text
    for column in ("photo", "note", "load", "site"):
        assert f">{column}</th>" in text
    assert "img/" in text


def test_golden_rows_are_asked_on_a_machine_of_another_kind(
    made: Made, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = engines.fingerprint()
    other = replace(here, flags=("sse",), processor="another")
    own = load_bundle(bundle)
    asked: list[int] = []
    strange = engines.strange

    def counted(engine: Any, golden: Any, *, first: bool) -> list[str]:
        asked.append(len(golden.given))
        return strange(engine, golden, first=first)

    monkeypatch.setattr(engines, "strange", counted)
    engine_for(own)
    assert asked == []  # nothing is asked where it was made
    monkeypatch.setattr(engines, "fingerprint", lambda: other)
    engine_for(own)
    assert asked == [len(made.rows.which)]


def test_where_golden_rows_are_answered_otherwise_the_next_variant_answers_or_none(
    made: Made, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_bundle(bundle)
    here = engines.fingerprint()
    monkeypatch.setattr(engines, "fingerprint", lambda: replace(here, flags=("sse",)))
    said = iter([["task 'fault' decides 9 of 20 rows otherwise"], []])
    monkeypatch.setattr(engines, "strange", lambda *_, **__: next(said))
    engine: Any = engine_for(own)
    labels = {b.variants[0].label for b in engine.branches.values()}
    assert labels == {"onnxruntime f32"}
    monkeypatch.setattr(engines, "strange", lambda *_, **__: ["task 'fault' decides 9 of 20 rows"])
    with pytest.raises(
        BundleError, match="does not answer here as where it was made: task 'fault'"
    ):
        engine_for(own)


def test_golden_rows_lie_in_the_bundle(made: Made, bundle: Path) -> None:
    from modalloy.answer.golden_rows import golden_from, strange

    own = load_bundle(bundle)
    engine = engine_for(own)
    golden = golden_from(own.part(GOLDEN), engine)
    assert golden is not None
    assert len(golden.given) == min(64, len(made.rows.which))
    assert strange(engine, golden) == []
    assert strange(engine, golden, first=False) == []
    wrong = {t: {k: -x for k, x in own.items()} for t, own in golden.said.items()}
    for first, other in ((True, golden._replace(said=wrong)), (False, golden._replace(run=wrong))):
        found = strange(engine, other, first=first)
        assert [line.split(" decides ")[0] for line in found] == ["task 'fault'", "task 'life'"]
        assert strange(engine, other, first=not first) == []


def test_verbs_that_learn_or_look_inside_refuse_a_bundle(made: Made, bundle: Path) -> None:
    for verb in (ma.explain, ma.adapt, ma.harden, ma.calibrate, ma.economize):
        with pytest.raises(RunError, match="needs the run that it was exported from"):
            verb(bundle, made.table)
    with pytest.raises(RunError, match="needs the run that it was exported from"):
        ma.search(bundle, made.table, row=1)
    own = load_bundle(bundle)
    for look in (own.model, own.body):
        with pytest.raises(BundleError, match="needs the run that it was exported from"):
            look()
    with pytest.raises(BundleError, match="cannot be looked into"):
        ma.explain(own, made.table, row=0)
    with pytest.raises(JobError, match="leave --adapter out"):
        ma.predict(bundle, made.table, adapter="line3")


def test_devices_that_are_not_here_are_refused_with_those_that_are(
    made: Made, bundle: Path
) -> None:
    found = ma.predict(bundle, made.table, device="cpu", quiet=True)
    same(found, ma.predict(bundle, made.table, device="auto", quiet=True))
    with pytest.raises(
        BundleError, match=r"device 'npu' is not here. This machine has openvino: cpu"
    ):
        ma.predict(bundle, made.table, device="npu")
    with pytest.raises(BundleError, match="device 'tpu' is none; it is one of auto, cpu, gpu, npu"):
        ma.predict(made.run, made.table, device="tpu")


def test_a_run_is_opened_on_the_device_that_is_asked_for(small: Run) -> None:
    opened = runtime.open(small.path, device="CPU")
    assert opened.model.device.type == "cpu"
    with pytest.raises(BundleError, match="device 'npu' is not here"):
        runtime.open(small.path, device="NPU")


def test_a_torch_bundle_keeps_the_network_itself(made: Made, tmp_path: Path) -> None:
    found = export_run(made.run, tmp_path / "folder", backend="torch")
    assert isinstance(found, Bundle)
    assert "model.safetensors" in found.sealed
    assert not any(name.startswith("graphs/") for name in found.sealed)
    same(*(ma.predict(m, made.table, quiet=True) for m in (tmp_path / "folder", made.run)))
    assert found.archive is not None
    gate = found.archive.manifest.notes["parity"]["torch f32"]
    assert gate["tasks"]["fault"]["same"] == 1.0


def test_a_torch_bundle_of_other_weights_is_not_written(small: Run, tmp_path: Path) -> None:
    predictor = Predictor(small)
    rows = rows_of(predictor, None)
    graphs = exported(predictor, rows, "torch")
    assert judge(predictor, graphs, rows, tmp_path / "model.zip")[0].fine
    assert graphs.weights is not None
    other = save({n: -x if x.is_floating_point() else x for n, x in load(graphs.weights).items()})
    with pytest.raises(BundleError, match="because torch f32 does not decide as the run does"):
        judge(predictor, replace(graphs, weights=other), rows, tmp_path / "model.zip")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("small")
    return untrained(folder / "run", write_table(folder), steps=3)


def test_export_signs_writes_a_servers_folder_and_says_how_it_was_judged(
    small: Run, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization as kinds
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(kinds.Encoding.PEM, kinds.PrivateFormat.PKCS8, kinds.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    public = key.public_key().public_bytes(
        kinds.Encoding.PEM, kinds.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "key.pub").write_bytes(public)
    given = {"sign": tmp_path / "key.pem", "server": "triton", "quiet": True}
    made = ma.export(small, tmp_path / "model.zip", **given)
    assert made.archive is not None
    assert made.archive.signed_by is not None
    told = made.archive.manifest.notes["parity"]["onnxruntime f32"]
    assert (told["rows"], told["which"]) == (len(small.prints().validation), "validation rows")
    assert told["tasks"]["fault"] == {"same": 1.0, "largest_margin": 0.0}
    found = ma.predict(tmp_path / "model.zip", small.job.table, trust=tmp_path / "key.pub")
    same(found, ma.predict(small, small.job.table))
    server = tmp_path / "model-triton"
    assert {p.name for p in server.iterdir()} == {"graph_0", "graph_1", "graphs.json"}
    told = json.loads((server / "graphs.json").read_text())
    assert [t["graph"] for t in told.values()] == ["table", "fusion and heads"]
    again = ma.export(small, tmp_path / "model.zip", **given, without_rows=True)
    assert (server / "graphs.json").is_file()
    assert GOLDEN not in again.sealed
    assert again.archive is not None
    assert again.archive.manifest.notes["golden"] == {"rows": 0, "without": "asked"}
    assert "holds no golden rows (they were left out" in say_parity(again)[-1]
    frame = ma.predict(tmp_path / "model.zip", small.job.table, quiet=True)
    assert "model.zip holds no golden rows" in frame.attrs["notes"][-1]
    same(frame, ma.predict(small, small.job.table), notes=1)
    written = ma.predict_into(again, small.job.table, tmp_path / "answers.parquet", quiet=True)
    assert written.notes == frame.attrs["notes"]
    _, _, extras = given_rows(Predictor(again), open_table(small.job.table))
    assert frame.attrs["notes"][-1:] == notes_in(extras.findings)[-1:]


def test_what_cannot_be_exported_gets_a_sentence(
    small: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model.zip"
    kind: Any = "tensorrt"
    with pytest.raises(JobError, match="backend 'tensorrt' is none; it is one of onnx, openvino"):
        ma.export(small, out, backend=kind)
    with pytest.raises(JobError, match="server 'ovms' is none for the backend onnx"):
        ma.export(small, out, server=kind and "ovms")
    with pytest.raises(RunError, match="was pretrained without labels"):
        ma.export(replace(small, kind="pretrained"), out)
    (tmp_path / "notes.zip").write_text("no bundle")
    with pytest.raises(BundleError, match="is not overwritten"):
        ma.export(small, tmp_path / "notes.zip")
    gone = small.job.model_copy(update={"table": str(tmp_path / "gone.parquet")})
    with pytest.raises(RunError, match=r"its own table cannot be opened.*--table FILE"):
        ma.export(replace(small, job=gone), out)
    frame = small.job.model_copy(update={"table": "<frame>"})
    with pytest.raises(RunError, match="on a frame in memory; give rows like those"):
        ma.export(replace(small, job=frame), out)
    other = pd.read_parquet(small.job.table).assign(load=1.0)
    other.to_parquet(tmp_path / "other.parquet")
    changed = small.job.model_copy(update={"table": str(tmp_path / "other.parquet")})
    with pytest.raises(RunError, match="no longer holds the rows"):
        ma.export(replace(small, job=changed), out)
    from modalloy.machine import imports

    monkeypatch.setattr(imports, "find_spec", lambda module: None)
    with pytest.raises(JobError, match=r"needs onnx; run: pip install 'modalloy\[export\]'"):
        ma.export(small, out)
    assert not out.exists()


def test_rows_without_an_input_cannot_trace_it(made: Made) -> None:
    frame = pd.read_parquet(made.table).head(30)
    frame["photo"] = None
    with pytest.raises(
        TableError, match="fewer than 2 of its first 30 rows have a readable 'photo'"
    ):
        example_of(made.run, open_table(frame))
    example = example_of(made.run, open_table(made.table))
    assert all(p.sum(axis=0).min() >= 1 for p in example.present.values())
    assert example.present["photo"].sum() >= 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"backend": "tensorrt"}, "backend 'tensorrt' is none"),
        ({"sign": "no.pem"}, "no.pem: cannot be read"),
        ({"server": "ray"}, "server 'ray' is none"),
    ],
)
def test_wrong_options_are_said_before_a_run_is_read(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises((BundleError, JobError), match=said):
        ma.export(tmp_path / "no run", tmp_path / "b.zip", **asked)
