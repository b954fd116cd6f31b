"""A trained model and rows in, answers out: with everything seen, with inputs hidden, one at a
time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.model.body import chosen_inputs
from modalloy.model.model import Model

Answer = dict[str, np.ndarray]
Answers = dict[str, Answer]  # task -> answer
Hidden = frozenset[str]
EVERYTHING: Hidden = frozenset()


@dataclass
class Answered:
    """Answers by which inputs were hidden, and those of each modality's own head."""

    seen: dict[Hidden, Answers] = field(default_factory=dict)
    alone: dict[str, Answers] = field(default_factory=dict)


@torch.no_grad()
def answer_rows(
    model: Model,
    loader: Loader,
    which: np.ndarray,
    *,
    hidden: Sequence[Hidden] = (EVERYTHING,),
    inputs: Iterable[str] | None = None,
    batch: int = 64,
    tick: Callable[[int], None] = lambda n: None,
) -> Answered:
    """Answers of some rows, in their order; encoders run once however many subsets are asked for.

    inputs: those to read and run, all of them for None; the others are as though missing from every
    row. tick is called with the number of rows done after every batch. JobError for a name that is
    no input.
    """
    wanted = chosen_inputs(inputs, model.readers)
    was = model.training
    model.eval()
    lengths = loader.lengths(which, inputs=wanted)
    order = np.arange(len(which)) if lengths is None else np.argsort(lengths, kind="stable")
    chunks = [order[i : i + batch] for i in range(0, len(order), batch)]
    seen: dict[Hidden, list[Answers]] = {}
    alone: dict[str, list[Answers]] = {}
    stream = loader.stream((which[c] for c in chunks), inputs=wanted)
    for some, data in zip(chunks, stream, strict=True):
        data = data.to(model.device)
        tokens = model.encode(data, wanted)
        for h in hidden:
            output = model.decide(model.hide(tokens, h), data)
            seen.setdefault(h, []).append(
                {n: model.task(n).answer(out) for n, out in output.tasks.items()}
            )
            if not h:
                for i in wanted:
                    alone.setdefault(i, []).append(
                        {n: model.auxiliary[n][i].answer(o[i]) for n, o in output.auxiliary.items()}
                    )
        tick(len(some))
    model.train(was)
    back = np.argsort(order, kind="stable")
    return Answered(
        {h: join(parts, back) for h, parts in seen.items()},
        {i: a for i, parts in alone.items() if (a := join(parts, back))},
    )


def join(parts: list[Answers], back: np.ndarray) -> Answers:
    """One answer a task from those of its batches, rows in the order asked for."""
    return {
        task: {key: np.concatenate([p[task][key] for p in parts])[back] for key in parts[0][task]}
        for task in parts[0]
    }
