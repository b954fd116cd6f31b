"""A space is kept whole in one part of a run, and says the same of a row alone."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from modalloy.model.space import Space
from modalloy.model.tokens import Batch
from spaces import body_and_space, opened


def test_it_comes_back_from_its_bytes(small_table: Path) -> None:
    loader = opened(small_table, columns=("photo", "note"))
    body, contrast = body_and_space(loader, loss="sigmoid")
    body.eval(), contrast.eval()
    again = Space.from_bytes(contrast.space.to_bytes())
    assert again.plan() == contrast.space.plan()
    assert not again.training
    batch = Batch.of(loader.batch(np.arange(6)))
    with torch.no_grad():
        was = contrast.space.project(contrast.space.see(body, batch))
        now = again.project(again.see(body, batch))
    assert all(torch.equal(was[n], now[n]) for n in was)
    assert again.scale == contrast.space.scale
    assert again.bias == -10.0


def test_vectors_have_length_one_and_a_row_alone_has_its_own(small_table: Path) -> None:
    loader = opened(small_table, columns=("photo", "note", "load"))
    body, contrast = body_and_space(loader)
    body.eval(), contrast.eval()
    space = contrast.space
    with torch.no_grad():
        seen = space.see(body, Batch.of(loader.batch(np.arange(5))))
        together = space.project(seen) | {"row": space.project_row(body, seen.tokens)}
        for i in range(5):
            own = space.see(body, Batch.of(loader.batch(np.array([i]))))
            alone = space.project(own) | {"row": space.project_row(body, own.tokens)}
            for name, z in together.items():
                torch.testing.assert_close(z.norm(dim=1), torch.ones(5))
                if name == "row" or own.present[name][0]:
                    torch.testing.assert_close(alone[name][0], z[i])


def test_only_inputs_that_are_asked_for_run(small_table: Path) -> None:
    loader = opened(small_table, columns=("photo", "note"))
    body, contrast = body_and_space(loader)
    batch = Batch.of(loader.batch(np.arange(4), inputs=["note"]))
    seen = contrast.space.see(body, batch, ["note"])
    assert list(seen.latents) == ["note"]
    assert list(contrast.space.project(seen)) == ["note"]


@pytest.mark.parametrize("loss", ["infonce", "gram", "sigmoid"])
def test_a_scale_beyond_its_bound_comes_back_and_goes_on_learning(
    small_table: Path, loss: str
) -> None:
    loader = opened(small_table, columns=("photo", "note"))
    body, contrast = body_and_space(loader, row=False, loss=loss)
    space, batch = contrast.space, Batch.of(loader.batch(np.arange(16)))
    space.log_scale.data.fill_(math.log(120.0))
    torch.stack(list(contrast(body, batch).values())).sum().backward()
    assert space.log_scale.grad is not None
    assert space.log_scale.grad != 0.0
    assert space.scale.item() == pytest.approx(120.0 if loss == "sigmoid" else 100.0)
    assert Space.from_bytes(space.to_bytes()).scale == space.scale
