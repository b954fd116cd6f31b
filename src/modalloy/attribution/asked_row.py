"""One row of a table that is asked again and again, with other cells hidden or changed."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from modalloy.answer.answers import Answer
from modalloy.answer.blended import blocks_of, possible
from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.answer.stage import adjust
from modalloy.answer.torch_engine import decoded, pooled_vectors
from modalloy.cells.cells import Cells
from modalloy.classical.blocks import FeatureBlock, read_block
from modalloy.classical.method import FittedMethod
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.model import Output
from modalloy.model.tokens import Batch, Tokens, arrays
from modalloy.readers.batch import TABLE, Arrays
from modalloy.readers.number import NumberReader

AT_ONCE = 64  # ways to see the row that go through the network together

Hidden = frozenset[str]  # columns, plain ones by their own names
Changed = Mapping[str, np.ndarray]  # number column -> what stands there in each way to see the row


class AskedRow:
    """The row, read and encoded once; `ask` fuses and answers it anew for each way to see it.

    loader: as `Predictor.open` makes it. row: its number in the table.
    """

    def __init__(self, predictor: Predictor, loader: Loader, row: int) -> None:
        self.run, self.model, self.blend = predictor.run, predictor.model, predictor.blend
        self.loader, self.row = loader, row
        which = np.array([row])
        with torch.no_grad():
            self.batch = Batch.of(loader.batch(which), self.model.device)
            media = [i for i in self.model.inputs if i != TABLE]
            self.tokens = {i: self.model.encode_one(i, self.batch) for i in media}
        widths = self.blend.widths.items()
        self.vectors = {i: pooled_vectors(self.model, i, self.batch, width) for i, width in widths}
        methods = [m for mixture in self.blend.tasks.values() for _, m in mixture.methods]
        read = next(iter(blocks_of(methods, loader, which)), None)
        self.blocks = {} if read is None else read[1]

    @property
    def columns(self) -> list[str]:
        """Columns whose cell is there in this row, plain ones first: all that can be hidden."""
        present = {i: p[0] for i, p in self.batch.present.items() if i != TABLE}
        found = []
        if TABLE in self.batch.present:
            seen_N = self.batch.present[TABLE][0].tolist()
            found = [c for c, seen in zip(self.plain, seen_N, strict=True) if seen]
        return [*found, *(i for i, seen in present.items() if seen)]

    @property
    def plain(self) -> list[str]:
        """Number, category and time columns in the order of the table's cells."""
        if TABLE not in self.model.inputs:
            return []
        encoder = self.model.encoder(TABLE)
        assert isinstance(encoder, TableEncoder)
        return encoder.columns

    @torch.no_grad()
    def ask(self, task: str, hidden: Sequence[Hidden], changed: Changed | None = None) -> Answer:
        """A task's answer as `predict` gives it, with these columns hidden: each set is one way to
        see the row.

        changed: numbers that stand in a column's place, one for each way.
        """
        parts = []
        for some, own in self._some(hidden, changed or {}):
            batch = self.seen_as(some, own)
            output = self.model.decide(self.tokens_of(batch), batch, [task])
            answer = decoded(self.model, {task: output.tasks[task]})[task]
            if task in self.blend.tasks:
                answer = self._blended(task, answer, output, some, own)
            parts.append(adjust({task: answer}, self.run.stages)[task])
        return joined(parts)

    @torch.no_grad()
    def outputs(self, task: str, hidden: Sequence[Hidden]) -> Arrays:
        """The network's raw outputs of a task, which spans and boxes are told by; the column that
        these are marked on must be seen in every way.
        """
        parts = []
        for some, own in self._some(hidden, {}):
            batch = self.seen_as(some, own)
            output = self.model.decide(self.tokens_of(batch), batch, [task])
            parts.append(arrays(output.tasks[task]))
        return joined(parts)

    def _some(
        self, hidden: Sequence[Hidden], changed: Changed
    ) -> Iterator[tuple[Sequence[Hidden], Changed]]:
        """As many ways to see the row at a time as go through the network together."""
        for start in range(0, len(hidden), AT_ONCE):
            at = slice(start, start + AT_ONCE)
            yield hidden[at], {c: x[at] for c, x in changed.items()}

    def _blended(
        self,
        task: str,
        answer: Answer,
        output: Output,
        hidden: Sequence[Hidden],
        changed: Changed,
    ) -> Answer:
        """The network's answer together with its own heads' and classical methods'."""
        options, mixture = self.run.job.tasks[task], self.blend.tasks[task]
        own = {i: output.auxiliary[task][i] for i in mixture.heads}
        heads = {i: decoded(self.model, {task: said})[task] for i, said in own.items()}
        beside = [possible(options, self.method(m, hidden, changed)) for _, m in mixture.methods]
        return possible(options, mixture.answer(answer, heads, beside))

    def seen_as(self, hidden: Sequence[Hidden], changed: Changed) -> Batch:
        """The row as a batch with one way to see it a row."""
        rows = len(hidden)
        values = {
            i: {k: v.expand(rows, *v.shape[1:]) for k, v in own.items()}
            for i, own in self.batch.values.items()
        }
        present = {}
        for i, seen in self.batch.present.items():
            gone = np.array([i in h for h in hidden])
            if i == TABLE:
                gone = np.array([[c in h for c in self.plain] for h in hidden])
            away = torch.from_numpy(gone).to(seen.device)
            present[i] = seen.expand(rows, *seen.shape[1:]) & ~away
        if changed:
            x_BN = values[TABLE]["number"].clone()
            for column, number_B in changed.items():
                reader = self.run.readers[column]
                x_B = reader.read(self.cell(column, number_B)).values["x"]
                x_BN[:, self.plain.index(column)] = torch.from_numpy(x_B).to(x_BN)
            values[TABLE] = values[TABLE] | {"number": x_BN}
        return Batch(values, present, {}, np.full(rows, self.row))

    def tokens_of(self, batch: Batch) -> dict[str, Tokens]:
        """Tokens of each way to see the row; media were encoded once."""
        found = {}
        for name in self.model.inputs:
            encoder = self.model.encoder(name)
            if name == TABLE:
                found[name] = encoder(batch.values[TABLE], batch.present[TABLE])
            else:
                found[name] = repeated(encoder, self.tokens[name], batch.present[name])
        return found

    def method(self, method: FittedMethod, hidden: Sequence[Hidden], changed: Changed) -> Answer:
        """What a classical method says."""
        blocks = {}
        for name in method.readers:
            block = self.blocks[name]
            reader = self.run.readers[name]
            if name in changed and isinstance(reader, NumberReader):
                block = read_block(reader, self.cell(name, changed[name]))
            gone_B = np.array([name in h for h in hidden])
            blocks[name] = hide_block(block, gone_B)
        frozen_BF = None
        if method.frozen:
            gone_B = {i: np.array([i in h for h in hidden])[:, None] for i in method.frozen}
            parts = [np.where(gone_B[i], np.nan, self.vectors[i]) for i in method.frozen]
            frozen_BF = np.concatenate(parts, axis=1)
        return method.of_blocks(blocks, frozen_BF, len(hidden))

    def cell(self, column: str, number_B: np.ndarray) -> Cells:
        """Numbers as cells of a column."""
        return Cells({column: number_B.tolist()})


