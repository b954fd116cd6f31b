"""The whole network of a job: its body, task heads, a small head for each modality."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from modalloy.job import config
from modalloy.model.body import Body, located_on
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.fusion import Consistency
from modalloy.model.layers.named import Named
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.detr import Channels
from modalloy.model.tasks.task import Outputs, Task
from modalloy.model.tokens import Batch, Fused, Tokens
from modalloy.model.trunks.detectors import (
    DETECTORS,
    Detector,
    build_detector,
    load_detector,
)
from modalloy.readers.reader import Reader
from modalloy.tasks.kit import kit_of


@dataclass
class Output:
    """What one forward pass leaves: raw outputs of every task, and of every modality's own head."""

    tasks: dict[str, Outputs]
    auxiliary: dict[str, dict[str, Outputs]]  # task -> input -> outputs
    fused: Fused
    summaries: dict[str, Tensor]  # input -> (B, D)


class Model(Body):
    """The whole network of one job: its body, and a head for each of its tasks.

    targets: as fitted on the training rows; the rest is as in `Body`.
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
        super().__init__(job, readers, pretrained=pretrained, trunks=trunks)
        self.targets = dict(targets)
        width = job.fuse.width
        smoothing = job.train.label_smoothing
        maps, seen = located_on(job), {n: self.encoder(n) for n in self.inputs}
        widths = {
            n: e.map_channels() if n in maps and isinstance(e, ImageEncoder) else ()
            for n, e in seen.items()
        }
        channels = Channels(widths, self._detectors(pretrained))
        self.tasks = Named(
            {
                n: build_task(n, o, targets[n], width, self.fusion.members, smoothing, channels)
                for n, o in job.tasks.items()
            }
        )
        for task in self.tasks.values() if pretrained else ():
            task.read_pretrained()
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

    def _detectors(self, pretrained: bool) -> dict[str, Detector]:
        """What finds boxes in the checkpoints of pictures, for the tasks that go on from it."""
        found = {}
        for name, options in self.job.tasks.items():
            if (picture := options.decoded_by) is None:
                continue
            encoder, column = self.encoder(picture), self.job.columns[picture]
            assert isinstance(encoder, ImageEncoder)
            assert isinstance(column, config.Image)
            described = encoder.trunk_config or {}
            family, classes = described.get("family", ""), self.targets[name].names
            if family in DETECTORS and pretrained:
                found[name] = load_detector(column.encoder, family, classes)
            elif family in DETECTORS:
                found[name] = build_detector(described, classes)
            if name in found:
                asked = options.found_at_most(self.job.columns) or found[name].queries
                found[name].refuse_few_cells(asked, column.pixels, name)
        return found

    def decide(
        self, tokens: Mapping[str, Tokens], batch: Batch, tasks: Collection[str] | None = None
    ) -> Output:
        """Fuse and answer. tasks: names of those to answer, all of them for None."""

        def asked(name: str) -> bool:
            return tasks is None or name in tasks

        fused = self.fuse(tokens)
        alone = {i: Fused(t.summary_BD.unsqueeze(1)) for i, t in tokens.items()}
        return Output(
            {name: task(fused, tokens, batch) for name, task in self.tasks.items() if asked(name)},
            {
                name: {i: head(alone[i], tokens, batch) for i, head in heads.items()}
                for name, heads in self.auxiliary.items()
                if asked(name)
            },
            fused,
            {i: t.summary_BD for i, t in tokens.items()},
        )

    def forward(self, batch: Batch, tasks: Collection[str] | None = None) -> Output:
        """All of it; tasks as for `decide`."""
        return self.decide(self.encode(batch), batch, tasks)

    def task(self, name: str) -> Task:
        """The head of a task."""
        return self.tasks[name]


def essential_inputs(job: config.Job) -> set[str]:
    """Inputs that a task cannot do without: they are never hidden in training."""
    return {name for task in job.tasks.values() for name in task.works_on}
