"""A convex combination of a network's answers, its own heads' and classical methods', by task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.method import FittedMethod


@dataclass(frozen=True)
class Mixture:
    """What the answers of one task are made of; all weights together are 1.

    network: weight of the whole network. heads: input -> weight of its own head in the network.
    methods: classical methods with their weights.
    """

    network: float
    heads: Mapping[str, float] = field(default_factory=dict)
    methods: Sequence[tuple[float, FittedMethod]] = ()

    def answer(
        self, network: Answer, heads: Mapping[str, Answer], methods: Sequence[Answer]
    ) -> Answer:
        """The combined answer to each row.

        heads: by input, those named in `heads` at least. methods: in the order of `methods`.
        """
        weights = [self.network, *self.heads.values(), *(w for w, _ in self.methods)]
        return mix([network, *(heads[i] for i in self.heads), *methods], weights)


@dataclass(frozen=True)
class Blend:
    """What is done to a run's answers right after the network, and what that needs of it.

    tasks: those whose answers are combined; all others stay the network's. widths: input -> length
    of its frozen encoder's pooled vector, of inputs whose vectors some method sees.
    """

    tasks: Mapping[str, Mixture] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)

    @property
    def heads(self) -> list[str]:
        """Inputs whose own heads have a say."""
        return list(dict.fromkeys(i for m in self.tasks.values() for i in m.heads))


NOTHING = Blend()


def mix(answers: Sequence[Answer], weights: Sequence[float]) -> Answer:
    """The weighted mean of answers, in the form and number types of the first.

    Probabilities and values are averaged, row by row. Quantiles are the first answer's, moved by as
    much as its value was: no other answer has any.
    """
    first = answers[0]
    key = "probability" if "probability" in first else "value"
    mixed = np.zeros(np.shape(first[key]))
    for weight, answer in zip(weights, answers, strict=True):
        mixed += weight * np.asarray(answer[key], dtype=np.float64)
    found = {**first, key: mixed.astype(first[key].dtype)}
    if "quantiles" in first:
        moved_B = mixed - np.asarray(first["value"], dtype=np.float64)
        found["quantiles"] = (first["quantiles"] + moved_B[:, None]).astype(
            first["quantiles"].dtype
        )
    return found
