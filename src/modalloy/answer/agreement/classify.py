"""Compares answers of `classify`: class or labels, the set that holds the truth, the decision."""

from typing import Any, ClassVar

import numpy as np

from modalloy.answer.agreement.agreement import Agreement, Compared, merged
from modalloy.answer.answers import Answer
from modalloy.answer.decide import costs_in
from modalloy.classical.rowwise import product

SURE = 0.5  # probability from which a row has a label, where it may have several


class ClassAgreement(Agreement):
    """The margin is how much likelier the class was than the next one, or a label than not. Of a
    set it is how far probabilities moved in all, since its threshold lies between; of a decision
    how much dearer the next one was, as a share of the dearest mistake.
    """

    margin: ClassVar[str] = "probability beyond that of the next class"

    def compare(
        self, task: str, options: Any, target: Any, before: Answer, after: Answer
    ) -> Compared:
        """Class and set and decision; whether a row is abstained from goes with its set."""
        p_BC, q_BC = (np.asarray(a["probability"], np.float64) for a in (before, after))
        if options.several:
            moved_BC = (p_BC >= SURE) != (q_BC >= SURE)
            margin_B = np.where(moved_BC, np.abs(2 * p_BC - 1), 0.0).max(1, initial=0.0)
            parts = [Compared(~moved_BC.any(1), margin_B)]
        else:
            parts = [Compared(p_BC.argmax(1) == q_BC.argmax(1), lead(p_BC))]
        if "set" in before:
            same_B = (before["set"] == after["set"]).all(1)
            parts.append(Compared(same_B, np.abs(p_BC - q_BC).sum(1)))
        costs = costs_in(task, options, target)
        if costs is not None:
            cost_BA, other_BA = product(p_BC, costs.cost_CA), product(q_BC, costs.cost_CA)
            dearest = float(np.abs(costs.cost_CA).max()) or 1.0
            parts.append(
                Compared(cost_BA.argmin(1) == other_BA.argmin(1), lead(-cost_BA) / dearest)
            )
        return merged(parts)

    def say(self, options: Any, target: Any, answer: Answer, row: int) -> str:
        """The class or labels with their probability, and the set."""
        p_C = answer["probability"][row]
        chosen = np.flatnonzero(p_C >= SURE) if options.several else [int(p_C.argmax())]
        said = ", ".join(f"{target.names[c]} {100 * p_C[c]:.2f} %" for c in chosen) or "none"
        if "set" in answer:
            names = [n for n, own in zip(target.names, answer["set"][row], strict=True) if own]
            said += f" in {{{', '.join(names)}}}"
        return said


def lead(x_BC: np.ndarray) -> np.ndarray:
    """How far the largest of each row is beyond the next one, (B,); infinite where it is alone."""
    if x_BC.shape[1] < 2:
        return np.full(len(x_BC), np.inf)
    next_BC = np.sort(x_BC, axis=1)[:, -2:]
    return next_BC[:, 1] - next_BC[:, 0]
