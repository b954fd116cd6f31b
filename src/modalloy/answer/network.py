"""A network and a loader's rows: answers with everything seen, with inputs hidden, one at a time;
and what the network makes of the rows on the way to them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch

from modalloy.answer.answers import EVERYTHING, Answered, Answers, Hidden, join
from modalloy.answer.decoding.build import decode
from modalloy.answer.loader import Loader
from modalloy.answer.prediction import Embedding
from modalloy.model.model import Model
from modalloy.model.tasks.task import Outputs
from modalloy.model.tokens import Batch, arrays
from modalloy.readers.batch import ArrayBatch, chosen_inputs

BATCH = 64  # rows that go through the network together


@torch.no_grad()
def answer_rows(
    model: Model,
    loader: Loader,
    which: np.ndarray,
    *,
    hidden: Sequence[Hidden] = (EVERYTHING,),
    inputs: Iterable[str] | None = None,
    batch: int = BATCH,
    tick: Callable[[int], None] = lambda n: None,
) -> Answered:
    """Answers of some rows, in their order; encoders run once however many subsets are asked for.

    inputs: those to read and run, all of them for None; the others are as though missing from every
    row. tick is called with the number of rows done after every batch. JobError for a name that is
    no input.
    """
    wanted = [i for i in chosen_inputs(inputs, model.readers) if loader.shows(i)]
    was = model.training
    model.eval()
    order = by_length(loader, which, wanted)
    seen: dict[Hidden, list[Answers]] = {}
    alone: dict[str, list[Answers]] = {}
    for given in batches(loader, which[order], batch, wanted):
        data = Batch.of(given, model.device)
        tokens = model.encode(data, wanted)
        for h in hidden:
            output = model.decide(model.hide(tokens, h), data)
            seen.setdefault(h, []).append(decoded(model, output.tasks))
            if not h:
                for i in wanted:
                    own = {n: o[i] for n, o in output.auxiliary.items()}
                    alone.setdefault(i, []).append(decoded(model, own))
        tick(len(given))
    model.train(was)
    back = np.argsort(order, kind="stable")
    return Answered(
        {h: join(parts, back) for h, parts in seen.items()},
        {i: a for i, parts in alone.items() if (a := join(parts, back))},
    )


@torch.no_grad()
def embed_rows(model: Model, loader: Loader, which: np.ndarray, *, batch: int = BATCH) -> Embedding:
    """Summaries of some rows, in their order, of the inputs that the loader shows; the model is in
    evaluation mode.
    """
    shown = [i for i in model.inputs if loader.shows(i)]
    order = by_length(loader, which, shown)
    columns: dict[str, list[np.ndarray]] = {i: [] for i in shown}
    fused: list[np.ndarray] = []
    for given in batches(loader, which[order], batch, shown):
        tokens = model.encode(Batch.of(given, model.device), shown)
        own = {i: tokens[i].summary_BD for i in shown}
        whole = {"fused": model.fusion(tokens).summary_BKD.mean(1)}
        for name, summary in arrays(own).items():
            columns[name].append(summary)
        fused.append(arrays(whole)["fused"])
    back = np.argsort(order, kind="stable")
    width = model.job.fuse.width

    def joined(parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([*parts, np.zeros((0, width), np.float32)])[back]

    return Embedding({name: joined(parts) for name, parts in columns.items()}, joined(fused))


def decoded(model: Model, outputs: Mapping[str, Outputs]) -> Answers:
    """The answers of tasks from what their heads returned."""
    tasks, targets = model.job.tasks, model.targets
    return {n: decode(tasks[n], targets[n], arrays(out)) for n, out in outputs.items()}


def by_length(loader: Loader, which: np.ndarray, inputs: Iterable[str]) -> np.ndarray:
    """Positions of the rows in the order in which little is padded: texts of like length meet."""
    lengths = loader.lengths(which, inputs=inputs)
    return np.arange(len(which)) if lengths is None else np.argsort(lengths, kind="stable")


def batches(
    loader: Loader, which: np.ndarray, batch: int, inputs: Iterable[str]
) -> Iterator[ArrayBatch]:
    """These rows in this order, so many at a time."""
    chunks = (which[i : i + batch] for i in range(0, len(which), batch))
    return loader.stream(chunks, inputs=inputs)