def repeated(encoder: Encoder, tokens: Tokens, present_B: torch.Tensor) -> Tokens:
    """The tokens of one row as those of several, of which some lack the input."""
    rows = present_B.nonzero().squeeze(1)
    if not len(rows):
        return encoder.absent(len(present_B))
    some = expanded(tokens, len(rows))
    return some if len(rows) == len(present_B) else encoder.scatter(some, rows, len(present_B))


def expanded(tokens: Tokens, rows: int) -> Tokens:
    """The tokens of one row, so many times."""

    def times(x: torch.Tensor) -> torch.Tensor:
        return x.expand(rows, *x.shape[1:])

    words = None if tokens.words_BW is None else times(tokens.words_BW)
    maps = tuple(times(m) for m in tokens.maps)
    return Tokens(times(tokens.x_BTD), times(tokens.mask_BT), times(tokens.summary_BD), words, maps)


def hide_block(block: FeatureBlock, gone_B: np.ndarray) -> FeatureBlock:
    """Plain features of one row (or of as many as there are ways to see it), gone where hidden."""
    if isinstance(block.values, list):
        text = block.values[0]
        return block._replace(values=["" if gone else text for gone in gone_B])
    return block._replace(values=np.where(gone_B[:, None], np.nan, block.values))


def joined(parts: Sequence[Arrays]) -> Arrays:
    """Arrays of some ways after those of others."""
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
