"""Letters and words that two texts share, counted: what chrF and BLEU are made of.

Both as sacrebleu computes them by default (Post 2018, 1804.08771), on a scale from 0 to 1: chrF of
up to six letters, recall counted twice (Popović 2015); BLEU of up to four words, cut by mteval's
13a rules, Chinese letter by letter, with exponential smoothing (Papineni et al. 2002; Chen &
Cherry 2014).
"""

import re
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

LETTERS = 6
WORDS = 4
BETA = 2.0  # recall's weight against precision's in chrF
CUTS = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
# Chinese is written without spaces; its letters and marks are words, as by sacrebleu's `zh`.
CHINESE = re.compile("[\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef]")
SPACED = r" \g<0> "
MARKS = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}


def letter_counts(true: str, answered: str) -> list[int]:
    """Runs of 1 to 6 letters in the answer, in the truth, and in both; white space does not count.

    18 numbers: three for each length. The answer's runs count only of lengths that the truth has.
    """
    true, answered = "".join(true.split()), "".join(answered.split())
    found = []
    for length in range(1, LETTERS + 1):
        a, t = runs(answered, length), runs(true, length)
        found += [a.total() if t else 0, t.total(), (a & t).total()]
    return found


def word_counts(true: str, answered: str) -> list[int]:
    """Runs of 1 to 4 words in the answer that the truth has too, all of them, and both lengths.

    10 numbers: right for each length, all for each length, words of the answer, of the truth.
    """
    a, t = words_of(answered), words_of(true)
    right, every = [], []
    for length in range(1, WORDS + 1):
        own = runs(a, length)
        right.append((own & runs(t, length)).total())
        every.append(own.total())
    return [*right, *every, len(a), len(t)]


def runs(items: Sequence[Hashable], length: int) -> Counter:
    """How often each run of so many neighbours occurs."""
    return Counter(tuple(items[i : i + length]) for i in range(len(items) - length + 1))


def words_of(text: str) -> list[str]:
    """Words and marks of a text, as mteval-v13a cuts them; each Chinese letter is a word."""
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for mark, letter in MARKS.items():
        text = text.replace(mark, letter)
    text = f" {CHINESE.sub(SPACED, text)} "
    for pattern, put in CUTS:
        text = pattern.sub(put, text)
    return text.split()


def chrf(counts_18R: np.ndarray) -> np.ndarray:
    """chrF (R,) of sums of `letter_counts`, 18 numbers by R; only lengths that both have count."""
    every, true, both = counts_18R[0::3], counts_18R[1::3], counts_18R[2::3]
    used = (every > 0) & (true > 0)
    lengths = np.maximum(used.sum(0), 1)
    precision = np.where(used, both / np.maximum(every, 1e-300), 0.0).sum(0) / lengths
    recall = np.where(used, both / np.maximum(true, 1e-300), 0.0).sum(0) / lengths
    below = BETA**2 * precision + recall
    return (1 + BETA**2) * precision * recall / np.where(below > 0, below, 1.0)


def bleu(counts_10R: np.ndarray) -> np.ndarray:
    """BLEU (R,) of sums of `word_counts`, 10 numbers by R; NaN where no answer has four words."""
    right, every = counts_10R[:WORDS], counts_10R[WORDS : 2 * WORDS]
    own, true = counts_10R[2 * WORDS], counts_10R[2 * WORDS + 1]
    halved = np.cumsum(right == 0, axis=0)  # the n-th length without a match counts 1 / 2 ** n
    share = np.where(right > 0, right, 0.5**halved) / np.maximum(every, 1e-300)
    short = np.where(own < true, np.exp(1 - true / np.maximum(own, 1e-300)), 1.0)
    found = short * np.exp(np.log(share).mean(0))
    found = np.where(right.any(0), found, 0.0)
    return np.where(every[-1] > 0, found, np.nan)


def word_errors(true: Sequence[str], answered: Sequence[str]) -> int:
    """Words that must be put in, taken out or changed to make the truth of an answer (Levenshtein
    1966); over the words of the truth it is the word error rate.
    """
    row = list(range(len(answered) + 1))
    for i, word in enumerate(true, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(answered, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]
