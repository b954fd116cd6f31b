"""COCO's mean average precision against a slow copy of its rules and cases worked by hand."""

from typing import Any

import numpy as np
import pytest

from modalloy.judge.metrics.detection import BoxTally

Picture = dict[str, Any]
BOX = [0.0, 0.0, 10.0, 10.0]
FAR = [50.0, 50.0, 60.0, 60.0]


def answer_of(found: list[list[tuple[list[float], str, float]]]) -> dict[str, np.ndarray]:
    out = {k: np.empty(len(found), dtype=object) for k in ("boxes", "scores", "names")}
    for i, picture in enumerate(found):
        out["boxes"][i] = np.array([b for b, _, _ in picture], dtype=np.float64).reshape(-1, 4)
        out["names"][i] = [n for _, n, _ in picture]
        out["scores"][i] = np.array([s for _, _, s in picture])
    return out


def picture(*boxes: tuple[list[float], str]) -> Picture:
    return {"boxes": [b for b, _ in boxes], "names": [n for _, n in boxes]}


@pytest.mark.parametrize(
    ("truth", "found", "map50", "map50_95"),
    [
        # Found exactly.
        ([picture((BOX, "a"))], [[(BOX, "a", 0.9)]], 1.0, 1.0),
        # Overlap 0.8: a match at seven of ten overlaps.
        ([picture((BOX, "a"))], [[([0, 0, 10, 8.0], "a", 0.9)]], 1.0, 0.7),
        # A better-scored miss halves the precision.
        ([picture((BOX, "a"))], [[(FAR, "a", 0.9), (BOX, "a", 0.8)]], 0.5, 0.5),
        # A worse-scored miss costs nothing.
        ([picture((BOX, "a"))], [[(FAR, "a", 0.1), (BOX, "a", 0.8)]], 1.0, 1.0),
        # One of two found: recall points 0 to 0.50 are 51 of 101.
        ([picture((BOX, "a"), (FAR, "a"))], [[(BOX, "a", 0.9)]], 51 / 101, 51 / 101),
        # The second box on one true box is a miss.
        (
            [picture((BOX, "a"), (FAR, "a"))],
            [[(BOX, "a", 0.9), (BOX, "a", 0.8)]],
            51 / 101,
            51 / 101,
        ),
        # Class b is never answered; class c is not in the truth and does not count.
        ([picture((BOX, "a"), (FAR, "b"))], [[(BOX, "a", 0.9), (FAR, "c", 0.9)]], 0.5, 0.5),
        # A picture without boxes spoils precision.
        ([picture((BOX, "a")), picture()], [[(BOX, "a", 0.5)], [(BOX, "a", 0.9)]], 0.5, 0.5),
        # Nothing answered.
        ([picture((BOX, "a"))], [[]], 0.0, 0.0),
    ],
)
def test_by_hand(truth: list[Picture], found: list[Any], map50: float, map50_95: float) -> None:
    score = BoxTally(truth, answer_of(found)).score()
    assert score == pytest.approx({"map50": map50, "map50_95": map50_95})


def test_pictures_without_any_true_box_have_no_figure() -> None:
    assert BoxTally([picture(), None], answer_of([[(BOX, "a", 0.9)], []])).score() == {}


def overlap(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return width * height / (sum(area) - width * height)


def slow_average_precision(
    truth: list[Picture], found: list[Any], name: str, limit: float
) -> float | None:
    """The loops of pycocotools: match each picture, sort all, envelope, 101 recall points."""
    scored, true = [], 0
    for t, f in zip(truth, found, strict=True):
        goals = [b for b, n in zip(t["boxes"], t["names"], strict=True) if n == name]
        true += len(goals)
        taken: set[int] = set()
        mine = sorted((x for x in f if x[1] == name), key=lambda x: -x[2])[:100]
        for box, _, score in mine:
            best, match = min(limit, 1 - 1e-10), None
            for g, goal in enumerate(goals):
                if g not in taken and overlap(box, goal) >= best:
                    best, match = overlap(box, goal), g
            if match is not None:
                taken.add(match)
            scored.append((score, match is not None))
    if not true:
        return None
    scored.sort(key=lambda x: -x[0])
    precision, recall, hits = [], [], 0
    for k, (_, hit) in enumerate(scored):
        hits += hit
        precision.append(hits / (k + 1))
        recall.append(hits / true)
    for k in range(len(precision) - 1, 0, -1):
        precision[k - 1] = max(precision[k - 1], precision[k])
    total = 0.0
    for point in np.linspace(0, 1, 101):
        reached = [k for k, r in enumerate(recall) if r >= point]
        total += precision[reached[0]] if reached else 0.0
    return total / 101


def slow_score(truth: list[Picture], found: list[Any]) -> dict[str, float]:
    names = {n for t in truth for n in t["names"]}
    each = []
    for limit in np.linspace(0.5, 0.95, 10):
        found_here = [slow_average_precision(truth, found, n, limit) for n in names]
        each.append(np.mean([v for v in found_here if v is not None]))
    return {"map50": each[0], "map50_95": float(np.mean(each))}


def draw_pictures(seed: int, count: int = 12) -> tuple[list[Picture], list[Any]]:
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(count):
        n = int(rng.integers(0, 6))
        corner, size = rng.uniform(0, 40, (n, 2)), rng.uniform(5, 30, (n, 2))
        boxes = np.concatenate([corner, corner + size], 1).round(1)
        names = [str(k) for k in rng.choice(["a", "b", "c"], n)]
        truth.append({"boxes": boxes.tolist(), "names": names})
        answers = []
        for box, name in zip(boxes, names, strict=True):
            for _ in range(int(rng.integers(0, 3))):
                near = (box + rng.normal(0, 1.5, 4)).tolist()
                kind = name if rng.random() < 0.8 else "b"
                answers.append((near, kind, float(rng.random())))
        found.append(answers)
    return truth, found


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_slow_copy(seed: int) -> None:
    truth, found = draw_pictures(seed)
    assert BoxTally(truth, answer_of(found)).score() == pytest.approx(slow_score(truth, found))


def test_at_most_a_hundred_boxes_a_class_count() -> None:
    misses = [(FAR, "a", 0.9)] * 99
    truth = [picture((BOX, "a"))]
    inside = BoxTally(truth, answer_of([[*misses, (BOX, "a", 0.5)]])).score()
    beyond = BoxTally(truth, answer_of([[*misses, (FAR, "a", 0.9), (BOX, "a", 0.5)]])).score()
    assert inside["map50"] == pytest.approx(0.01)
    assert beyond["map50"] == 0.0


def test_weighed_pictures_score_like_repeated_ones() -> None:
    truth, found = draw_pictures(3)
    tally = BoxTally(truth, answer_of(found))
    rng = np.random.default_rng(0)
    for _ in range(5):
        rows = rng.integers(0, len(truth), len(truth))
        weight = np.bincount(rows, minlength=len(truth)).astype(float)[:, None]
        weighed = {k: float(v[0]) for k, v in tally.figures(weight).items()}
        again = BoxTally([truth[i] for i in rows], answer_of([found[i] for i in rows])).score()
        assert weighed == pytest.approx(again)
