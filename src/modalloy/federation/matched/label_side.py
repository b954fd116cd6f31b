"""The site with the answers: its own encoders, fusion, heads and the loss; others' summaries come,
their gradients go."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from modalloy.answer.loader import Loader
from modalloy.errors import FederationError
from modalloy.federation.matched.own_job import as_it_comes, label_job, matched_of
from modalloy.federation.wire import Arrays, Message
from modalloy.job import config
from modalloy.job.steps import Course, course
from modalloy.judge.validate import Score, validate
from modalloy.learn import processes
from modalloy.learn.adapting import begin_adapted
from modalloy.learn.augment import augmenting
from modalloy.learn.epoch_order import epoch_order
from modalloy.learn.fit import fit
from modalloy.learn.fitted_fronts import fit_fronts
from modalloy.learn.fitted_rows import disk_share_gb, open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.state import State, averaged, shown_weights
from modalloy.learn.train import freeze_trunks, own_batches
from modalloy.learn.weighting import Weighting
from modalloy.model.device import placed
from modalloy.model.model import Model, essential_inputs
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import hiding
from modalloy.objectives.supervised import supervised
from modalloy.readers.build import in_order
from modalloy.table.split import Parts, learnable, split_job
from modalloy.table.table import Table


class LabelSide:
    """The part of the network above the border, from the common rows on.

    table: the common rows, in the common order. inputs: its own columns. vectors: the others'
    inputs as they call them. parts: rows with an answer, and all test rows; whole: all of them.
    """

    def __init__(
        self,
        site: str,
        job: config.Job,
        inputs: Sequence[str],
        vectors: Sequence[str],
        table: Table,
        *,
        quiet: bool = True,
    ) -> None:
        self.site, self.table, self.vectors, self.quiet = site, table, list(vectors), quiet
        refuse_same_names(table, self.vectors, site)
        self.job = label_job(job, inputs, vectors)
        own = label_job(job, inputs, ())
        self.whole = split_job(table, own)
        read = open_loader(own, table, self.whole)
        arriving = {n: as_it_comes(n, job.fuse.width) for n in vectors}
        self.readers, self.targets = in_order({**read.readers, **arriving}), read.targets
        self.loader = self.loader_of(table)
        self.loader.remember()
        self.parts: Parts = learnable(self.whole, self.loader.labelled)
        torch.manual_seed(job.seed)
        model = Model(self.job, self.readers, self.targets, pretrained=True)
        fit_fronts(model, self.loader, self.parts.train, seed=job.seed)
        self.model = placed(model)
        begin_adapted(self.model, None)
        frozen_features(self.model, self.loader, np.concatenate(self.parts), quiet=quiet)
        self.way = way_of(job, len(self.parts.train))
        total = Weighting(self.job)
        self.state = State.begin(self.model, total, job.train, self.way.steps)
        self.best = shown_weights(self.state)
        self.score: Score | None = None
        self.waited = 0
        self.epoch, self.at = -1, 0
        self.batches: Iterator[Batch] = iter(())
        self.losses: list[float] = []
        self.curves: list[dict[str, Any]] = []

    def loader_of(self, table: Table) -> Loader:
        """A loader of rows with whatever summaries of other sites the table holds."""
        strict, room = self.job.unreadable == "refuse", disk_share_gb(self.job)
        given = (table, self.job, self.readers, self.targets)
        return Loader(*given, strict=strict, cache_gb=room)

    def agreed(self) -> Message:
        """Which rows are learned from, and how."""
        facts = {
            "batch": self.way.batch,
            "per_epoch": self.way.per_epoch,
            "epochs": self.way.epochs,
            "look_every": self.way.look_every,
        }
        return Message("agreed", facts, dict(self.parts._asdict()))

    def learn(self, asked: Message) -> Message:
        """One step from a batch and others' summaries of its rows; the answer holds the gradients
        of these."""
        epoch, at = int(asked.facts["epoch"]), int(asked.facts["at"])
        if epoch != self.epoch:
            self.begin_epoch(epoch)
        if at != self.at:
            raise FederationError(
                f"{self.site} is at batch {self.at} of pass {epoch + 1} and was asked for batch "
                f"{at}: it was started anew, or missed a message; start the training again."
            )
        batch, self.at = next(self.batches), at + 1
        self.put_in(batch, asked.arrays)
        job = self.job
        objective = hiding(supervised, chance=job.fuse.modality_dropout, keep=essential_inputs(job))
        given = {"settings": job.train, "seed": job.seed, "views": augmenting(job)}
        for step in fit(self.state, objective, [batch], **given):
            self.losses.append(step.total)
        down: Arrays = {}
        for name in self.vectors:
            x_BD = batch.values[name]["x"]
            gradient = torch.zeros_like(x_BD) if x_BD.grad is None else x_BD.grad
            down[f"gradient/{name}"] = gradient.cpu().numpy()
        return Message("gradients", {}, down)

    def begin_epoch(self, epoch: int) -> None:
        """The batches of a pass, which are the same at every site."""
        self.epoch, self.at = epoch, 0
        freeze_trunks(self.model, epoch < self.job.train.freeze_epochs)
        order = epoch_order(self.parts.train, self.way.batch, self.job.seed, epoch, None)
        self.batches = own_batches(self.loader, order, 0, 1, self.model.device)

    def put_in(self, batch: Batch, arrays: Arrays) -> None:
        """Let a batch hold what arrived, so that its gradient is kept."""
        device = self.model.device
        for name in self.vectors:
            z_BD = arrays[f"z/{name}"]
            if z_BD.shape != (len(batch.rows), self.job.fuse.width):
                raise FederationError(
                    f"summaries '{name}' have shape {z_BD.shape}, and ({len(batch.rows)}, "
                    f"{self.job.fuse.width}) was expected; give all sites the same job and version."
                )
            x_BD = torch.from_numpy(z_BD.copy()).to(device).requires_grad_()
            batch.values[name] = {"x": x_BD}
            batch.present[name] = torch.from_numpy(arrays[f"present/{name}"].copy()).to(device)

    def judge(self, asked: Message) -> Message:
        """How well validation rows are answered after a pass, and whether to go on."""
        rows, patience = self.parts.validation, self.job.train.patience
        line: dict[str, Any] = {"epoch": self.epoch + 1, "loss": float(np.mean(self.losses))}
        keep = not patience or not len(rows)
        if len(rows):
            loader = self.with_summaries(rows, asked.arrays)
            with averaged(self.state):
                self.model.eval()
                score = validate(self.model, loader, rows, processes.answer_together)
            line |= {"validation": score.figures, "score": score.value}
            better = self.score is None or score.value > self.score.value
            self.score = score if better else self.score
            self.waited = 0 if better else self.waited + 1
            keep |= better
        if keep:
            self.best = shown_weights(self.state)
        self.curves.append(line)
        self.losses = []
        over = bool(patience) and self.waited >= patience
        told = {"loss": line["loss"], "score": line.get("score"), "keep": keep, "over": over}
        return Message("judged", told)

    def with_summaries(self, rows: np.ndarray, arrays: Arrays) -> Loader:
        """A loader of the table with others' summaries of these rows as columns."""
        table = self.table
        for name in self.vectors:
            cells: list[list[float] | None] = [None] * table.rows
            z_BD, there_B = arrays[f"z/{name}"], arrays[f"present/{name}"]
            for row, z_D, there in zip(rows, z_BD, there_B, strict=True):
                cells[row] = z_D.tolist() if there else None
            held = pa.array(cells, pa.list_(pa.float32()))
            table = table.beside(name, [None] * table.rows, ()).replaced(name, held)
        loader = self.loader_of(table)
        loader.take_over(self.loader)
        return loader

    def settle(self, asked: Message) -> Loader:
        """The kept weights, and the loader of all rows with others' summaries beside them."""
        self.model.load_state_dict(self.best, strict=False)
        freeze_trunks(self.model, False)
        self.model.eval()
        return self.with_summaries(np.arange(self.table.rows), asked.arrays)


def way_of(job: config.Job, rows: int) -> Course:
    """Rows a step and passes, as a training of one table with all columns would have them."""
    epochs = matched_of(job).epochs
    if epochs is not None:
        job = job.model_copy(update={"train": job.train.model_copy(update={"epochs": epochs})})
    return course(job, rows)


def refuse_same_names(table: Table, vectors: Sequence[str], site: str) -> None:
    """FederationError where a table has a column that is called like another site's summaries."""
    both = sorted(set(vectors) & set(table.columns))
    if both:
        raise FederationError(
            f"the table of {site} has a column '{both[0]}', as summaries of another site are "
            "called; rename it."
        )
