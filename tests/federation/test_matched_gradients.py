"""One step over the border gives every weight the gradient that one network of all would."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from asked_directly import Direct
from matched_sites import JOB, KEY, OWN, parts_of, tables_of
from modalloy.federation.local_training import seed_of
from modalloy.federation.matched.site import MatchedSite
from modalloy.federation.matched.split_server import SplitServer
from modalloy.job.job_file import load_job
from modalloy.learn.epoch_order import epoch_order
from modalloy.learn.weighting import Weighting
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import draw_hidden, has_any, hiding
from modalloy.objectives.supervised import supervised
from modalloy.readers.batch import TABLE
from modalloy.table.open_table import open_table

Gradients = dict[str, torch.Tensor]


@pytest.fixture
def split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> tuple[SplitServer, MatchedSite, MatchedSite]:
    """Two matched sites before the first step; nothing shortens their gradients."""
    monkeypatch.setenv("MODALLOY_SITE_KEY", KEY)
    matched = {**JOB["federate"]["matched"], **request.param}
    job = load_job(
        {
            **JOB,
            "train": {**JOB["train"], "clip": 1e9},
            "fuse": {"type": "attention", "width": 16, "modality_dropout": 0.3},
            "federate": {"compare": False, "matched": matched},
        }
    )
    frame = parts_of(200, 5)
    frame.loc[::7, "wave"] = None
    tables = tables_of(frame)
    sites = {n: MatchedSite(n, job, open_table(tables[n]), tmp_path / n) for n in OWN}
    server = SplitServer(job, Direct(sites))
    server.begin()
    return server, sites["supplier"], sites["customer"]


def gradients(model: nn.Module) -> Gradients:
    """Copies of what a backward pass left."""
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return {n: (g.to_dense() if g.is_sparse else g).clone() for n, g in grads.items()}


def noting(model: nn.Module, found: Gradients) -> Callable[[], None]:
    """A step that only notes gradients."""
    return lambda: found.update(gradients(model))


def joined_gradients(supplier: MatchedSite, customer: MatchedSite) -> tuple[Gradients, Gradients]:
    """The slow, obvious way: both networks in one graph."""
    below, above = supplier.below(), customer.above()
    job, step = supplier.job, 0
    body, model = copy.deepcopy(below.body), copy.deepcopy(above.model)
    rows = epoch_order(above.parts.train, above.way.batch, job.seed, 0, None)[0]
    body.train()
    torch.manual_seed((seed_of(job.seed, "supplier") * 1_000_003 + step) * 64)
    batch = Batch.of(below.loader.batch(rows))
    plain = Batch({}, {TABLE: batch.present[TABLE]}, {}, batch.rows)
    batch = draw_hidden(plain, chance=job.fuse.modality_dropout, keep=()).apply(batch)
    z = {n: t.summary_BD for n, t in body.encode(batch).items()}
    if job.federate.matched.clip is not None:
        length_B1 = torch.cat(list(z.values()), 1).norm(dim=1, keepdim=True)
        z = {n: x * (job.federate.matched.clip / length_B1).clamp(max=1.0) for n, x in z.items()}
    upper = Batch.of(above.loader.batch(rows))
    for name, x in z.items():
        upper.values[f"supplier.{name}"] = {"x": x}
        upper.present[f"supplier.{name}"] = has_any(batch.present[name])
    model.train()
    torch.manual_seed((job.seed * 1_000_003 + step) * 64)
    objective = hiding(supervised, chance=job.fuse.modality_dropout, keep=())
    Weighting(above.job)(objective(model, upper)).backward()
    return gradients(body), gradients(model)


@pytest.mark.parametrize("split", [{}, {"clip": 1.5}], indirect=True, ids=["whole", "clipped"])
def test_gradients_are_those_of_one_network(
    split: tuple[SplitServer, MatchedSite, MatchedSite],
) -> None:
    server, supplier, customer = split
    expected_lower, expected_upper = joined_gradients(supplier, customer)
    below, above = supplier.below(), customer.above()
    lower: Gradients = {}
    upper: Gradients = {}
    below.state.optimizer.step = noting(below.body, lower)
    above.state.optimizer.step = noting(above.model, upper)
    server.step(0, 0)
    assert_same(upper, expected_upper)
    server.below("look", {"which": "validation"})  # takes the gradients down
    assert_same(lower, expected_lower)


def assert_same(found: Gradients, expected: Gradients) -> None:
    """Each weight's gradient to 1e-5, and no gradient that is nothing everywhere."""
    assert found.keys() == expected.keys()
    assert max(g.abs().max() for g in expected.values()) > 1e-3
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, atol=1e-5, rtol=1e-4), name


@pytest.mark.parametrize("split", [{}], indirect=True)
def test_both_sites_learn_from_the_same_parts(
    split: tuple[SplitServer, MatchedSite, MatchedSite],
) -> None:
    _, supplier, customer = split
    below, above = supplier.below(), customer.above()
    rows = np.concatenate([above.parts.train, above.parts.test])
    assert list(below.table.written("part", rows)) == list(above.table.written("part", rows))
    assert np.array_equal(below.parts.train, above.parts.train)
