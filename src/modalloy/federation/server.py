"""The server's end: sites agree, learn in rounds, and the model goes where their changes say.

It sees what sites send and never a row. After each round it writes what it would need to go on.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modalloy.errors import FederationError
from modalloy.federation.aggregate import Change, mean, refuse_few, together
from modalloy.federation.agreement import Agreed, agree
from modalloy.federation.codec import decode, parted
from modalloy.federation.figures import pooled_figures, standardised
from modalloy.federation.rounds_folder import RoundsFolder
from modalloy.federation.secure_sum import unmasked
from modalloy.federation.server_step import ServerStep
from modalloy.federation.sites import Sites
from modalloy.federation.travelling import (
    Arrays,
    fitted_figures,
    hold_factors,
    take_weights,
    travelling,
    weights_of,
)
from modalloy.federation.wire import Message, fingerprint, pack, unpack
from modalloy.job import config
from modalloy.learn.adapting import begin_adapted
from modalloy.machine.files import write_safely
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.readers.build import from_state, targets_from_state

FEW = 0.5  # share of a change that is sent, below which it matters how weights are moved


@dataclass
class Federation(RoundsFolder):
    """A server's side of one federation. folder: for what it would need to go on.

    history: one line a round. said: sentences for people. bytes: up and down, as they travelled.
    """

    job: config.Job
    sites: Sites
    folder: Path
    tell: Callable[[str], None] = lambda text: None
    agreed: Agreed | None = None
    model: Model | None = None
    weights: Arrays = field(default_factory=dict)
    control: Arrays = field(default_factory=dict)
    best: Arrays = field(default_factory=dict)
    best_round: int = 0
    best_score: float = float("-inf")
    done: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    up: int = 0
    down: int = 0
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    privacy: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = self.job.federate
        self.mark = fingerprint(self.job)
        self.step = ServerStep(options.server, options.server_lr)
        self.folder.mkdir(parents=True, exist_ok=True)

    def ask(
        self, messages: Mapping[str, Message], *, deadline_s: float | None = None
    ) -> dict[str, Message]:
        """Answers of sites; one that cannot be read is left out, with the reason said."""
        packed = {site: pack(message, self.mark) for site, message in messages.items()}
        self.down += sum(map(len, packed.values()))
        found: dict[str, Message] = {}
        for site, data in sorted(self.sites.ask(packed, deadline_s=deadline_s).items()):
            self.up += len(data)
            try:
                found[site] = unpack(data, self.mark)
            except FederationError as error:
                self.note(f"{site}: left out, because {error}")
        for site, why in sorted(self.sites.reasons.items()):
            self.note(f"{site}: did not answer: {why}")
        return found

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.said:
            self.said.append(text)
            self.tell(text)

    def begin(self) -> None:
        """Let sites agree on how columns are read, and build the model that all begin with."""
        if self.job.federate.keep < FEW and self.job.train.optimizer == "adamw":
            self.note(
                "AdamW moves every weight about as far, so that the largest part of a change says "
                "little of it; with keep, train.optimizer: sgd loses less"
            )
        names = self.sites.names()
        if len(names) < 2:
            raise FederationError(
                f"{len(names)} site has joined; a federation needs two, or use `modalloy train`."
            )
        proposals = self.ask({s: Message("propose") for s in names})
        lost = [s for s in names if s not in proposals]
        if lost:
            why = "; ".join(self.said[-len(lost) :])
            raise FederationError(f"{', '.join(lost)} proposed nothing ({why}).")
        for site, own in proposals.items():
            for text in own.facts["said"]:
                self.note(f"{site}: {text}")
        self.agreed = agree(self.job, {s: m.facts for s, m in proposals.items()})
        schema = {"readers": self.agreed.readers, "targets": self.agreed.targets}
        write_safely(self.folder / "schema.json", json.dumps(schema).encode())
        self.build(schema)
        answers = self.ask({s: Message("agree", {"schema": schema}) for s in proposals})
        lost = [s for s in proposals if s not in answers]
        if lost:
            why = "; ".join(self.said[-len(lost) :])
            raise FederationError(f"{', '.join(lost)} cannot learn by what was agreed on ({why}).")
        self.take_agreed(answers)

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

    def run(self) -> None:
        """All rounds that are left; the best one's weights are kept."""
        options = self.job.federate
        while self.done < options.rounds:
            self.round()
        self.score_last()

    def learners(self) -> list[str]:
        """Sites that have rows to learn from."""
        found = [s for s, rows in self.rows.items() if rows["train"]]
        if not found:
            raise FederationError("no site has a labelled row to learn from.")
        return found

    def drawn(self, number: int) -> list[str]:
        """The sites that are asked in a round."""
        every = self.learners()
        count = max(1, round(self.job.federate.sites * len(every)))
        rng = np.random.default_rng((self.job.seed, number))
        return sorted(rng.choice(every, count, replace=False).tolist())

    def round(self) -> None:
        """One round: send the model, gather changes, put them together, go a step."""
        start, number, options = time.perf_counter(), self.done + 1, self.job.federate
        up, down = self.up, self.down
        asked = self.drawn(number)
        refuse_few(len(asked), options)
        arrays = {f"w/{n}": x for n, x in self.weights.items()}
        if options.controls:
            arrays |= {f"k/{n}": x for n, x in self.control.items()}
        facts: dict[str, Any] = {"round": number}
        if options.secure:
            facts |= {"keys": {s: self.keys[s] for s in asked}}
            facts |= {"of": sum(self.rows[s]["train"] for s in asked)}
        message = Message("learn", facts, arrays)
        answers = self.ask({s: message for s in asked}, deadline_s=options.deadline_s)
        fresh = {s: m for s, m in answers.items() if m.facts.get("round") == number}
        self.judge(number - 1, list(fresh.values()))
        changes = self.summed(fresh, facts) if options.secure else self.changes(answers, number)
        if changes:
            try:
                self.weights = self.step(self.weights, together(changes, options))
            except FederationError as error:
                self.note(f"round {number} changes nothing: {error}")
            self.correct(answers)
        else:
            self.note(f"round {number}: no site answered")
            if not self.sites.names():
                raise FederationError(
                    "every site is gone; start again with --resume when they are back."
                )
        self.done = number
        self.history.append(
            {
                "round": number,
                "sites": sorted(answers),
                "loss": average([(m.facts["loss"], m.facts["rows"]) for m in fresh.values()]),
                "up": self.up - up,
                "down": self.down - down,
                "seconds": time.perf_counter() - start,
            }
        )
        self.keep()

    def changes(self, answers: Mapping[str, Message], number: int) -> list[Change]:
        """What sites hand in, one by one."""
        found = [self.change_of(s, m, number) for s, m in answers.items()]
        return [c for c in found if c is not None]

    def summed(self, answers: Mapping[str, Message], facts: Mapping[str, Any]) -> list[Change]:
        """The mean of what sites hand in, of which nothing else is seen; none where too few help to
        take the masks off."""
        keys, number = facts["keys"], facts["round"]
        try:
            refuse_few(len(answers), self.job.federate)
            messages = {}
            for site in answers:
                shares = {s: m.facts["shares"][site] for s, m in answers.items()}
                given = {"round": number, "keys": keys, "answered": sorted(answers)}
                messages[site] = Message("unmask", {**given, "shares": shares})
            told = {s: m.facts for s, m in self.ask(messages).items()}
            total = unmasked({s: m.arrays["m"] for s, m in answers.items()}, list(keys), told)
        except (FederationError, KeyError, ValueError) as error:
            self.note(f"round {number} changes nothing: {error}")
            return []
        assert self.model is not None
        names = travelling(self.model, self.job.federate.personal)  # in the sites' order
        arrays = parted(total * facts["of"], {n: self.weights[n].shape for n in names})
        rows = {s: m.facts["rows"] for s, m in answers.items()}
        whole = {
            n: sum(rows[s] for s, m in answers.items() if n in m.facts["names"]) for n in arrays
        }
        mean_of_all = {n: x / whole[n] for n, x in arrays.items() if whole[n]}
        return [Change("all", mean_of_all, float(sum(rows.values())))]

    def change_of(self, site: str, answer: Message, number: int) -> Change | None:
        """The change that an answer tells; None, and a sentence, where it cannot be one."""
        names = answer.facts.get("names", [])
        try:
            if any(n not in self.weights for n in names):
                raise ValueError("it names weights that are not learned here")
            arrays = decode(answer.arrays, {n: self.weights[n].shape for n in names})
        except (ValueError, KeyError, TypeError) as error:
            self.note(
                f"{site}: left out of round {number}, because what it sent is broken: {error}"
            )
            return None
        age = max(0, number - int(answer.facts["round"]))
        return Change(site, arrays, float(answer.facts["rows"]), age)

    def correct(self, answers: Mapping[str, Message]) -> None:
        """Move the control of all by what the sites' controls moved (SCAFFOLD)."""
        if not self.job.federate.controls:
            return
        share = 1.0 / len(self.learners())
        for answer in answers.values():
            for name, x in answer.arrays.items():
                if name.startswith("k/"):
                    own = self.control.get(name[2:], np.zeros_like(x))
                    self.control[name[2:]] = (own + share * x).astype(np.float32)

    def judge(self, number: int, answers: Sequence[Message]) -> None:
        """Note how validation rows of all sites were answered after a round, and keep the best."""
        pairs = [(m.facts["score"], m.facts["judged"]) for m in answers if m.facts["judged"]]
        value = average(pairs)
        if number and self.history:
            self.history[number - 1]["score"] = value
        if value is not None and number and value > self.best_score:
            self.best_score, self.best_round = value, number
            self.best = {n: x.copy() for n, x in self.weights.items()}

    def score_last(self) -> None:
        """How the last round's model answers validation rows; without any, it is the one kept."""
        arrays = {f"w/{n}": x for n, x in self.weights.items()}
        answers = self.ask({s: Message("score", {}, arrays) for s in self.learners()})
        self.judge(self.done, list(answers.values()))
        if not self.best:
            self.best, self.best_round = dict(self.weights), self.done
            private = self.job.federate.private is not None
            why = "learning is private and no score is told" if private else "no site has"
            why += "" if private else " validation rows"
            self.note(f"{why}: the last round's model is kept")

    def finish(self) -> dict[str, dict[str, Any]]:
        """Give every site the best model, and gather what it says of its test rows."""
        assert self.model is not None
        take_weights(self.model, self.best)
        arrays = {f"w/{n}": x for n, x in self.best.items()}
        facts = {
            "rounds": self.done,
            "best": self.best_round,
            "sites": sorted(self.rows),
            "options": self.job.federate.model_dump(mode="json", exclude={"columns"}),
            "privacy": self.privacy,
        }
        messages = {s: Message("finish", facts, arrays) for s in self.rows}
        return {s: dict(m.facts) for s, m in self.ask(messages).items()}


def average(pairs: Sequence[tuple[float | None, float]]) -> float | None:
    """The mean by weight of what is known."""
    known = [(v, w) for v, w in pairs if v is not None and w]
    whole = sum(w for _, w in known)
    return sum(v * w for v, w in known) / whole if whole else None
