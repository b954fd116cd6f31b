"""The server's end: sites agree, learn in rounds, and the model goes where their changes say.

It sees what sites send and never a row. After each round it writes what it would need to go on.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.errors import FederationError
from modalloy.federation.aggregate import Change, refuse_few, together
from modalloy.federation.agreement import Agreed
from modalloy.federation.beginning import Beginning
from modalloy.federation.codec import decode
from modalloy.federation.hidden_sum import refuse_unhidden, summed_change, unmask_messages
from modalloy.federation.server_step import ServerStep
from modalloy.federation.sites import Sites
from modalloy.federation.travelling import Arrays, take_weights, travelling
from modalloy.federation.wire import Message, fingerprint
from modalloy.job import config
from modalloy.model.model import Model


@dataclass
class Federation(Beginning):
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

    def run(self) -> None:
        """All rounds that are left; the best one's weights are kept."""
        options = self.job.federate
        while self.done < options.rounds:
            self.round()
        if not any(line.get("changed", True) for line in self.history):
            said = "; ".join(self.said[-3:])
            raise FederationError(f"no round has changed the model, so that there is none: {said}")
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
        if options.secure:
            refuse_unhidden(len(asked))
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
        if not answers:
            self.refuse_standstill(number, asked)
        changes = self.summed(fresh, facts) if options.secure else self.changes(answers, number)
        changed = self.moved(changes, number)
        self.correct(answers)
        self.done = number
        self.history.append(
            {
                "round": number,
                "changed": changed,
                "sites": sorted(answers),
                "loss": average([(m.facts["loss"], m.facts["rows"]) for m in fresh.values()]),
                "up": self.up - up,
                "down": self.down - down,
                "seconds": time.perf_counter() - start,
            }
        )
        self.keep()

    def refuse_standstill(self, number: int, asked: Sequence[str]) -> None:
        """Say that no site answered; FederationError where none will: all are gone, or each of them
        has failed."""
        self.note(f"round {number}: no site answered")
        if not self.sites.names():
            raise FederationError(
                "every site is gone; start again with --resume when they are back."
            )
        if self.job.federate.deadline_s is None and len(asked) == len(self.learners()):
            why = "; ".join(f"{s}: {text}" for s, text in sorted(self.sites.reasons.items()))
            raise FederationError(
                f"round {number}: no site could learn ({why}); mend that, and go on with --resume."
            )

    def moved(self, changes: Sequence[Change], number: int) -> bool:
        """Let the model go where changes say; whether it did."""
        if not changes:
            return False
        try:
            self.weights = self.step(self.weights, together(changes, self.job.federate))
        except FederationError as error:
            self.note(f"round {number} changes nothing: {error}")
            return False
        return True

    def changes(self, answers: Mapping[str, Message], number: int) -> list[Change]:
        """What sites hand in, one by one."""
        found = [self.change_of(s, m, number) for s, m in answers.items()]
        return [c for c in found if c is not None]

    def summed(self, answers: Mapping[str, Message], facts: Mapping[str, Any]) -> list[Change]:
        """The mean of what sites hand in, of which nothing else is seen; none where too few help to
        take the masks off."""
        assert self.model is not None
        names = travelling(self.model, self.job.federate.personal)  # in the sites' order
        shapes = {n: self.weights[n].shape for n in names}
        rows = {s: own["train"] for s, own in self.rows.items()}
        try:
            refuse_few(len(answers), self.job.federate)
            told = self.ask(unmask_messages(answers, facts))
            return [summed_change(answers, told, facts, shapes, rows)]
        except (FederationError, KeyError, ValueError) as error:
            self.note(f"round {facts['round']} changes nothing: {error}")
            return []

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
        return Change(site, arrays, float(self.rows[site]["train"]), age)

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
        found = {s: dict(m.facts) for s, m in self.ask(messages).items()}
        for site, own in found.items():
            if "alone_failed" in own:
                self.note(
                    f"{site}: nothing could be learned from its rows alone to compare with "
                    f"({own['alone_failed']}); the site's own log says more"
                )
        return found


def average(pairs: Sequence[tuple[float | None, float]]) -> float | None:
    """The mean by weight of what is known."""
    known = [(v, w) for v, w in pairs if v is not None and w]
    whole = sum(w for _, w in known)
    return sum(v * w for v, w in known) / whole if whole else None
