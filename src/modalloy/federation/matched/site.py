"""A site's end of split training: messages in, answers out, whichever side of the border it is."""

from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.errors import FederationError
from modalloy.federation.matched.feature_side import FeatureSide
from modalloy.federation.matched.label_run import figures, rows_in, write_label_run
from modalloy.federation.matched.label_side import LabelSide
from modalloy.federation.matched.matching import hashes_of, in_order, key_print, rows_of
from modalloy.federation.matched.own_job import (
    encoded,
    matched_of,
    own_columns,
    refuse_unused,
)
from modalloy.federation.own_rows import as_the_job
from modalloy.federation.wire import Message, fingerprint, pack, unpack
from modalloy.job import config
from modalloy.table.split import Parts
from modalloy.table.table import Table


class MatchedSite:
    """One site. out: where its own run goes in the end. noise_seed: as for `Release`.

    It holds its part of the network in memory alone: a site that is started anew needs a training
    that is started anew.
    """

    def __init__(
        self,
        name: str,
        job: config.Job,
        table: Table,
        out: Path,
        *,
        noise_seed: int | None = None,
        quiet: bool = True,
    ) -> None:
        refuse_unused(job)
        self.name, self.job, self.out, self.quiet = name, job, out, quiet
        self.noise_seed, self.options, self.mark = noise_seed, matched_of(job), fingerprint(job)
        self.table, self.absent = as_the_job(table, job, name)
        self.brings = own_columns(job, self.absent, name)
        self.hash_NS = hashes_of(self.table, self.options.by, name)
        self.label: LabelSide | None = None
        self.features: FeatureSide | None = None
        self.settled: Loader | None = None
        self.figures: dict[str, Any] = {}

    def answer(self, data: bytes) -> bytes:
        """The answer to a message; FederationError for one of another form or job, and of a site
        that cannot do what it is asked."""
        asked = unpack(data, self.mark)
        match asked.kind:
            case "match":
                made = self.match()
            case "open":
                made = self.open_features(asked) if "train" in asked.arrays else self.open(asked)
            case "forward":
                made = self.below().forward(asked)
            case "learn":
                made = self.above().learn(asked)
            case "look":
                made = self.below().look(asked)
            case "judge":
                made = self.above().judge(asked)
            case "settle":
                made = self.settle(asked)
            case "finish":
                made = self.finish(asked)
            case other:
                raise FederationError(f"this site knows no message '{other}'; update modalloy.")
        return pack(made, self.mark)

    def match(self) -> Message:
        """Hashes of the site's ids in an order that tells nothing, and what the site brings."""
        facts: dict[str, Any] = {
            "inputs": list(self.brings.inputs),
            "encoded": [f"{self.name}.{n}" for n in encoded(self.job, self.brings.inputs)],
            "labels": self.brings.labels,
        }
        arrays = {"ids": in_order(self.hash_NS), "key": key_print()}
        return Message("matched", facts, arrays)

    def common_rows(self, asked: Message) -> Table:
        """The rows that all sites have, in the common order."""
        return self.table.select(rows_of(self.hash_NS, asked.arrays["ids"]))

    def open(self, asked: Message) -> Message:
        """Split the common rows and build what lies above the border; at the site with answers."""
        given = (self.name, self.job, self.brings.inputs, asked.facts["vectors"])
        self.label = LabelSide(*given, self.common_rows(asked), quiet=self.quiet)
        return self.label.agreed()

    def open_features(self, asked: Message) -> Message:
        """Build what lies below the border."""
        parts = Parts(*(asked.arrays[name].astype(np.int64) for name in Parts._fields))
        steps, batch = int(asked.facts["steps"]), int(asked.facts["batch"])
        given = (self.name, self.job, self.brings.inputs, self.common_rows(asked), parts)
        self.features = FeatureSide(
            *given, steps, batch, noise_seed=self.noise_seed, quiet=self.quiet
        )
        return Message("opened", {})

    def below(self) -> FeatureSide:
        """Its encoders; FederationError before sites were matched."""
        if self.features is None:
            raise FederationError(self.not_yet())
        return self.features

    def above(self) -> LabelSide:
        """Its fusion and heads; FederationError before sites were matched."""
        if self.label is None:
            raise FederationError(self.not_yet())
        return self.label

    def not_yet(self) -> str:
        """What to say of a message that comes too early, or to a site that was started anew."""
        return (
            f"{self.name} was asked to learn before sites were matched, or was started anew "
            "meanwhile; start the training again."
        )

    def settle(self, asked: Message) -> Message:
        """Take the kept weights and all summaries; how well test rows are answered stays here."""
        side = self.above()
        self.settled = side.settle(asked)
        self.figures |= figures(side, self.settled)
        return Message("settled", {})

    def finish(self, asked: Message) -> Message:
        """Write this site's own run."""
        if self.features is not None:
            return self.features.finish(self.out, int(asked.facts["epochs"]))
        side = self.above()
        assert self.settled is not None, "the server settles first"
        facts = {**asked.facts, "figures": self.figures, "rows_of": rows_in(side.parts)}
        run = write_label_run(side, self.settled, self.out, facts, quiet=self.quiet)
        return Message("finished", {"run": run.path.name})
