"""Fusions, heads and whole models as graphs of any number of rows: they answer as modules do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, export
from torch.utils._pytree import tree_map

from conftest import TASKS, make_job
from modalloy.answer.loader import Loader
from modalloy.answer.torch_engine import decoded
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.fusion import build_fusion
from modalloy.model.model import Model
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.task import Outputs, Task
from modalloy.model.tokens import Batch, Fused, Tokens
from modalloy.readers.targets.classify import ClassTarget
from modalloy.readers.targets.locate import BoxTarget
from modalloy.readers.targets.regress import NumberTarget
from modalloy.readers.targets.tag import TagTarget
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

WIDTH = 16
FUSIONS = [
    config.Concat(width=WIDTH),
    config.Sum(width=WIDTH),
    config.Multilinear(width=WIDTH, rank=4),
    config.Gated(width=WIDTH),
    config.Attention(width=WIDTH, heads=2),
    config.Bottleneck(width=WIDTH, heads=2),
    config.Tabm(width=WIDTH, members=3),
]
Values = dict[str, Tensor]


def exported(module: nn.Module, args: tuple[Any, ...]) -> nn.Module:
    """The graph of a module for any number of rows, which stand first in every tensor."""
    shapes = tree_map(lambda x: None if x is None else {0: Dim("rows")}, args)
    return export(module, args, dynamic_shapes=shapes, strict=False).module()


def close(a: Outputs, b: Outputs) -> None:
    """The same raw outputs."""
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=1e-5, rtol=1e-5)


def tokens_of(rows: int) -> Tokens:
    """Tokens of texts of which every other one is of a single piece, and a picture's maps."""
    x_BTD, mask_BT = torch.randn(rows, 6, WIDTH), torch.ones(rows, 6, dtype=torch.bool)
    mask_BT[::2, 1:] = False
    words_BW = torch.arange(4).where(mask_BT[:, :4], -1)
    maps = tuple(torch.randn(rows, c, 32 // c, 32 // c) for c in (2, 4))
    return Tokens(x_BTD, mask_BT, torch.randn(rows, WIDTH), words_BW, maps)


@pytest.mark.parametrize("options", FUSIONS, ids=[f.type for f in FUSIONS])
@torch.no_grad()
def test_fusions(options: config.Fuse) -> None:
    fusion = build_fusion(options, ["a", "b"], WIDTH).eval()

    def tokens(rows: int) -> dict[str, Tokens]:
        return {name: tokens_of(rows)._replace(words_BW=None, maps=()) for name in "ab"}

    program = exported(fusion, (tokens(3),))
    for rows in (1, 5):
        some = tokens(rows)
        close(program(some)._asdict(), fusion(some)._asdict())


class Answering(nn.Module):
    """A head, of nothing but tensors."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(
        self,
        summary_BKD: Tensor,
        tokens: Mapping[str, Tokens],
        values: dict[str, Values],
        present: Values,
    ) -> Outputs:
        """Raw outputs."""
        return self.task(Fused(summary_BKD), tokens, Batch(values, present))


KINDS = ("O", "B-part", "I-part")
LABELS = ClassTarget("t", "y", ("ok", "crack", "dent"), (5, 3, 2), 10, False)
HEADS: dict[str, tuple[Any, Any]] = {
    "classify": (config.Classify(target="y", class_weights="balanced"), LABELS),
    "classify multi": (
        config.Classify(target="y", labels="multi"),
        ClassTarget("t", "y", ("ok", "crack"), (5, 3), 8, True),
    ),
    "regress": (config.Regress(target="y"), NumberTarget("t", "y", 3.0, 2.0, False)),
    "regress quantiles": (
        config.Regress(target="y", quantiles=(0.9, 0.1, 0.5)),
        NumberTarget("t", "y", 3.0, 2.0, False),
    ),
    "tag": (config.Tag(target="y", on="words"), TagTarget("t", "y", "words", KINDS)),
    "locate": (
        config.Locate(target="y", labels="names", on="photo"),
        BoxTarget("t", "y", "names", ("dent", "scratch")),
    ),
    "detr": (
        config.Locate(target="y", labels="names", on="photo", head="detr", queries=7),
        BoxTarget("t", "y", "names", ("dent", "scratch")),
    ),
    "locate template": (
        config.Locate(target="y", labels="names", on="photo", template="good"),
        BoxTarget("t", "y", "names", ("dent", "scratch")),
    ),
}


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("case", HEADS)
@torch.no_grad()
def test_heads(case: str, members: int) -> None:
    options, target = HEADS[case]
    channels = {"photo": (2, 4), "good": (2, 4)}
    head = Answering(build_task("t", options, target, WIDTH, members, 0.0, channels)).eval()

    def given(rows: int) -> tuple[Any, ...]:
        size_B2 = torch.full((rows, 2), 64.0)
        return (
            torch.randn(rows, members, WIDTH),
            {name: tokens_of(rows) for name in ("words", "photo", "good")},
            {name: {"size": size_B2} for name in ("photo", "good")},
            {name: torch.arange(rows) % 3 != 1 for name in ("photo", "good")},
        )

    program = exported(head, given(3))
    for rows in (1, 5):
        args = given(rows)
        close(program(*args), head(*args))


class Answerer(nn.Module):
    """A whole model, of nothing but tensors."""

    def __init__(self, model: Model, inputs: Sequence[str] | None) -> None:
        super().__init__()
        self.model, self.inputs = model, inputs

    def forward(self, values: dict[str, Values], present: Values) -> dict[str, Outputs]:
        """Raw outputs of every task."""
        batch = Batch(values, present)
        return self.model.decide(self.model.encode(batch, self.inputs), batch).tasks


def whole(table: Path) -> tuple[Model, Loader]:
    """A model of every kind of column and task, with random weights."""
    job = make_job(table, fuse={"type": "attention", "width": WIDTH, "layers": 1, "heads": 2})
    job["columns"]["words"] = {"type": "tokens", "max_tokens": 16, "vocabulary": 128}
    job["tasks"] = {
        **TASKS,
        "parts": {"type": "tag", "target": "tags", "on": "words"},
        "boxes": {"type": "locate", "target": "boxes", "labels": "box_names", "on": "photo"},
    }
    loaded = load_job(job)
    opened = open_table(loaded.table)
    loader = open_loader(loaded, opened, split_job(opened, loaded))
    model = Model(loaded, loader.readers, loader.targets, pretrained=True)
    return model.eval(), loader


@pytest.mark.parametrize("inputs", [None, ("table", "note")])
@torch.no_grad()
def test_whole_models(small_table: Path, inputs: tuple[str, ...] | None) -> None:
    model, loader = whole(small_table)
    answerer = Answerer(model, inputs)
    batch = Batch.of(loader.batch(np.arange(20), inputs=inputs))

    def rows(some: slice) -> tuple[Any, ...]:
        return tree_map(lambda x: x[some], (batch.values, batch.present))

    program = exported(answerer, rows(slice(0, 8)))
    for some in (slice(3, 4), slice(0, 1), slice(9, 20)):  # row 3 lacks photo, sound and more
        found, wanted = program(*rows(some)), answerer(*rows(some))
        answers, others = decoded(model, found), decoded(model, wanted)
        for name in model.tasks:
            same_answer(answers[name], others[name])


def same_answer(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    """The same answers, lists and boxes among them."""
    assert a.keys() == b.keys()
    for name in a:
        for one, other in zip(a[name], b[name], strict=True):
            if name in ("tags", "names"):
                assert one == other
            else:
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
