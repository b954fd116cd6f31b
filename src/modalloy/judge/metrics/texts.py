"""How near answered texts come to the right ones: letters, words, and to the letter."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.job import config
from modalloy.judge.metrics.classes import known_rows
from modalloy.judge.metrics.measure import Measure
from modalloy.judge.metrics.overlap import bleu, chrf, letter_counts, word_counts
from modalloy.judge.metrics.tally import Tally, ratio


class TextTally(Tally):
    """Texts; truth holds None where it is unknown."""

    def __init__(self, truth: Sequence[str | None], answered: Sequence[str] | np.ndarray) -> None:
        self.rows = known_rows(truth)
        pairs = [(str(truth[i]), str(answered[i])) for i in self.rows]
        letters = [letter_counts(t, a) for t, a in pairs]
        words = [word_counts(t, a) for t, a in pairs]
        self.letters_N18 = np.array(letters, dtype=np.float64).reshape(-1, 18)
        self.words_N10 = np.array(words, dtype=np.float64).reshape(-1, 10)
        self.exact_N = np.array(
            [" ".join(t.split()) == " ".join(a.split()) for t, a in pairs], float
        )

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """chrf, bleu, exact_match; the first two of all texts together, as their papers have it."""
        return {
            "chrf": chrf(self.letters_N18.T @ weight_NR),
            "bleu": bleu(self.words_N10.T @ weight_NR),
            "exact_match": ratio(self.exact_N @ weight_NR, weight_NR.sum(0)),
        }


class TextMeasure(Measure):
    """Figures of texts."""

    def tally(
        self,
        options: config.Generate,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> TextTally:
        """Of the texts."""
        del options, names
        return TextTally(truth, answer["text"])

    def primary(self, options: config.Generate) -> tuple[str, bool]:
        """Letters in common."""
        del options
        return "chrf", True

    def skill(self, options: config.Generate, classes: int) -> list[str]:
        """The same."""
        del options, classes
        return ["chrf"]


def text_losses(truth: Sequence[Any], answered: Sequence[Any] | np.ndarray) -> np.ndarray:
    """1 - chrF of each text alone, (B,); 0 where the truth is unknown."""
    found = np.zeros(len(truth))
    for i, (t, a) in enumerate(zip(truth, answered, strict=True)):
        if t is not None:
            counts = np.array(letter_counts(str(t), str(a)), dtype=np.float64)[:, None]
            found[i] = 1.0 - chrf(counts)[0]
    return found
