"""A linear tagger: each word's tag by the word, its letters and its neighbours."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier

from modalloy.answer.answers import Answer
from modalloy.judge.baselines.baseline_models import BaselineTask, objects

BUCKETS = 2**18  # that features are hashed into
MOST_WORDS = 200_000  # of training rows that are learned from
EPOCHS = 6
PENALTY = 3e-6
AROUND = (-2, -1, 1, 2)  # neighbours that are looked at


def tag_words(goal: BaselineTask, train: np.ndarray, test: np.ndarray, seed: int) -> Answer:
    """Tags of the test rows' words, by a logistic regression fitted by stochastic descent."""
    learned = [i for i in train if goal.truth[i]]
    longest = np.cumsum([len(goal.truth[i]) for i in learned])
    learned = learned[: max(1, int((longest <= MOST_WORDS).sum()))]
    tags = np.array([tag for i in learned for tag in goal.truth[i]])
    if len(np.unique(tags)) < 2:
        only = str(tags[0]) if len(tags) else "O"
        found = [[only] * len(goal.words[i]) for i in test]
        return {"tags": objects(found), "confidence": np.ones(len(test))}
    hasher = FeatureHasher(BUCKETS, input_type="string", alternate_sign=False)
    model: Any = SGDClassifier(
        loss="log_loss", alpha=PENALTY, max_iter=EPOCHS, tol=None, average=True, random_state=seed
    )
    model.fit(hasher.transform(features_of(goal, learned)), tags)
    counts = [len(goal.words[i]) for i in test]
    said = model.predict(hasher.transform(features_of(goal, test))) if sum(counts) else tags[:0]
    found = [part.tolist() for part in np.split(said, np.cumsum(counts)[:-1])]
    return {"tags": objects(found), "confidence": np.ones(len(test))}


def features_of(goal: BaselineTask, rows: Sequence[int] | np.ndarray) -> Iterator[list[str]]:
    """Features of every word of these rows, one after the other."""
    for i in rows:
        words = goal.words[i]
        forms = [[w.lower(), shape_of(w)] for w in words]
        for k in range(len(words)):
            low, shape = forms[k]
            found = ["bias", f"w={low}", f"s={shape}"]
            found += [f"p{n}={low[:n]}" for n in (2, 3)] + [
                f"e{n}={low[-n:]}" for n in (1, 2, 3, 4)
            ]
            for step in AROUND:
                near = forms[k + step] if 0 <= k + step < len(words) else ["<end>", ""]
                found += [f"{step}w={near[0]}", f"{step}s={near[1]}"]
                if abs(step) == 1:
                    found.append(f"{step}w={near[0]}+{low}")
            yield found


def shape_of(word: str) -> str:
    """How a word is written: `Xx`, `XX`, `x`, `d`; runs of one kind count once."""
    kinds = [
        "d" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word
    ]
    return "".join(c for k, c in enumerate(kinds[:12]) if not k or c != kinds[k - 1])
