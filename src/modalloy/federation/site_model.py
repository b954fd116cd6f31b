"""A site's model: built by what sites agreed on, and again after a restart; how it answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.errors import FederationError
from modalloy.federation.figures import stand_still
from modalloy.federation.memory import Memory
from modalloy.federation.own_rows import as_the_job, unlike_names
from modalloy.federation.proposal import hashed, propose, with_names
from modalloy.federation.travelling import hold_factors
from modalloy.federation.wire import fingerprint
from modalloy.job import config
from modalloy.job.inputs import input_columns
from modalloy.job.job_file import load_job
from modalloy.judge.validate import Score, validate
from modalloy.learn import processes
from modalloy.learn.adapting import begin_adapted
from modalloy.learn.frozen_features import frozen_features
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.readers.build import from_state, targets_from_state
from modalloy.runs.rows import load_prints
from modalloy.table.fingerprints import fingerprints, same_parts
from modalloy.table.split import Parts, learnable, split_job
from modalloy.table.table import Table


class SiteModel:
    """What one site of a federation learns with: its rows, split, and its model once sites agreed.

    folder: what it must not forget. source: where the table comes from, which its run names as its
    own; the job's otherwise.
    """

    def __init__(
        self,
        name: str,
        job: config.Job,
        table: Table,
        folder: Path,
        *,
        quiet: bool = True,
        source: Any = None,
    ) -> None:
        self.name, self.job, self.folder, self.quiet = name, job, folder, quiet
        self.mark = fingerprint(job)
        if source is not None:
            self.job = job = load_job(job, table=source)
        given = table
        self.table, self.absent = as_the_job(table, job, name)
        self.said = unlike_names(self.absent, given, job)
        self.parts: Parts = split_job(self.table, job)
        self.memory = Memory(folder)
        self.model: Model | None = None
        self.loader: Loader | None = None
        self.labelled: Parts | None = None

    def inputs(self) -> list[str]:
        """The columns of the job that this site has something of."""
        found = input_columns(self.job)
        return [n for n, some in found.items() if not all(c in self.absent for c in some)]

    def own_names(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Agreed names that this site knows as it writes them, however few rows have them; others
        stay hashed."""
        own: dict[str, str] = {}
        plain = self.job.federate.model_copy(update={"names": "written", "fewest": 1})
        columns = {
            n: o.model_copy(update={"min_count": 1}) if isinstance(o, config.Category) else o
            for n, o in self.job.columns.items()
        }
        job = self.job.model_copy(update={"federate": plain, "columns": columns})

        def note(column: str, name: str) -> str:
            own[hashed(column, name)] = name
            return name

        with_names(propose(job, self.table, self.parts, self.absent), note)
        return with_names(schema, lambda _, name: own.get(name, name))

    def open(self, schema: Mapping[str, Any]) -> None:
        """Loader and model by an agreed schema."""
        job = self.job
        readers = from_state(schema["readers"])
        targets = targets_from_state(schema["targets"], job)
        self.loader = Loader(
            self.table, job, readers, targets, strict=job.unreadable == "refuse", cache_gb=2.0
        )
        self.loader.remember()
        self.labelled = learnable(self.parts, self.loader.labelled)
        torch.manual_seed(job.seed)
        self.model = placed(Model(job, readers, targets, pretrained=True))
        begin_adapted(self.model, None)
        hold_factors(self.model)
        stand_still(self.model)
        rows = np.concatenate([self.labelled.train, self.labelled.validation])
        frozen_features(self.model, self.loader, rows, quiet=self.quiet)

    def prints(self) -> Parts:
        """Fingerprints of the rows of each part."""
        return Parts(*(fingerprints(self.table, self.job, part) for part in self.parts))

    def refuse_changed(self) -> None:
        """FederationError where rows that were learned from may now be test rows."""
        before = load_prints(self.folder)
        if before is not None and not same_parts(self.table, self.job, self.parts, before):
            raise FederationError(
                f"{self.table.source}: no longer holds the rows that this site began with, or "
                "splits them otherwise, so that figures of test rows would not be honest; put the "
                "old table back and start this site again."
            )

    def ready(self) -> tuple[Model, Loader, Parts]:
        """Model, loader and parts; after a restart by the schema that was agreed on."""
        if self.model is None:
            schema = self.memory.schema()
            if schema is None:
                raise FederationError(f"site {self.name} was asked to learn before sites agreed.")
            self.refuse_changed()
            self.open(schema)
        assert self.model is not None
        assert self.loader is not None
        assert self.labelled is not None
        return self.model, self.loader, self.labelled

    def judged(self) -> Score | None:
        """How well the model as it stands answers this site's validation rows."""
        model, loader, parts = self.ready()
        if not len(parts.validation):
            return None
        model.eval()
        return validate(model, loader, parts.validation, processes.answer_together)
