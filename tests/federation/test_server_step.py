"""The server goes as far as changes say, or as FedAdam and FedYogi would."""

import numpy as np
import pytest

from modalloy.federation.server_step import BETA1, BETA2, FLOOR, ServerStep


def test_plain_goes_as_far_times_the_rate() -> None:
    step = ServerStep("plain", 0.5)
    found = step({"a": np.ones(3), "b": np.ones(2)}, {"a": np.full(3, 2.0)})
    np.testing.assert_allclose(found["a"], 2.0)
    np.testing.assert_allclose(found["b"], 1.0)


@pytest.mark.parametrize("kind", ["adam", "yogi"])
def test_the_others_are_their_paper(kind, draw: np.random.Generator) -> None:
    step, x = ServerStep(kind, 2.0), np.zeros(5)
    m, v, oracle = np.zeros(5), np.full(5, FLOOR**2), np.zeros(5)
    for _ in range(6):
        delta = draw.normal(size=5)
        m = BETA1 * m + (1 - BETA1) * delta
        if kind == "adam":
            v = BETA2 * v + (1 - BETA2) * delta**2
        else:
            v = v - (1 - BETA2) * delta**2 * np.sign(v - delta**2)
        oracle = oracle + 0.02 * m / (np.sqrt(v) + FLOOR)
        x = step({"w": x}, {"w": delta})["w"]
    np.testing.assert_allclose(x, oracle, rtol=1e-4)
