"""COCO's mean average precision of boxes.

The rules are those of COCO's own evaluation (Lin et al. 2014, arXiv 1405.0312; pycocotools): all
areas, at most 100 boxes a class and picture, 101 recall points, mean over the classes that have
true boxes. Boxes of a picture are matched once; a bootstrap over pictures only weighs the matches
anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.decoding.boxes import overlaps
from modalloy.job import config
from modalloy.judge.metrics.classes import known_rows
from modalloy.judge.metrics.measure import Measure
from modalloy.judge.metrics.tally import Tally, group_sums, ratio

LIMITS_T = np.linspace(0.5, 0.95, 10)  # overlaps that make a match
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_BOXES = 100


class Matches(NamedTuple):
    """All answered boxes of one class, best first, and how many true ones each picture has.

    picture_D: which picture. hit_TD: whether the box is a match at each of ten overlaps. true_N:
    true boxes a picture.
    """

    picture_D: np.ndarray
    hit_TD: np.ndarray
    true_N: np.ndarray


class BoxTally(Tally):
    """Boxes on pictures.

    truth: `{"boxes": (n, 4), "names": [n]}` a row, None where unknown; no box at all is known.
    answer: `boxes`, `scores`, `names`, object arrays with rows first, in the same pixels.
    """

    def __init__(
        self, truth: Sequence[Mapping[str, Any] | None], answer: Mapping[str, np.ndarray]
    ) -> None:
        self.rows = known_rows(truth)
        true = [as_boxes(truth[i]["boxes"], truth[i]["names"]) for i in self.rows]
        self.names = sorted({n for _, names in true for n in names})
        found = [
            (*as_boxes(answer["boxes"][i], answer["names"][i]), np.asarray(answer["scores"][i]))
            for i in self.rows
        ]
        self.matches = [match_class(name, true, found) for name in self.names]

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """map50, map50_95."""
        precision_CTR = np.full((len(self.names), len(LIMITS_T), weight_NR.shape[1]), np.nan)
        for c, matches in enumerate(self.matches):
            precision_CTR[c] = average_precisions(matches, weight_NR)
        defined = np.isfinite(precision_CTR)
        mean_TR = ratio(np.where(defined, precision_CTR, 0.0).sum(0), defined.sum(0))
        return {"map50": mean_TR[0], "map50_95": mean_TR.mean(0)}

    def classes(self) -> Iterator[tuple[str, int, float, float]]:
        """Name, true boxes, average precision at 0.5 and over 0.5 to 0.95, for each class."""
        ones = np.ones((len(self.rows), 1))
        for name, matches in zip(self.names, self.matches, strict=True):
            precision_T = average_precisions(matches, ones)[:, 0]
            yield name, int(matches.true_N.sum()), float(precision_T[0]), float(precision_T.mean())


class BoxMeasure(Measure):
    """Figures of boxes."""

    def tally(
        self,
        options: config.Locate,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> BoxTally:
        """Of the boxes, their names and their scores."""
        del options, names
        return BoxTally(truth, answer)

    def primary(self, options: config.Locate) -> tuple[str, bool]:
        """Mean average precision at half overlap."""
        del options
        return "map50", True

    def skill(self, options: config.Locate, classes: int) -> list[str]:
        """The same."""
        del options, classes
        return ["map50"]

    def by_class(self, counted: BoxTally) -> str:
        """Average precision of each name."""
        return report_boxes(counted)


def average_precisions(matches: Matches, weight_NR: np.ndarray) -> np.ndarray:
    """Average precision at each overlap under R weightings, (T, R); NaN without true boxes.

    Precision can only be highest at a match, so between matches only the weight passed is summed.
    Weights are counts of pictures; two answers of one picture that tie in score may change places
    with those of its own copies.
    """
    true_R = matches.true_N @ weight_NR
    out_TR = np.zeros((len(LIMITS_T), weight_NR.shape[1]))
    at = np.flatnonzero(matches.hit_TD.any(0))  # matches at any overlap
    stretch = np.searchsorted(at, np.arange(matches.hit_TD.shape[1]), side="left")
    passing = group_sums(stretch, len(at) + 1) @ weight_NR[matches.picture_D]
    answered_AR = np.cumsum(passing[:-1], axis=0)
    matched_AR = weight_NR[matches.picture_D[at]]
    passed_KR = recall_points(true_R)
    for t, hit_D in enumerate(matches.hit_TD):
        here = hit_D[at]
        hits_HR = np.cumsum(matched_AR[here], axis=0)
        precision_HR = hits_HR / np.maximum(answered_AR[here], 1.0)
        best_HR = np.maximum.accumulate(precision_HR[::-1], axis=0)[::-1]
        points_HR = np.take_along_axis(passed_KR, hits_HR.astype(np.int64), axis=0)
        new_HR = np.diff(points_HR, axis=0, prepend=0)
        out_TR[t] = np.einsum("hr,hr->r", new_HR, best_HR) / len(RECALLS)
    return np.where(true_R == 0, np.nan, out_TR)


def recall_points(true_R: np.ndarray) -> np.ndarray:
    """Recall points passed once k of the true boxes are found, (K + 1, R)."""
    found_K1 = np.arange(int(true_R.max(initial=0.0)) + 1)[:, None]
    return np.searchsorted(RECALLS, found_K1 / np.maximum(true_R, 1.0), side="right").astype(float)


def match_class(
    name: str,
    true: Sequence[tuple[np.ndarray, list[str]]],
    found: Sequence[tuple[np.ndarray, list[str], np.ndarray]],
) -> Matches:
    """Match the answered boxes of one class with the true ones, picture by picture."""
    pictures, scores, hits, counts = [], [], [], []
    for i, ((true_boxes, true_names), (boxes, names, score)) in enumerate(
        zip(true, found, strict=True)
    ):
        goal = true_boxes[[n == name for n in true_names]]
        mine = np.array([n == name for n in names], dtype=bool)
        order = np.argsort(-score[mine], kind="stable")[:MOST_BOXES]
        pictures.append(np.full(len(order), i))
        scores.append(score[mine][order])
        hits.append(match_picture(boxes[mine][order], goal))
        counts.append(len(goal))
    score_D = np.concatenate([*scores, np.zeros(0)])
    best = np.argsort(-score_D, kind="stable")
    return Matches(
        np.concatenate([*pictures, np.zeros(0, dtype=np.int64)]).astype(np.int64)[best],
        np.concatenate([*hits, np.zeros((len(LIMITS_T), 0), dtype=bool)], axis=1)[:, best],
        np.array(counts, dtype=np.float64),
    )


def match_picture(found_D4: np.ndarray, true_G4: np.ndarray) -> np.ndarray:
    """Whether each answered box, best first, takes a true one that is still free, (T, D).

    Each takes the free box that it overlaps most; of equals the last, as COCO does.
    """
    hit_TD = np.zeros((len(LIMITS_T), len(found_D4)), dtype=bool)
    if not len(found_D4) or not len(true_G4):
        return hit_TD
    overlap_DG = overlaps(found_D4, true_G4)
    free_TG = np.ones((len(LIMITS_T), len(true_G4)), dtype=bool)
    limit_T1 = np.minimum(LIMITS_T, 1 - 1e-10)[:, None]
    for d in np.flatnonzero(overlap_DG.max(1) >= LIMITS_T[0]):
        left_TG = np.where(free_TG & (overlap_DG[d] >= limit_T1), overlap_DG[d], -1.0)
        last = left_TG.shape[1] - 1 - left_TG[:, ::-1].argmax(1)
        t = np.flatnonzero(left_TG.max(1) > 0)
        free_TG[t, last[t]] = False
        hit_TD[t, d] = True
    return hit_TD


def as_boxes(boxes: Any, names: Any) -> tuple[np.ndarray, list[str]]:
    """Boxes as (n, 4) floats and their names as a list."""
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4), [str(n) for n in names]


def report_boxes(tally: BoxTally) -> str:
    """Average precision of each class as text."""
    lines = list(tally.classes())
    width = max([len(line[0]) for line in lines] + [len("mean")])
    head = " " * width + "".join(f" {h:>9}" for h in ("AP50", "AP50-95", "support"))
    rows = [f"{n:>{width}} {a:>9.4f} {b:>9.4f} {boxes:>9}" for n, boxes, a, b in lines]
    score = tally.score()
    mean = (score.get("map50", 0.0), score.get("map50_95", 0.0), sum(line[1] for line in lines))
    last = f"{'mean':>{width}} {mean[0]:>9.4f} {mean[1]:>9.4f} {mean[2]:>9}"
    return "\n".join([head, "", *rows, "", last, ""])
