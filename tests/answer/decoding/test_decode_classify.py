"""Probabilities from logits: against the slow way, far from zero, the same bits in any company."""

from typing import Any

import numpy as np
import pytest

from modalloy.answer.decoding.build import decode
from modalloy.answer.decoding.logits import sigmoid, softmax
from modalloy.job import config

ONE = config.Classify(target="y")
MANY = config.Classify(target="y", labels="multi")


def logits(rows: int, members: int, classes: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    return draw.normal(0, 6, (rows, members, classes)).astype(np.float32)


def test_probabilities_agree_with_a_loop() -> None:
    x_BKC = logits(5, 3, 4)
    one = decode(ONE, None, {"logits": x_BKC})["probability"]
    many = decode(MANY, None, {"logits": x_BKC})["probability"]
    for row, found, apart in zip(x_BKC.astype(float), one, many, strict=True):
        powers = [np.exp(m) / np.exp(m).sum() for m in row]
        assert found == pytest.approx(np.mean(powers, axis=0), rel=1e-5)
        assert apart == pytest.approx(
            np.mean([1 / (1 + np.exp(-m)) for m in row], axis=0), rel=1e-5
        )


def test_they_are_torchs() -> None:
    torch = pytest.importorskip("torch")
    x = logits(200, 2, 7)
    assert softmax(x) == pytest.approx(torch.from_numpy(x).softmax(-1).numpy(), abs=2e-7)
    assert sigmoid(x) == pytest.approx(torch.from_numpy(x).sigmoid().numpy(), abs=2e-7)


def test_logits_far_from_zero_overflow_nowhere() -> None:
    far = np.array([[-1e4, 0.0, 1e4], [9e30, 9e30, -9e30]], dtype=np.float32)
    assert softmax(far).tolist() == [[0, 0, 1], [0.5, 0.5, 0]]
    assert sigmoid(far).tolist() == [[0, 0.5, 1], [1, 1, 0]]
    assert softmax(far).dtype == sigmoid(far).dtype == np.float32


@pytest.mark.parametrize("options", [ONE, MANY], ids=["one", "many"])
@pytest.mark.parametrize(("members", "classes"), [(1, 2), (1, 77), (3, 1), (32, 5)])
def test_a_row_has_the_same_bits_in_any_company(options: Any, members: int, classes: int) -> None:
    x_BKC = logits(40, members, classes)
    whole = decode(options, None, {"logits": x_BKC})["probability"]
    for row in range(40):
        alone = decode(options, None, {"logits": x_BKC[row : row + 1].copy()})["probability"]
        assert np.array_equal(alone[0], whole[row])
