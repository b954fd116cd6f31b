"""Every fusion and every head as graphs: ONNX Runtime and OpenVINO answer as the modules do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from conftest import COLUMNS, make_job, write_table
from in_engines import answers_alike, quick_onnx, sessions_of
from modalloy.answer.graph_engine import GraphEngine
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.torch_engine import TorchEngine
from modalloy.deploy.modules import arrays_of
from modalloy.deploy.onnx_graphs import Graph, graphs_of, heads_graph
from modalloy.graphs.branch import Branch, Variant
from modalloy.graphs.session import Session
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.encoders import text
from modalloy.model.model import Model
from modalloy.model.tasks import set_decoder
from modalloy.model.tokens import Batch, Tokens
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

FUSIONS: dict[str, dict[str, Any]] = {
    "concat": {},
    "sum": {},
    "multilinear": {"rank": 4},
    "gated": {},
    "attention": {"heads": 2, "layers": 1},
    "bottleneck": {"heads": 2},
    "tabm": {"members": 3},
}
FEW: dict[str, dict[str, Any]] = {
    "fault": {"type": "classify", "target": "fault_code"},
    "life": {"type": "regress", "target": "hours_left", "quantiles": [0.1, 0.5, 0.9]},
}
PHOTO = {"type": "image", "pixels": 16, "augment": "none"}
BOXES = {"type": "locate", "target": "boxes", "labels": "box_names", "on": "photo"}
EVERY: dict[str, dict[str, Any]] = FEW | {
    "level": {"type": "regress", "target": "hours_left"},
    "many": {"type": "classify", "target": "labels", "labels": "multi"},
    "parts": {"type": "tag", "target": "tags", "on": "words"},
    "spots": BOXES,
    "beside": BOXES | {"template": "good"},
    "sets": BOXES | {"head": "detr", "queries": 6},
}
SEEN = {
    "photo": PHOTO,
    "good": PHOTO,
    "words": {"type": "tokens", "max_tokens": 16, "vocabulary": 128},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small table with a template picture and labels beside its other columns."""
    path = write_table(tmp_path_factory.mktemp("table"), rows=40)
    frame = pd.read_parquet(path)
    frame["good"] = frame["photo"].shift(1)
    frame["labels"] = [[f, s] for f, s in zip(frame["fault_code"], frame["site"], strict=True)]
    frame.to_parquet(path, index=False)
    return path


def model_of(
    table: Path, fuse: str, columns: Mapping[str, Any], tasks: Mapping[str, Any]
) -> tuple[Model, Loader]:
    """A model with random weights, and what reads the table for it."""
    job = make_job(table, fuse={"type": fuse, "width": 16, **FUSIONS[fuse]})
    loaded = load_job(job | {"columns": dict(columns), "tasks": dict(tasks)})
    opened = open_table(loaded.table)
    loader = open_loader(loaded, opened, split_job(opened, loaded))
    return Model(loaded, loader.readers, loader.targets, pretrained=True).eval(), loader


def batch_of(loader: Loader, rows: np.ndarray) -> Batch:
    """Rows without their right answers."""
    batch = Batch.of(loader.batch(rows))
    batch.targets = {}
    return batch


def filled(m: int, graph: Graph, tokens: Tokens) -> Tokens:
    """The tokens of the m-th input with the words and maps that it has elsewhere."""
    rows = len(tokens.summary_BD)
    shapes = [p.shape[1:] for n, p in graph.inputs.items() if n.startswith(f"map.{m}.")]
    maps = tokens.maps or tuple(torch.zeros(rows, *shape) for shape in shapes)
    words = tokens.words_BW
    if words is None and f"words.{m}" in graph.inputs:
        words = torch.full((rows, 1), -1)
    return tokens._replace(words_BW=words, maps=maps)


@pytest.mark.parametrize("fuse", [f for f in FUSIONS if f not in ("attention", "tabm")])
@torch.no_grad()
def test_fusions(fuse: str, table: Path) -> None:
    columns = {n: COLUMNS[n] for n in ("load", "note")}
    heads_alike(*model_of(table, fuse, columns, FEW))


