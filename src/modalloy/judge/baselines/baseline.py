"""The simple methods that one kind of task must beat; each kind is a file beside this one."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.job import config
from modalloy.tasks.kit import kit_of, part

if TYPE_CHECKING:
    from modalloy.judge.baselines.baseline_models import BaselineTask
    from modalloy.judge.baselines.lines import Case, Fitted


class Baseline(ABC):
    """What a kind of task is compared with; answers have the form of its head's.

    naive: the line that is also fitted on a random split, to show what such a split would flatter;
    "" for none. plain: whether its lines look at plain features, though answers are no single ones.
    """

    naive: str = ""
    plain: bool = False

    @abstractmethod
    def constant(
        self, goal: "BaselineTask", train: np.ndarray, test: np.ndarray
    ) -> tuple[str, Answer]:
        """The same answer to every row, and its name. train, test: positions within the sample."""

    @abstractmethod
    def lines(self, case: "Case") -> Mapping[str, Callable[[], "Fitted"]]:
        """Further simple methods by name, each ready to be fitted."""

    def again(self, case: "Case", train: np.ndarray, test: np.ndarray) -> Answer:
        """The `naive` line's answers to other test rows, learned from other training rows.

        Asked only where `naive` names a line; a kind that names one has to say how it is fitted.
        """
        raise NotImplementedError(f"{type(self).__name__} names no naive line")

    def asked(self, options: Any) -> Any:
        """The options without what a simple method does not answer, and is not judged by."""
        return options

    def words_of(self, options: Any) -> str | None:
        """The column whose words the simple methods of this kind see, if they do."""
        del options
        return None


def baseline_of(options: config.TaskOptions) -> Baseline:
    """What a task is compared with."""
    kind: type[Baseline] = part(kit_of(options).baseline)
    return kind()
