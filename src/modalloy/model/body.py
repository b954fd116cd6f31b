"""Encoders and one fusion: a summary of each row, with or without tasks that answer from it."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Self

import torch
from torch import nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.inputs import shared_encoders
from modalloy.model.adapted import Adapted
from modalloy.model.encoders.build import build_encoder
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.fusion import build_fusion
from modalloy.model.layers.dropout import replace_dropout
from modalloy.model.layers.named import Named
from modalloy.model.tokens import Batch, Fused, Tokens
from modalloy.readers.batch import TABLE, chosen_inputs, inputs_of, unknown
from modalloy.readers.reader import Reader


class Body(nn.Module):
    """The part of a network that knows no target: it can learn before there are any.

    readers: as fitted on the training rows. pretrained: read weight files of pretrained encoders;
    False builds the same network for weights that are loaded afterwards. trunks: configurations of
    `hf:` encoders, as a run keeps them.
    """

    def __init__(
        self,
        job: config.Job,
        readers: Mapping[str, Reader],
        *,
        pretrained: bool,
        trunks: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self.job, self.readers = job, dict(readers)
        self.inputs = inputs_of(readers)
        self.shared = shared_encoders(job)
        self.encoders = Named(
            {
                name: build_encoder(job, readers, name, pretrained, (trunks or {}).get(name))
                for name in self.inputs
                if name not in self.shared
            }
        )
        replace_dropout(self.encoders)
        self.fusion = build_fusion(job.fuse, self.inputs, job.fuse.width)
        self.in_bfloat16 = False  # inside media encoders while training; set by the probe
        self.adapted: Adapted | None = None  # while small parts learn beside its layers
        self.allocation: nn.Module | None = None  # of ranks to layers, while these learn
        self.compressed: list[dict[str, Any]] = []  # what was done to its layers, in this order

    @property
    def body(self) -> Self:
        """Itself: of whatever is trained, this is the part that encodes."""
        return self

    @property
    def device(self) -> torch.device:
        """Where its weights lie, and where batches must come to."""
        return next(self.parameters()).device

    def train(self, mode: bool = True) -> Self:
        """Running figures of what is adapted stand still: they belong to weights that do, too."""
        super().train(mode)
        for module in self.adapted.still if self.adapted is not None else ():
            module.eval()
        return self

    def encoder(self, name: str) -> Encoder:
        """The encoder that reads an input; a template picture shares the one of its picture."""
        return self.encoders[self.shared.get(name, name)]

    def encode(self, batch: Batch, inputs: Iterable[str] | None = None) -> dict[str, Tokens]:
        """Tokens of every input, each row on its own.

        inputs: those to run, all of them for None. The others are as though missing from every
        row, and the batch need not hold them. JobError for a name that is no input.
        """
        wanted = chosen_inputs(inputs, self.readers)
        found = {name: self.encode_one(name, batch) for name in wanted}
        rows = found[wanted[0]].summary_BD.shape[0] if found else len(batch)
        return {n: found[n] if n in found else self.encoder(n).absent(rows) for n in self.inputs}

    def encode_one(self, name: str, batch: Batch) -> Tokens:
        """Tokens of one input; media encoders may work in bfloat16, their tokens are float32."""
        x, present = batch.values[name], batch.present[name]
        if not self.halves(name):
            return self.encoder(name)(x, present)
        with self.number_type(name):
            tokens = self.encoder(name)(x, present)
        return tokens._replace(
            x_BTD=tokens.x_BTD.float(),
            summary_BD=tokens.summary_BD.float(),
            maps=tuple(m.float() for m in tokens.maps),
        )

    def halves(self, name: str) -> bool:
        """Whether the encoder of this input works in bfloat16 now."""
        return self.in_bfloat16 and self.training and name != TABLE

    def number_type(self, name: str) -> AbstractContextManager[Any]:
        """What the encoder of this input works in, for whatever runs a part of it."""
        if not self.halves(name):
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def fuse(self, tokens: Mapping[str, Tokens]) -> Fused:
        """One summary a row, from the tokens of all inputs."""
        return self.fusion(tokens)

    def hide(self, tokens: Mapping[str, Tokens], inputs: Iterable[str]) -> dict[str, Tokens]:
        """The tokens as though these inputs were missing from every row."""
        hidden = set(inputs)
        return {
            name: self.encoder(name).absent(t.summary_BD.shape[0]) if name in hidden else t
            for name, t in tokens.items()
        }

    def hide_cells(self, batch: Batch, columns: Iterable[str]) -> Batch:
        """The batch as though these columns were empty: media columns, or single plain ones.

        Only what the batch says of presence is new. JobError for a name that is no column.
        """
        hidden = set(columns)
        for name in sorted(hidden - self.readers.keys()):
            raise JobError(unknown("column", name, self.readers))
        present = dict(batch.present)
        for name in hidden & present.keys():
            present[name] = torch.zeros_like(present[name])
        if TABLE in present:
            encoder = self.encoder(TABLE)
            assert isinstance(encoder, TableEncoder)
            seen_N = torch.tensor([column not in hidden for column in encoder.columns])
            present[TABLE] = present[TABLE] & seen_N.to(present[TABLE].device)
        return replace(batch, present=present)

    def trunk_configs(self) -> dict[str, dict[str, Any]]:
        """What `hf:` encoders need to be built again without their folder."""
        found: dict[str, Any] = {
            n: getattr(e, "trunk_config", None) for n, e in self.encoders.items()
        }
        return {n: c for n, c in found.items() if c is not None}


def located_on(job: config.Job) -> set[str]:
    """Picture columns that boxes are looked for on, or that these are compared with."""
    return {column for task in job.tasks.values() for column in task.pictures}
