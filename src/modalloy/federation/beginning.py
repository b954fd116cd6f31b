"""Before the first round: sites agree on how columns are read and what all begin with."""

import json
from collections.abc import Mapping
from typing import Any

import torch

from modalloy.errors import FederationError
from modalloy.federation.aggregate import Change, mean
from modalloy.federation.agreement import agree
from modalloy.federation.asking import Asking
from modalloy.federation.figures import pooled_figures, standardised
from modalloy.federation.travelling import fitted_figures, hold_factors, travelling, weights_of
from modalloy.federation.wire import Message
from modalloy.job import config
from modalloy.learn.adapting import begin_adapted
from modalloy.machine.files import write_safely
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.readers.build import from_state, targets_from_state

FEW = 0.5  # share of a change that is sent, below which it matters how weights are moved


class Beginning(Asking):
    """The part of a server that works before the first round. model: after that."""

    job: config.Job
    model: Model | None

    def begin(self) -> None:
        """Let sites agree on how columns are read, and build the model that all begin with."""
        self.say_options()
        names = self.sites.names()
        if len(names) < 2:
            raise FederationError(
                f"{len(names)} site has joined; a federation needs two, or use `modalloy train`."
            )
        proposals = self.ask({s: Message("propose") for s in names})
        self.refuse_lost(names, proposals, "proposed nothing")
        for site, own in proposals.items():
            for text in own.facts["said"]:
                self.note(f"{site}: {text}")
        self.agreed = agree(self.job, {s: m.facts for s, m in proposals.items()})
        schema = {"readers": self.agreed.readers, "targets": self.agreed.targets}
        write_safely(self.folder / "schema.json", json.dumps(schema).encode())
        self.build(schema)
        answers = self.ask({s: Message("agree", {"schema": schema}) for s in proposals})
        self.refuse_lost(list(proposals), answers, "cannot learn by what was agreed on")
        self.take_agreed(answers)

    def refuse_lost(self, asked: list[str], answers: Mapping[str, Message], what: str) -> None:
        """FederationError where a site did not answer, with what is known of why."""
        lost = [s for s in asked if s not in answers]
        if lost:
            why = "; ".join(self.said[-len(lost) :])
            raise FederationError(f"{', '.join(lost)} {what} ({why}).")

    def say_options(self) -> None:
        """Say what the job's options cost, where that is easily missed."""
        options = self.job.federate
        if options.keep < FEW and self.job.train.optimizer == "adamw":
            self.note(
                "AdamW moves every weight about as far, so that the largest part of a change says "
                "little of it; with keep, train.optimizer: sgd loses less"
            )
        if options.personal:
            self.note(
                f"{', '.join(options.personal)} stay at the sites (personal), so that the common "
                "run has learned nothing there: answer rows with the sites' own runs"
            )
        if options.names == "hashed":
            self.note(
                "names travel as hashes, so that the common run knows no name as it is written in "
                "a table: answer rows with the sites' own runs"
            )

    def build(self, schema: Mapping[str, Any]) -> None:
        """The model before the first round: the same that every site builds."""
        job = self.job
        torch.manual_seed(job.seed)
        readers = from_state(schema["readers"])
        targets = targets_from_state(schema["targets"], job)
        self.model = placed(Model(job, readers, targets, pretrained=True))
        begin_adapted(self.model, None)
        hold_factors(self.model)
        self.weights = weights_of(self.model, travelling(self.model, job.federate.personal))

    def take_agreed(self, answers: Mapping[str, Message]) -> None:
        """Note each site's rows, refuse sites that build on other weights, and average what
        encoders took from rows before any learning."""
        assert self.model is not None
        prints = {s: m.facts["frozen"] for s, m in answers.items()}
        if len(set(prints.values())) > 1:
            raise FederationError(
                "sites build on different pretrained or initial weights "
                f"({', '.join(f'{s}: {p}' for s, p in prints.items())}); install the same versions "
                "of modalloy, torch and the pretrained packages everywhere."
            )
        keys = ("train", "validation", "test")
        self.rows = {s: {k: m.facts[k] for k in keys} for s, m in answers.items()}
        self.privacy = {s: m.facts["privacy"] for s, m in answers.items() if "privacy" in m.facts}
        self.keys = {s: m.facts["key"] for s, m in answers.items() if "key" in m.facts}
        for site, rows in self.rows.items():
            if not rows["train"]:
                self.note(
                    f"{site}: has no labelled row to learn from, so that it teaches nothing; it "
                    "gets the model in the end"
                )
        names = fitted_figures(self.model)
        fits = [
            Change(s, {n: m.arrays[n] for n in names}, max(1, self.rows[s]["train"]))
            for s, m in answers.items()
            if names and all(n in m.arrays for n in names)
        ]
        if fits:
            own = weights_of(self.model, names)
            floats = {n for n, x in own.items() if x.dtype.kind == "f"}
            self.weights |= {n: x for n, x in mean(fits).items() if n in floats}
        paths = standardised(self.model)
        told = [dict(m.arrays) for m in answers.values() if m.arrays]
        self.weights |= pooled_figures(told, paths) if paths and told else {}
