"""Features are standardised by all sites' rows, before learning and the same everywhere."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from asked_directly import Direct
from modalloy.federation.figures import PARTS, pooled_figures, standardised
from modalloy.federation.server import Federation
from modalloy.federation.travelling import weights_of
from modalloy.model.layers.scale import Standardise
from plants import job_of, plants_of, rows_of


def test_figures_of_sites_are_those_of_all_rows(draw: np.random.Generator) -> None:
    parts = [draw.normal(i, 1 + i, (50 * (i + 1), 4)).astype(np.float32) for i in range(3)]
    found = []
    for x in parts:
        layer = Standardise(4).train()
        layer(torch.from_numpy(x))
        found.append({f"p.{n}": layer.state_dict()[n].numpy() for n in PARTS})
    pooled = pooled_figures(found, ["p"])
    every = np.concatenate(parts)
    np.testing.assert_allclose(pooled["p.mean_F"], every.mean(0), rtol=1e-4)
    np.testing.assert_allclose(pooled["p.variance_F"], every.var(0), rtol=1e-4)
    assert pooled["p.seen"] == 300


def test_a_layer_that_nothing_reached_has_none() -> None:
    blank = {"p.seen": np.float32(0), "p.mean_F": np.zeros(2), "p.variance_F": np.ones(2)}
    assert pooled_figures([blank, blank], ["p"]) == {}


def waves(seed: int, shift: float) -> pd.DataFrame:
    draw, own = np.random.default_rng(seed), rows_of(80, seed)
    bad = (own["fault"] == "bad").to_numpy()[:, None]
    return own.assign(waves=[*(draw.normal(shift, 1, (80, 40)) + 0.8 * bad)])


def test_they_stand_still_and_the_common_model_has_them(tmp_path: Path) -> None:
    frames = {"A": waves(1, 0.0), "B": waves(2, 2.0), "C": rows_of(80, 3)}
    job = job_of(waves=True, rounds=2)
    plants = plants_of(tmp_path, frames, job)
    made = Federation(job, Direct(plants), tmp_path / "server")
    made.begin()
    assert made.model is not None
    names = [f"{path}.{n}" for path in standardised(made.model) for n in PARTS]
    assert names
    before = {n: made.weights[n].copy() for n in names}
    assert before[names[0]] > 60  # rows of A and B: C has no waves
    made.run()
    made.finish()
    for plant in plants.values():
        for name, x in weights_of(plant.ready()[0], names).items():
            np.testing.assert_array_equal(x, before[name])
    for name, x in weights_of(made.model, names).items():
        np.testing.assert_array_equal(x, before[name])