@torch.no_grad()
def heads_alike(model: Model, loader: Loader) -> None:
    """Fusion and heads answer alike, whatever is missing, of several rows and of one."""
    graph = heads_graph(model, batch_of(loader, np.arange(12)))
    sessions = sessions_of(quick_onnx(graph))
    for rows in (np.arange(12), np.array([3]), np.array([0])):  # row 3 lacks most cells
        batch = batch_of(loader, rows)
        for hidden in ((), model.inputs[:1], model.inputs[1:]):
            tokens = model.hide(model.encode(batch), hidden)
            tokens = {n: filled(m, graph, t) for m, (n, t) in enumerate(tokens.items())}
            given: dict[str, Tensor] = arrays_of(model, tokens, batch)
            for session in sessions.values():
                answers_alike(graph, session, given)


@torch.no_grad()
def engines_of(model: Model, loader: Loader) -> dict[str, GraphEngine]:
    """A model's graphs in each engine."""
    sessions: dict[str, dict[str, Session]] = {"onnxruntime": {}, "openvino": {}}
    branches = {}
    for graph in graphs_of(model, batch_of(loader, np.arange(12)), ["photo"]):
        for kind, session in sessions_of(quick_onnx(graph)).items():
            sessions[kind][graph.name] = session
        ports = (graph.inputs, graph.outputs, graph.maps)
        branches[graph.name] = Branch(graph.name, *ports, (Variant("onnxruntime", ("x",)),))
    absent = {n: model.encoder(n).absent_D.detach().numpy() for n in model.inputs if n != "table"}
    given = (model.job, model.readers, model.targets, branches)
    return {kind: GraphEngine(*given, own, absent) for kind, own in sessions.items()}


def test_members(table: Path) -> None:
    tasks = FEW | {n: EVERY[n] for n in ("level", "many", "parts", "spots")}
    columns = {"load": COLUMNS["load"], "photo": PHOTO, "words": SEEN["words"]}
    heads_alike(*model_of(table, "tabm", columns, tasks))


def test_a_whole_model(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_decoder, "LAYERS", 1)
    monkeypatch.setitem(text.SIZES, "small", (16, 1, 2))
    columns = {"load": COLUMNS["load"], "note": COLUMNS["note"]} | SEEN
    model, loader = model_of(table, "attention", columns, EVERY)
    hidden = [frozenset(), frozenset({"photo", "note"}), frozenset({"table", "words", "good"})]
    options = {"hidden": hidden, "viewed": ["photo"], "heads": ["note"]}
    rows = np.arange(24)
    wanted = answer_rows(TorchEngine(model), loader, rows, **options)
    for engine in engines_of(model, loader).values():
        assert engine.sessions["good"] is engine.sessions["photo"]  # one graph for both
        found = answer_rows(engine, loader, rows, **options)
        for h in hidden:
            same_answers(found.seen[h], wanted.seen[h])
        for name, own in wanted.alone.items():
            same_answers(found.alone[name], own)
        assert found.view is not None
        assert wanted.view is not None
        for name, x in wanted.view.columns.items():
            np.testing.assert_allclose(found.view.columns[name], x, atol=1e-4, rtol=1e-4)
        for row in (0, 3, 7):  # alone as among others
            alone = answer_rows(engine, loader, np.array([row])).seen[frozenset()]
            among = found.seen[frozenset()]
            same_answers(alone, {t: {k: x[[row]] for k, x in a.items()} for t, a in among.items()})


def same_answers(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """The same decisions, and numbers that hardly differ."""
    assert found.keys() == wanted.keys()
    for task, answer in wanted.items():
        assert found[task].keys() == answer.keys()
        for key, value in answer.items():
            for x, y in zip(found[task][key], value, strict=True):
                x, y = np.asarray(x), np.asarray(y)
                if y.dtype.kind == "f":
                    np.testing.assert_allclose(x, y, atol=1e-3, rtol=1e-4, err_msg=key)
                else:
                    assert x.tolist() == y.tolist(), (task, key)
