"""A network and a loader's rows: answers with everything seen, with inputs hidden, one at a time;
and what the network makes of the rows on the way to them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from modalloy.answer.answers import EVERYTHING, Answered, Answers, Hidden, View, join
from modalloy.answer.decoding.build import decode
from modalloy.answer.loader import Loader
from modalloy.answer.prediction import Embedding
from modalloy.answer.views import together, view_of
from modalloy.model.model import Model, Output
from modalloy.model.tasks.task import Outputs
from modalloy.model.tokens import Batch, arrays
from modalloy.model.trunk_features import with_trunks
from modalloy.readers.batch import ArrayBatch, chosen_inputs

BATCH = 64  # rows that go through the network together


@torch.no_grad()
def answer_rows(
    model: Model,
    loader: Loader,
    which: np.ndarray,
    *,
    hidden: Sequence[Hidden] = (EVERYTHING,),
    tasks: Callable[[Hidden], Collection[str] | None] = lambda h: None,
    inputs: Iterable[str] | None = None,
    heads: Collection[str] = (),
    widths: Mapping[str, int] | None = None,
    viewed: Collection[str] | None = None,
    batch: int = BATCH,
    tick: Callable[[int], None] = lambda n: None,
) -> Answered:
    """Answers of some rows, in their order; encoders run once however many subsets are asked for.

    tasks: those to answer with such inputs hidden, all of them for None. inputs: those to read and
    run, all of them for None; the others are as though missing from every row. heads: inputs whose
    own heads are asked with each subset. widths: of inputs with a frozen encoder whose pooled
    vectors are wanted, their length. viewed: to keep what the network makes of the rows, see
    `View`, of these inputs as their trunks pool them; `hidden` then holds `EVERYTHING`. tick is
    called with the number of rows done after every batch. JobError for a name that is no input.
    """
    wanted = [i for i in chosen_inputs(inputs, model.readers) if loader.shows(i)]
    was = model.training
    model.eval()
    order = by_length(loader, which, wanted)
    seen: dict[Hidden, list[Answers]] = {}
    alone: dict[str, list[Answers]] = {}
    own: dict[Hidden, dict[str, list[Answers]]] = {}
    vectors: dict[str, list[np.ndarray]] = {}
    views: list[View] = []
    for given in batches(loader, which[order], batch, wanted):
        trunks = {*(widths or {}), *(viewed or ())} & set(wanted)
        data = with_trunks(model, unanswered(Batch.of(given, model.device)), trunks)
        tokens = model.encode(data, wanted)
        for h in hidden:
            output = model.decide(model.hide(tokens, h), data, tasks(h))
            seen.setdefault(h, []).append(decoded(model, output.tasks))
            for i in heads:
                parts = own.setdefault(h, {}).setdefault(i, [])
                parts.append(of_own_heads(model, output, i))
            if not h and viewed is not None:
                said = {i: pooled(model, i, data) for i in viewed if i in trunks}
                views.append(view_of(model, loader, given, output, said))
            if not h:
                for i in wanted:
                    alone.setdefault(i, []).append(of_own_heads(model, output, i))
        for i, width in (widths or {}).items():
            vectors.setdefault(i, []).append(pooled(model, i, data, width))
        tick(len(given))
    model.train(was)
    back = np.argsort(order, kind="stable")
    return Answered(
        {h: join(parts, back) for h, parts in seen.items()},
        {i: a for i, parts in alone.items() if (a := join(parts, back))},
        {h: {i: join(p, back) for i, p in some.items()} for h, some in own.items()},
        {i: np.concatenate(parts)[back] for i, parts in vectors.items()},
        together(views, back) if views else None,
    )


def unanswered(batch: Batch) -> Batch:
    """The rows without their right answers, which no answer may look at."""
    return replace(batch, targets={})


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


@torch.no_grad()
def pooled(model: Model, name: str, batch: Batch, width: int | None = None) -> np.ndarray:
    """An encoder's own pooled vector of one input for each row; NaN where a row lacks it.

    width: its length; without it, rows that all lack the input run all the same to find it.
    """
    encoder = model.encoder(name)
    present = batch.present.get(name)
    if present is None or (width is not None and not present.any()):
        assert width is not None, "an input that is not read has no length of its own"
        return np.full((len(batch), width), np.nan, dtype=np.float32)
    values = batch.values[name]
    seen = present.nonzero().squeeze(1)
    some = seen if len(seen) else torch.arange(1, device=present.device)
    features = encoder.trunk_features({k: v[some] for k, v in values.items()})
    x_BF = encoder.pooled_features(features).float()
    out = x_BF.new_full((len(present), x_BF.shape[1]), torch.nan)
    if len(seen):
        out[seen] = x_BF
    return out.cpu().numpy()


def decoded(model: Model, outputs: Mapping[str, Outputs]) -> Answers:
    """The answers of tasks from what their heads returned."""
    tasks, targets = model.job.tasks, model.targets
    return {n: decode(tasks[n], targets[n], arrays(out)) for n, out in outputs.items()}


def of_own_heads(model: Model, output: Output, name: str) -> Answers:
    """The answers of one input's own heads."""
    return decoded(model, {task: heads[name] for task, heads in output.auxiliary.items()})


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
