"""Queries as named boxes in pixels: best first, nothing left out but what says nothing."""

from typing import Any

import numpy as np
import pytest

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.build import decode
from modalloy.job import config
from modalloy.readers.targets.locate import BoxTarget

TARGET = BoxTarget("defects", "boxes", "names", ("dent", "scratch"))


def outputs(*, seen: bool = True) -> dict[str, np.ndarray]:
    p_QC = np.array([[0.1, 0.7, 0.2], [0.9, 0.05, 0.05], [0.002, 0.003, 0.995], [0.3, 0.3, 0.4]])
    boxes = [[0.5, 0.5, 0.5, 0.5], [0.9, 0.25, 0.4, 0.5], [0.5, 0.5, 1, 1], [0.5, 0.5, 0.5, 0.5]]
    return {
        "logits": np.log(p_QC)[None].astype(np.float32),
        "boxes": np.array([boxes], dtype=np.float32),
        "seen": np.array([seen]),
        "size": np.array([[200.0, 100.0]]),
    }


def answer(given: dict[str, np.ndarray], **options: Any) -> Answer:
    options_ = config.Locate(target="b", labels="names", on="photo", head="detr", **options)
    return decode(options_, TARGET, given)


def test_boxes_in_pixels_best_first_cut_to_the_picture() -> None:
    found = answer(outputs())
    assert found["names"][0] == ["dent", "scratch", "dent"]
    assert found["scores"][0].tolist() == pytest.approx([0.9, 0.7, 0.3], abs=1e-5)
    # The second query's box reaches beyond the right side; two that lie on one place both stay.
    expected = [[140, 0, 200, 50], [50, 25, 150, 75], [50, 25, 150, 75]]
    assert found["boxes"][0] == pytest.approx(np.array(expected), abs=1e-3)


def test_at_most_so_many_and_none_without_the_picture() -> None:
    assert answer(outputs(), max_boxes=1)["names"][0] == ["dent"]
    assert answer(outputs(seen=False))["names"][0] == []
