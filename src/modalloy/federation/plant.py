"""A plant's end: its table, its model, what waits to be sent; messages in, answers out.

What it must not forget when it is killed lies in its folder: after each round its own weights, its
control and what was not sent yet. Asked for a round again, it starts from where that round did.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.errors import FederationError
from modalloy.federation.choice import chosen_blocks
from modalloy.federation.codec import Codec
from modalloy.federation.figures import figure_names, fit_figures, stand_still
from modalloy.federation.local_training import Learned, learn_round
from modalloy.federation.memory import Held, Memory
from modalloy.federation.own_rows import as_the_job, unlike_names, write_rows
from modalloy.federation.private_round import learn_privately, plan_of, refuse_more, units_of
from modalloy.federation.proposal import hashed, propose, with_names
from modalloy.federation.secure_sum import Masker
from modalloy.federation.site_run import finish_site
from modalloy.federation.travelling import (
    Arrays,
    blocks,
    fitted_figures,
    frozen_print,
    hold_factors,
    lacking,
    personal_of,
    take_weights,
    travelling,
    weights_of,
)
from modalloy.federation.wire import Message, fingerprint, pack, part_of, unpack
from modalloy.job import config
from modalloy.job.inputs import input_columns
from modalloy.job.job_file import FRAME, load_job
from modalloy.judge.validate import Score, validate
from modalloy.learn import processes
from modalloy.learn.adapting import begin_adapted
from modalloy.learn.fitted_fronts import fit_fronts
from modalloy.learn.frozen_features import frozen_features
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.readers.build import from_state, targets_from_state
from modalloy.table.split import Parts, learnable, split_job
from modalloy.table.table import Table


class Plant:
    """One site of a federation.

    folder: what it must not forget. out: where its own run goes in the end. source: where the
    table comes from, which the run names as its own; the job's otherwise.
    """

    def __init__(
        self,
        name: str,
        job: config.Job,
        table: Table,
        folder: Path,
        out: Path,
        *,
        quiet: bool = True,
        source: Any = None,
    ) -> None:
        self.name, self.job, self.folder, self.out, self.quiet = name, job, folder, out, quiet
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

    def answer(self, data: bytes) -> bytes:
        """The answer to a message; FederationError for one of another form or job, and of a site
        that cannot do what it is asked."""
        asked = unpack(data, self.mark)
        match asked.kind:
            case "propose":
                made = self.propose()
            case "agree":
                made = self.agree(asked)
            case "learn":
                made = self.learn(asked)
            case "unmask":
                made = self.unmask(asked)
            case "score":
                made = self.score(asked)
            case "finish":
                made = self.finish(asked)
            case other:
                raise FederationError(f"this site knows no message '{other}'; update modalloy.")
        return pack(made, self.mark)

    def propose(self) -> Message:
        """What the site tells of its columns."""
        facts = propose(self.job, self.table, self.parts, self.absent)
        return Message("proposal", {**facts, "absent": self.absent, "said": self.said})

    def agree(self, asked: Message) -> Message:
        """Read by what was agreed on, and build the model; the answer says which rows there are,
        and holds what encoders took from them."""
        schema: Mapping[str, Any] = asked.facts["schema"]
        if self.job.federate.names == "hashed":
            schema = self.own_names(schema)
        self.memory.keep_schema(schema)
        self.open(schema)
        model, loader, parts = self.ready()
        rows = parts.train
        if len(rows):
            fit_fronts(model, loader, rows, seed=self.job.seed)
            fit_figures(model, loader, rows, seed=self.job.seed)
        names = [*fitted_figures(model), *figure_names(model)]
        fits = weights_of(model, names) if len(rows) else {}
        facts: dict[str, Any] = {
            "train": len(rows),
            "validation": len(parts.validation),
            "test": len(parts.test),
            "lacking": sorted(lacking(model, self.inputs())),
            "frozen": frozen_print(model, travelling(model), names),
        }
        if self.job.federate.private is not None and len(rows):
            units = units_of(self.table, rows, self.job.federate.private)
            facts["privacy"] = plan_of(self.job, units, len(rows)).facts()
        if self.job.federate.secure:
            facts["key"] = self.masker().public.hex()
        return Message("agreed", facts, fits)

    def inputs(self) -> list[str]:
        """The columns of the job that this site has something of."""
        found = input_columns(self.job)
        return [n for n, some in found.items() if not all(c in self.absent for c in some)]

    def own_names(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Agreed names that this site knows as it writes them; others stay hashed."""
        own: dict[str, str] = {}
        fitted = propose(
            self.job.model_copy(
                update={"federate": self.job.federate.model_copy(update={"names": "written"})}
            ),
            self.table,
            self.parts,
            self.absent,
        )

        def note(column: str, name: str) -> str:
            own[hashed(column, name)] = name
            return name

        with_names(fitted, note)
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

    def ready(self) -> tuple[Model, Loader, Parts]:
        """Model, loader and parts; after a restart by the schema that was agreed on."""
        if self.model is None:
            schema = self.memory.schema()
            if schema is None:
                raise FederationError(f"site {self.name} was asked to learn before sites agreed.")
            self.open(schema)
        assert self.model is not None
        assert self.loader is not None
        assert self.labelled is not None
        return self.model, self.loader, self.labelled

    def masker(self) -> Masker:
        """This site's end of sums that hide what is summed."""
        return Masker(self.name, self.memory.secret(), self.memory.told())

    def unmask(self, asked: Message) -> Message:
        """What takes the masks off a round's sum, and off nothing else."""
        masker, facts = self.masker(), asked.facts
        keys = {s: bytes.fromhex(k) for s, k in facts["keys"].items()}
        told = masker.reveal(facts["round"], keys, facts["answered"], facts["shares"])
        self.memory.keep_told(masker.told)
        return Message("unmasked", told)

    def learn(self, asked: Message) -> Message:
        """One round: the score of the round's weights, then what learning from own rows changes."""
        model, _, parts = self.ready()
        options, number = self.job.federate, int(asked.facts["round"])
        held = self.memory.before(number)
        own = travelling(model, options.personal)
        take_weights(model, {**part_of(asked, "w"), **held.personal})
        before = None if options.private is not None else self.judged()
        learned = self.learned(number, held, part_of(asked, "k"))
        change, value = self.sent(learned.change, own, held)
        private = options.private is not None
        codec = Codec(options.keep, options.bits, not private, waiting=held.waiting)
        shares: dict[str, str] = {}
        if options.secure:
            arrays, shares = self.masked(change, own, len(parts.train), asked)
        else:
            arrays = codec.encode(change)
        if options.controls:
            new = learned.gradient
            arrays |= {f"k/{n}": new[n] - held.control.get(n, 0.0) for n in new if n in own}
            held.control |= new
        personal = weights_of(model, personal_of(model, own))
        self.memory.keep(number, replace(held, personal=personal, waiting=codec.waiting))
        facts = {
            "round": number,
            "rows": len(parts.train),
            "judged": len(parts.validation) if before else 0,
            "score": before.value if before else None,
            "loss": learned.loss,
            "names": list(change),
            "value": value,
            "shares": shares,
        }
        return Message("learned", facts, arrays)

    def learned(self, number: int, held: Held, everyone: Arrays) -> Learned:
        """What a round's learning changes here. everyone: the control of all sites."""
        model, loader, parts = self.ready()
        names, shift = travelling(model), None
        if self.job.federate.private is not None:
            refuse_more(self.memory, number, self.job.federate.rounds, weights_of(model, names))
            given = {"key": self.memory.secret(), "number": number, "names": names}
            return learn_privately(model, loader, parts.train, self.job, **given)
        if self.job.federate.controls:
            zero = {n: np.zeros_like(x) for n, x in weights_of(model, names).items()}
            shift = {n: everyone.get(n, zero[n]) - held.control.get(n, zero[n]) for n in names}
        given = {"site": self.name, "number": number, "names": names, "shift": shift}
        return learn_round(model, loader, parts.train, self.job, **given)

    def sent(self, change: Arrays, own: list[str], held: Held) -> tuple[Arrays, dict[str, float]]:
        """The part of a change that is handed in: nothing of what is personal, nothing of columns
        that the site lacks, and of encoders those that are worth their bytes now; and what each is
        worth. held: gets to know how long encoders have waited."""
        model, loader, parts = self.ready()
        missing = lacking(model, self.inputs())
        barred = {n for i, some in blocks(model, own).items() if i in missing for n in some}
        change = {n: x for n, x in change.items() if n in own and n not in barred}
        share = self.job.federate.upload
        if share >= 1.0:
            return change, {}
        parted = blocks(model, list(change))
        sent, value = chosen_blocks(model, loader, parts.validation, parted, share, held.waited)
        back = {n for i, some in parted.items() if i not in sent for n in some}
        held.waited = {i: 0 if i in sent else held.waited.get(i, 0) + 1 for i in value}
        return {n: x for n, x in change.items() if n not in back}, value

    def masked(
        self, change: Arrays, own: list[str], rows: int, asked: Message
    ) -> tuple[Arrays, dict[str, str]]:
        """The change by its share of all rows, under masks; and shares of this site's own mask."""
        model, _, _ = self.ready()
        zero = weights_of(model, own)
        flat = [change.get(n, np.zeros_like(x)).ravel() for n, x in zero.items()]
        x = np.concatenate(flat) * (rows / float(asked.facts["of"]))
        keys = {s: bytes.fromhex(k) for s, k in asked.facts["keys"].items()}
        seen, shares = self.masker().masked(x, keys, int(asked.facts["round"]))
        return {"m": seen}, shares

    def judged(self) -> Score | None:
        """How well the model as it stands answers this site's validation rows."""
        model, loader, parts = self.ready()
        if not len(parts.validation):
            return None
        model.eval()
        return validate(model, loader, parts.validation, processes.answer_together)

    def score(self, asked: Message) -> Message:
        """How well given weights, with the site's own, answer its validation rows."""
        model, _, parts = self.ready()
        take_weights(model, {**part_of(asked, "w"), **self.memory.latest().personal})
        found = None if self.job.federate.private is not None else self.judged()
        facts = {
            "score": found.value if found else None,
            "judged": len(parts.validation) if found else 0,
        }
        return Message("scored", facts)

    def finish(self, asked: Message) -> Message:
        """Write this site's own run from the last weights; the answer holds its figures."""
        model, loader, parts = self.ready()
        held = self.memory.of_round(int(asked.facts["best"]))
        take_weights(model, {**part_of(asked, "w"), **held.personal})
        lacks, job = {*self.job.columns} - {*self.inputs()}, self.job
        if self.absent or self.name in job.federate.columns or job.table == FRAME:
            place = write_rows(self.table, self.folder / "rows.parquet")
            model.job = job = job.model_copy(update={"table": str(place), "allow_outside": True})
        given = (self.name, model, loader, parts, job, self.out, asked.facts, lacks)
        facts = finish_site(*given, quiet=self.quiet)
        return Message("finished", facts)
