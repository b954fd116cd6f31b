"""A batch in, named answers out: encoders, one fusion, task heads, a small head a modality."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import torch
from torch import Tensor, nn

from modalloy.job import config
from modalloy.model.encoders.audio import AudioEncoder
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.encoders.vector import VectorEncoder
from modalloy.model.fusion import Consistency, build_fusion
from modalloy.model.layers.dropout import replace_dropout
from modalloy.model.layers.named import Named
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.task import Outputs, Task
from modalloy.model.tokens import Batch, Fused, Tokens
from modalloy.readers.audio import AudioReader
from modalloy.readers.batch import TABLE, inputs_of
from modalloy.readers.image import ImageReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader
from modalloy.readers.vector import VectorReader
from modalloy.tasks.kit import kit_of


@dataclass
class Output:
    """What one forward pass leaves: raw outputs of every task, and of every modality's own head."""

    tasks: dict[str, Outputs]
    auxiliary: dict[str, dict[str, Outputs]]  # task -> input -> outputs
    fused: Fused
    summaries: dict[str, Tensor]  # input -> (B, D)


class Model(nn.Module):
    """The whole network of one job.

    job, readers, targets: as fitted on the training rows. pretrained: read weight files of
    pretrained encoders; False builds the same network for weights that are loaded afterwards.
    trunks: configurations of `hf:` encoders, as a run keeps them.
    """

    def __init__(
        self,
        job: config.Job,
        readers: Mapping[str, Reader],
        targets: Mapping[str, Any],
        *,
        pretrained: bool,
        trunks: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self.job, self.readers, self.targets = job, dict(readers), dict(targets)
        self.inputs = inputs_of(readers)
        self.shared = shared_encoders(job)
        width = job.fuse.width
        self.encoders = Named(
            {
                name: build_encoder(job, readers, name, pretrained, (trunks or {}).get(name))
                for name in self.inputs
                if name not in self.shared
            }
        )
        replace_dropout(self.encoders)
        self.fusion = build_fusion(job.fuse, self.inputs, width)
        smoothing = job.train.label_smoothing
        found = ((n, self.encoder(n)) for n in located_on(job))
        channels = {n: e.map_channels() for n, e in found if isinstance(e, ImageEncoder)}
        self.tasks = Named(
            {
                n: build_task(n, o, targets[n], width, self.fusion.members, smoothing, channels)
                for n, o in job.tasks.items()
            }
        )
        self.auxiliary = Named(
            {
                name: Named(
                    {
                        i: build_task(name, o, targets[name], width, 1, smoothing)
                        for i in self.inputs
                    }
                )
                for name, o in job.tasks.items()
                if job.fuse.auxiliary and len(self.inputs) > 1 and kit_of(o).whole_row
            }
        )
        self.consistency = Consistency(self.inputs, width) if job.fuse.consistency else None
        self.in_bfloat16 = False  # inside media encoders while training; set by the probe

    @property
    def device(self) -> torch.device:
        """Where its weights lie, and where batches must come to."""
        return next(self.parameters()).device

    def encoder(self, name: str) -> Encoder:
        """The encoder that reads an input; a template picture shares the one of its picture."""
        return self.encoders[self.shared.get(name, name)]

    def encode(self, batch: Batch) -> dict[str, Tokens]:
        """Tokens of every input, each row on its own."""
        return {name: self.encode_one(name, batch) for name in self.inputs}

    def encode_one(self, name: str, batch: Batch) -> Tokens:
        """Tokens of one input; media encoders may work in bfloat16, their tokens are float32."""
        x, present = batch.values[name], batch.present[name]
        if not (self.in_bfloat16 and self.training) or name == TABLE:
            return self.encoder(name)(x, present)
        with torch.autocast(present.device.type, torch.bfloat16):
            tokens = self.encoder(name)(x, present)
        return tokens._replace(
            x_BTD=tokens.x_BTD.float(),
            summary_BD=tokens.summary_BD.float(),
            maps=tuple(m.float() for m in tokens.maps),
        )

    def decide(self, tokens: Mapping[str, Tokens], batch: Batch) -> Output:
        """Fuse and answer."""
        fused = self.fusion(tokens)
        alone = {i: Fused(t.summary_BD.unsqueeze(1)) for i, t in tokens.items()}
        return Output(
            {name: task(fused, tokens, batch) for name, task in self.tasks.items()},
            {
                name: {i: head(alone[i], tokens, batch) for i, head in heads.items()}
                for name, heads in self.auxiliary.items()
            },
            fused,
            {i: t.summary_BD for i, t in tokens.items()},
        )

    def forward(self, batch: Batch) -> Output:
        """All of it."""
        return self.decide(self.encode(batch), batch)

    def hide(self, tokens: Mapping[str, Tokens], inputs: Iterable[str]) -> dict[str, Tokens]:
        """The tokens as though these inputs were missing from every row."""
        hidden = set(inputs)
        return {
            name: self.encoder(name).absent(len(t.summary_BD)) if name in hidden else t
            for name, t in tokens.items()
        }

    def task(self, name: str) -> Task:
        """The head of a task."""
        return self.tasks[name]

    def trunk_configs(self) -> dict[str, dict[str, Any]]:
        """What `hf:` encoders need to be built again without their folder."""
        found: dict[str, Any] = {
            n: getattr(e, "trunk_config", None) for n, e in self.encoders.items()
        }
        return {n: c for n, c in found.items() if c is not None}


def essential_inputs(job: config.Job) -> set[str]:
    """Inputs that a task cannot do without: they are never hidden in training."""
    return {name for task in job.tasks.values() for name in task.works_on}


def located_on(job: config.Job) -> set[str]:
    """Picture columns that boxes are looked for on, or that these are compared with."""
    return {column for task in job.tasks.values() for column in task.pictures}


def shared_encoders(job: config.Job) -> dict[str, str]:
    """A template is read by its picture's encoder when both columns have the same options."""
    compared = [task.pictures for task in job.tasks.values() if task.pictures]
    pairs = [(template, pictures[0]) for pictures in compared for template in pictures[1:]]
    return {a: b for a, b in pairs if job.columns[a] == job.columns[b]}


def build_encoder(
    job: config.Job,
    readers: Mapping[str, Reader],
    name: str,
    pretrained: bool,
    trunk: dict[str, Any] | None,
) -> Encoder:
    """The encoder of one input, as its column's options ask."""
    width = job.fuse.width
    if name == TABLE:
        plain = [r for r in readers.values() if r.kind in ("number", "category", "time")]
        return TableEncoder(plain, {r.name: job.columns[r.name] for r in plain}, width)
    options, reader = job.columns[name], readers[name]
    match options:
        case config.Text():  # Tokens too
            assert isinstance(reader, TextReader)
            return TextEncoder(reader, options, width, pretrained=pretrained, trunk_config=trunk)
        case config.Image():
            assert isinstance(reader, ImageReader)
            return ImageEncoder(reader, options, width, pretrained=pretrained, trunk_config=trunk)
        case config.Audio():
            assert isinstance(reader, AudioReader)
            return AudioEncoder(reader, options, width, pretrained=pretrained, trunk_config=trunk)
        case config.Series():
            assert isinstance(reader, SeriesReader)
            return SeriesEncoder(reader, options, width, pretrained=pretrained, trunk_config=trunk)
        case config.Vector():
            assert isinstance(reader, VectorReader)
            return VectorEncoder(reader, options, width)
        case config.Number() | config.Category() | config.Time():
            raise AssertionError("plain columns are read together")
        case config.Group() | config.Ignore():
            raise AssertionError("not an input")
        case _:
            assert_never(options)
