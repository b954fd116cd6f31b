"""A network and a loader's rows: answers with everything seen, with inputs hidden, one at a time;
and what the network makes of the rows on the way to them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answered, Answers, Hidden, View, join
from modalloy.answer.decoding.build import decode
from modalloy.answer.engine import Engine
from modalloy.answer.loader import Loader
from modalloy.answer.prediction import Embedding
from modalloy.answer.views import together, view_of
from modalloy.readers.batch import ArrayBatch, Arrays, chosen_inputs

if TYPE_CHECKING:
    from modalloy.model.model import Model

BATCH = 64  # rows that go through the network together


def answer_rows(
    network: "Model | Engine",
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
    engine = engine_of(network)
    wanted = [i for i in chosen_inputs(inputs, engine.readers) if loader.shows(i)]
    order = by_length(loader, which, wanted)
    seen: dict[Hidden, list[Answers]] = {}
    alone: dict[str, list[Answers]] = {}
    own: dict[Hidden, dict[str, list[Answers]]] = {}
    vectors: dict[str, list[np.ndarray]] = {}
    views: list[View] = []
    pooled = {*(widths or {}), *(viewed or ())} & set(wanted)
    with engine.answering():
        for given in batches(loader, which[order], batch, wanted):
            encoded = engine.encode(given, wanted, pooled=pooled)
            for h in hidden:
                said = engine.decide(encoded, hidden=h, tasks=tasks(h))
                seen.setdefault(h, []).append(answers_of(engine, said.tasks))
                for i in heads:
                    parts = own.setdefault(h, {}).setdefault(i, [])
                    parts.append(answers_of(engine, said.heads[i]))
                if not h and viewed is not None:
                    trunks = {i: encoded.pooled[i] for i in viewed if i in pooled}
                    views.append(view_of(engine, loader, given, said, trunks))
                if not h:
                    for i in wanted:
                        alone.setdefault(i, []).append(answers_of(engine, said.heads[i]))
            for i, width in (widths or {}).items():
                blank = np.full((len(given), width), np.nan, np.float32)
                vectors.setdefault(i, []).append(encoded.pooled.get(i, blank))
            tick(len(given))
    back = np.argsort(order, kind="stable")
    return Answered(
        {h: join(parts, back) for h, parts in seen.items()},
        {i: a for i, parts in alone.items() if (a := join(parts, back))},
        {h: {i: join(p, back) for i, p in some.items()} for h, some in own.items()},
        {i: np.concatenate(parts)[back] for i, parts in vectors.items()},
        together(views, back) if views else None,
    )


def embed_rows(
    network: "Model | Engine", loader: Loader, which: np.ndarray, *, batch: int = BATCH
) -> Embedding:
    """Summaries of some rows, in their order, of the inputs that the loader shows."""
    engine = engine_of(network)
    shown = [i for i in engine.inputs if loader.shows(i)]
    order = by_length(loader, which, shown)
    columns: dict[str, list[np.ndarray]] = {i: [] for i in shown}
    fused: list[np.ndarray] = []
    with engine.answering():
        for given in batches(loader, which[order], batch, shown):
            said = engine.decide(engine.encode(given, shown), tasks=())
            for name in shown:
                columns[name].append(said.summaries[name])
            fused.append(said.fused_BD)
    back = np.argsort(order, kind="stable")
    width = engine.job.fuse.width

    def joined(parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([*parts, np.zeros((0, width), np.float32)])[back]

    return Embedding({name: joined(parts) for name, parts in columns.items()}, joined(fused))


def engine_of(network: "Model | Engine") -> Engine:
    """A model of torch as an engine, or the engine that it is."""
    if isinstance(network, Engine):
        return network
    from modalloy.answer.torch_engine import TorchEngine

    return TorchEngine(network)


def answers_of(engine: Engine, outputs: Mapping[str, Arrays]) -> Answers:
    """The answers of tasks from what their heads returned."""
    tasks, targets = engine.job.tasks, engine.targets
    return {n: decode(tasks[n], targets[n], out) for n, out in outputs.items()}


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
