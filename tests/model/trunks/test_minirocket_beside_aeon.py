"""MiniRocket with ridge beside aeon's on five sets that `pip install aeon` brings, else skipped."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modalloy.model.trunks.minirocket import MiniRocket

SETS = ("GunPoint", "ArrowHead", "ItalyPowerDemand", "BasicMotions", "JapaneseVowels")
SEEDS = range(3)


def padded(series: list[np.ndarray], length: int) -> tuple[np.ndarray, torch.Tensor]:
    x_NCL = np.stack([np.pad(x_CL, ((0, 0), (0, length - x_CL.shape[1]))) for x_CL in series])
    ends_N = torch.tensor([x_CL.shape[1] for x_CL in series])
    return x_NCL.astype(np.float32), torch.arange(length) < ends_N[:, None]


def accuracy(train: np.ndarray, test: np.ndarray, y: np.ndarray, y_test: np.ndarray) -> float:
    ridge = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)))
    return float((ridge.fit(train, y).predict(test) == y_test).mean())


@pytest.mark.parametrize("name", SETS)
def test_accuracy_is_aeons_within_a_point(name: str) -> None:
    datasets = pytest.importorskip("aeon.datasets")
    theirs = pytest.importorskip("aeon.transformations.collection.convolution_based")
    (x, y), (x_test, y_test) = (
        datasets.load_classification(name, split=s) for s in ("train", "test")
    )
    length = max(x_CL.shape[1] for x_CL in [*x, *x_test])
    (x, mask), (x_test, mask_test) = padded(list(x), length), padded(list(x_test), length)
    own, other = [], []
    for seed in SEEDS:
        torch.manual_seed(seed)
        front = MiniRocket(x.shape[1], int(mask.sum(1).max()))
        front.fit(torch.tensor(x), mask, torch.Generator().manual_seed(seed))
        made = [front(torch.tensor(a), m).numpy() for a, m in ((x, mask), (x_test, mask_test))]
        own.append(accuracy(*made, y, y_test))
        reference = theirs.MiniRocket(random_state=seed).fit(x)
        made = [reference.transform(x), reference.transform(x_test)]
        other.append(accuracy(*made, y, y_test))
    assert abs(np.mean(own) - np.mean(other)) <= 0.01
