"""A plant's end: its table, its model, what waits to be sent; messages in, answers out.

What it must not forget when it is killed lies in its folder: after each round its own weights, its
control and what was not sent yet. Asked for a round again, it starts from where that round did.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.errors import FederationError, RunError
from modalloy.federation.choice import chosen_blocks
from modalloy.federation.codec import Codec
from modalloy.federation.figures import figure_names, fit_figures
from modalloy.federation.hidden_sum import masked_change, masker_of, told_masks
from modalloy.federation.local_training import Learned, learn_round
from modalloy.federation.memory import Held
from modalloy.federation.own_rows import write_rows
from modalloy.federation.private_round import learn_privately, plan_of, refuse_more, units_of
from modalloy.federation.proposal import propose
from modalloy.federation.site_model import SiteModel
from modalloy.federation.site_run import finish_site
from modalloy.federation.travelling import (
    Arrays,
    blocks,
    fitted_figures,
    frozen_print,
    lacking,
    personal_of,
    take_weights,
    travelling,
    weights_of,
)
from modalloy.federation.wire import Message, pack, part_of, unpack
from modalloy.job import config
from modalloy.job.job_file import FRAME
from modalloy.learn.fitted_fronts import fit_fronts
from modalloy.runs.rows import load_prints, save_prints
from modalloy.table.fingerprints import fingerprints, same_parts
from modalloy.table.split import Parts
from modalloy.table.table import Table


class Plant(SiteModel):
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
        super().__init__(name, job, table, folder, quiet=quiet, source=source)
        self.out = out

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
        and holds what encoders took from them. RunError where the last federation's run is there.
        """
        if (self.out / "run.json").is_file():
            raise RunError(f"{self.out}: holds a finished run; give this site another folder.")
        self.memory.begin()
        schema: Mapping[str, Any] = asked.facts["schema"]
        if self.job.federate.names == "hashed":
            schema = self.own_names(schema)
        self.memory.keep_schema(schema)
        save_prints(self.folder, self.prints())
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
            facts["key"] = masker_of(self.name, self.memory).public.hex()
        return Message("agreed", facts, fits)

    def unmask(self, asked: Message) -> Message:
        """What takes the masks off a round's sum, and off nothing else."""
        return Message("unmasked", told_masks(self.name, self.memory, asked.facts))

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
            masker, zero = masker_of(self.name, self.memory), weights_of(model, own)
            arrays, shares = masked_change(masker, change, zero, len(parts.train), asked.facts)
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

    def prints(self) -> Parts:
        """Fingerprints of the rows of each part."""
        return Parts(*(fingerprints(self.table, self.job, part) for part in self.parts))

    def refuse_changed(self) -> None:
        """FederationError where rows were learned from that may now be test rows."""
        before = load_prints(self.folder)
        if before is not None and not same_parts(self.table, self.job, self.parts, before):
            raise FederationError(
                f"{self.table.source}: no longer holds the rows that this site began with, or "
                "splits them otherwise, so that figures of test rows would not be honest; put the "
                "old table back and start this site again."
            )

    def finish(self, asked: Message) -> Message:
        """Write this site's own run from the last weights; the answer holds its figures."""
        self.refuse_changed()
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
