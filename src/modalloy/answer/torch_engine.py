"""A network of torch that answers: the one that learned, on whichever device it lies."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from modalloy.answer.answers import Answers
from modalloy.answer.cache import Cache
from modalloy.answer.decoding.build import decode
from modalloy.answer.engine import Decided, Encoded, Engine
from modalloy.answer.kept_features import FrozenFeatures
from modalloy.model.model import Model
from modalloy.model.tasks.task import Outputs
from modalloy.model.tokens import Batch, Tokens, arrays
from modalloy.model.trunk_features import with_trunks
from modalloy.readers.batch import ArrayBatch


class TorchEngine(Engine):
    """A model as an engine; its mode is restored after `answering`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.job, self.readers, self.targets = model.job, model.readers, model.targets
        self.inputs = list(model.inputs)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer in evaluation mode, without gradients."""
        was = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.model.train(was)

    def features(self, name: str, kept: Cache) -> FrozenFeatures:
        """Of this encoder, which is frozen."""
        return FrozenFeatures(self.model.encoder(name), self.readers[name], kept)

    @torch.no_grad()
    def encode(
        self, given: ArrayBatch, inputs: Collection[str], *, pooled: Collection[str] = ()
    ) -> Encoded:
        """Trunks whose vectors are wanted run once for these and the tokens."""
        model = self.model
        data = unanswered(Batch.of(given, model.device))
        data = with_trunks(model, data, set(pooled) & set(inputs))
        tokens = {n: model.encode_one(n, data) for n in self.inputs if n in inputs}
        vectors = {n: pooled_vectors(model, n, data) for n in pooled if n in inputs}
        return Encoded(given.rows, tokens, data, vectors)

    def take(self, tokens: Tokens, which: np.ndarray) -> Tokens:
        """Some of the rows."""
        index = torch.from_numpy(which).to(tokens.x_BTD.device)
        words = None if tokens.words_BW is None else tokens.words_BW[index]
        maps = tuple(m[index] for m in tokens.maps)
        x_BTD, mask_BT, summary_BD = tokens.x_BTD, tokens.mask_BT, tokens.summary_BD
        return Tokens(x_BTD[index], mask_BT[index], summary_BD[index], words, maps)

    @torch.no_grad()
    def decide(
        self,
        encoded: Encoded,
        *,
        hidden: Collection[str] = (),
        tasks: Collection[str] | None = None,
    ) -> Decided:
        """Absent tokens stand for what is hidden or was not encoded."""
        model, rows = self.model, len(encoded)
        seen = {n: t for n, t in encoded.tokens.items() if n not in hidden}
        tokens = {n: seen[n] if n in seen else model.encoder(n).absent(rows) for n in self.inputs}
        batch = encoded.context or Batch({}, {}, {}, encoded.rows)
        output = model.decide(tokens, batch, tasks)
        heads: dict[str, dict[str, dict[str, np.ndarray]]] = {n: {} for n in self.inputs}
        for task, own in output.auxiliary.items():
            for name, raw in own.items():
                heads[name][task] = arrays(raw)
        return Decided(
            {n: arrays(raw) for n, raw in output.tasks.items()},
            heads,
            arrays(output.summaries),
            arrays({"fused": output.fused.summary_BKD.mean(1)})["fused"],
        )


def unanswered(batch: Batch) -> Batch:
    """The rows without their right answers, which no answer may look at."""
    return replace(batch, targets={})


@torch.no_grad()
def pooled_vectors(model: Model, name: str, batch: Batch, width: int | None = None) -> np.ndarray:
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
