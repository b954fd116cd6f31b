"""A site without the answers: its encoders read its cells, summaries go up, gradients come down."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from modalloy.checks.finding import finding
from modalloy.errors import FederationError
from modalloy.federation.figures import fit_figures
from modalloy.federation.local_training import seed_of
from modalloy.federation.matched.own_job import feature_job, matched_of
from modalloy.federation.matched.release import Release, say_release
from modalloy.federation.matched.summaries import encode, encode_rows
from modalloy.federation.wire import Arrays, Message
from modalloy.job import config
from modalloy.learn.adapting import begin_adapted, end_adapted
from modalloy.learn.augment import augmenting
from modalloy.learn.change import Scheduled
from modalloy.learn.epoch_order import epoch_order
from modalloy.learn.fitted_fronts import fit_fronts
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.run_lock import claim
from modalloy.learn.state import State, averaged, shown_weights
from modalloy.learn.train import freeze_trunks, own_batches
from modalloy.model.body import Body
from modalloy.model.device import placed
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import draw_hidden
from modalloy.readers.batch import TABLE
from modalloy.runs.rows import save_prints
from modalloy.runs.run import PRETRAINED
from modalloy.runs.saving import save_run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts
from modalloy.table.table import Table


class FeatureSide:
    """The encoders of one site, from the common rows on.

    table: the common rows, in the common order. parts: as the site with the answers split them.
    Of its inputs it speaks as `SITE.input`. noise_seed: as for `Release`.
    """

    def __init__(
        self,
        site: str,
        job: config.Job,
        inputs: tuple[str, ...],
        table: Table,
        parts: Parts,
        steps: int,
        batch: int,
        *,
        noise_seed: int | None = None,
        quiet: bool = True,
    ) -> None:
        self.site, self.table, self.parts, self.batch = site, table, parts, batch
        self.job = feature_job(job, inputs)
        self.options = matched_of(job)
        self.loader = open_loader(self.job, table, parts)
        torch.manual_seed(seed_of(job.seed, site))
        body = Body(self.job, self.loader.readers, pretrained=True)
        fit_fronts(body, self.loader, parts.train, seed=job.seed)
        self.body = placed(body)
        begin_adapted(self.body, None)
        frozen_features(self.body, self.loader, np.concatenate(parts), quiet=quiet)
        if self.options.noise:
            fit_figures(self.body, self.loader, parts.train, seed=job.seed)
        self.release = Release(self.options, noise_seed)
        self.state = State.begin(self.body, no_total, job.train, steps)
        self.best = shown_weights(self.state)
        self.waiting: dict[str, Tensor] = {}
        self.epoch, self.at = -1, 0
        self.batches: Iterator[Batch] = iter(())

    def name_of(self, name: str) -> str:
        """What others call an input of this site."""
        return f"{self.site}.{name}"

    def forward(self, asked: Message) -> Message:
        """Learn from the gradients of the last summaries, then send those of the next rows."""
        self.catch_up(asked)
        epoch, at = int(asked.facts["epoch"]), int(asked.facts["at"])
        if epoch != self.epoch:
            self.begin_epoch(epoch)
        if at != self.at:
            raise FederationError(
                f"{self.site} is at batch {self.at} of pass {epoch + 1} and was asked for batch "
                f"{at}: it was started anew, or missed a message; start the training again."
            )
        batch, self.at = next(self.batches), at + 1
        # Noise is reckoned for one row: with it, none may move another's summary by a batch's norm.
        self.body.train(not self.options.noise)
        torch.manual_seed((seed_of(self.job.seed, self.site) * 1_000_003 + self.state.step) * 64)
        batch = hide_cells(augmenting(self.job)(batch), self.job.fuse.modality_dropout)
        sent, there = encode(self.body, batch, self.release)
        self.waiting = {name: z for name, z in sent.items() if z.requires_grad}
        return Message("summaries", {}, self.arrays_of(sent, there))

    def begin_epoch(self, epoch: int) -> None:
        """The batches of a pass, which are the same at every site."""
        self.epoch, self.at = epoch, 0
        freeze_trunks(self.body, epoch < self.job.train.freeze_epochs)
        order = epoch_order(self.parts.train, self.batch, self.job.seed, epoch, None)
        self.batches = own_batches(self.loader, order, 0, 1, self.body.device)

    def arrays_of(self, sent: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> Arrays:
        """What travels of summaries, and of which rows have the input; those without are zeros."""
        arrays: Arrays = {}
        for name, z_BD in sent.items():
            shown_BD = torch.where(there[name][:, None], z_BD.detach(), 0.0)
            arrays[f"z/{self.name_of(name)}"] = shown_BD.cpu().numpy()
            arrays[f"present/{self.name_of(name)}"] = there[name].cpu().numpy()
        return arrays

    def catch_up(self, asked: Message) -> None:
        """Take gradients that came down, and keep the weights where these were the best."""
        some = [n for n in self.waiting if f"gradient/{self.name_of(n)}" in asked.arrays]
        if some:
            down = [
                torch.from_numpy(asked.arrays[f"gradient/{self.name_of(n)}"].copy()) for n in some
            ]
            gradients = [g.to(self.body.device) for g in down]
            torch.autograd.backward([self.waiting[n] for n in some], gradients)
            Scheduled(self.job.train)(self.state)
        self.waiting = {}
        if asked.facts.get("keep"):
            self.best = shown_weights(self.state)

    def look(self, asked: Message) -> Message:
        """Summaries of a part of the rows, or of all of them by the weights that were kept."""
        self.catch_up(asked)
        if asked.facts["which"] == "all":
            self.body.load_state_dict(self.best, strict=False)
            freeze_trunks(self.body, False)
            return Message("summaries", {}, self.summaries(np.arange(self.table.rows)))
        with averaged(self.state):
            return Message("summaries", {}, self.summaries(self.parts.validation))

    def summaries(self, rows: np.ndarray) -> Arrays:
        """What is sent of these rows when nothing is learned."""
        sent = encode_rows(self.body, self.loader, rows, self.release)
        made = [self.arrays_of(*some) for some in sent]
        return {name: np.concatenate([m[name] for m in made]) for name in made[0]} if made else {}

    def finish(self, out: Path, epochs: int) -> Message:
        """Write the site's own run: encoders whose summaries the other site can answer from."""
        adapted = end_adapted(self.body)
        notes = {
            "matched": {"site": self.site, "rows": self.table.rows, "epochs": epochs},
            "findings": [finding("note", "federate", say_release(self.options)).as_dict()],
        }
        if adapted is not None:
            notes["adapted"] = adapted
        with claim(out, resume=False):
            save_prints(out, Parts(*(fingerprints(self.table, self.job, p) for p in self.parts)))
            save_run(
                out, self.job, self.loader.readers, {}, self.body, notes,
                decimal=self.table.decimal, kind=PRETRAINED,
            )  # fmt: skip
        return Message("finished", {"run": out.name})


def no_total(losses: object) -> Tensor:
    """A site without answers has no loss."""
    raise AssertionError("nobody asks for it")


def hide_cells(batch: Batch, chance: float) -> Batch:
    """The batch without some plain cells; whole inputs are hidden where they are fused."""
    if TABLE not in batch.present:
        return batch
    plain = Batch({}, {TABLE: batch.present[TABLE]}, {}, batch.rows)
    return draw_hidden(plain, chance=chance, keep=()).apply(batch)
