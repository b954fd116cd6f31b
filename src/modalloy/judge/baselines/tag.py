"""What a model that tags words must beat: no tag, each word's commonest one, a linear tagger."""

from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.job import config
from modalloy.judge.baselines.baseline import Baseline
from modalloy.judge.baselines.baseline_models import BaselineTask, objects
from modalloy.judge.baselines.lines import Case, Fitted
from modalloy.judge.baselines.tagger import tag_words

WORDS = "commonest tag of each word"
TAGGER = "linear tagger on words and their neighbours"


class TagBaseline(Baseline):
    """Simple methods for `tag`."""

    naive = WORDS

    def constant(
        self, goal: BaselineTask, train: np.ndarray, test: np.ndarray
    ) -> tuple[str, Answer]:
        """No tag at all."""
        tags = [["O"] * len(goal.words[i]) for i in test]
        return "no tag at all", {"tags": objects(tags), "confidence": np.ones(len(test))}

    def lines(self, case: Case) -> dict[str, Callable[[], Fitted]]:
        """By each word alone, and by its letters and neighbours."""
        goal, train, test, note = case.goal, case.train, case.test, case.sample.note
        return {
            WORDS: lambda: Fitted(commonest_tags(goal, train, test), test, note),
            TAGGER: lambda: Fitted(tag_words(goal, train, test, case.seed), test, note),
        }

    def again(self, case: Case, train: np.ndarray, test: np.ndarray) -> Answer:
        """Each word's commonest tag."""
        return commonest_tags(case.goal, train, test)

    def words_of(self, options: config.Tag) -> str:
        """The words that are tagged."""
        return options.on


def commonest_tags(goal: BaselineTask, train: np.ndarray, test: np.ndarray) -> Answer:
    """Each word's commonest training tag; O for new words."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for i in train:
        for word, tag in zip(goal.words[i], goal.truth[i], strict=False):
            seen[word][tag] += 1
    best = {word: min(tags, key=lambda t: (-tags[t], t)) for word, tags in seen.items()}
    tags = [[best.get(word, "O") for word in goal.words[i]] for i in test]
    return {"tags": objects(tags), "confidence": np.ones(len(test))}
