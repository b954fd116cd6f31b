"""The server of split training: hashes are compared, summaries go to the site with the answers, and
their gradients back; it computes nothing of its own and sees no cell and no answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modalloy.errors import FederationError
from modalloy.federation.matched.matching import common
from modalloy.federation.matched.own_job import OwnColumns, label_site, matched_of, refuse_unused
from modalloy.federation.sites import Sites
from modalloy.federation.wire import Arrays, Message, fingerprint, pack, unpack
from modalloy.job import config
from modalloy.job.inputs import inputs


@dataclass
class SplitServer:
    """One split training. label: the site with the answers. inputs: what each other site encodes,
    as all call it. up, down: bytes from and to sites, as they travelled.
    """

    job: config.Job
    sites: Sites
    tell: Callable[[str], None] = lambda text: None
    label: str = ""
    inputs: dict[str, list[str]] = field(default_factory=dict)
    rows: int = 0
    way: Mapping[str, Any] = field(default_factory=dict)
    gradients: Arrays = field(default_factory=dict)
    keep: bool = False
    epochs: int = 0
    up: int = 0
    down: int = 0
    bytes_of: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_unused(self.job)
        self.options, self.mark = matched_of(self.job), fingerprint(self.job)

    def ask(self, messages: Mapping[str, Message]) -> dict[str, Message]:
        """The answers of all sites that are asked; FederationError where one does not answer."""
        packed = {site: pack(message, self.mark) for site, message in messages.items()}
        answers = self.sites.ask(packed, deadline_s=None)
        for site, data in packed.items():
            if site not in answers:
                why = self.sites.reasons.get(site, "no reason is known")
                raise FederationError(
                    f"{site} did not answer: {why.rstrip('.')}. Split training needs every site in "
                    "every step, so it ends here; start it again once all sites are there."
                )
            own = self.bytes_of.setdefault(site, {"up": 0, "down": 0})
            own["down"] += len(data)
            own["up"] += len(answers[site])
            self.down += len(data)
            self.up += len(answers[site])
        return {site: self.read(site, answers[site]) for site in packed}

    def read(self, site: str, data: bytes) -> Message:
        """A site's message; FederationError where it cannot be read."""
        try:
            return unpack(data, self.mark)
        except FederationError as error:
            raise FederationError(f"what {site} sent cannot be used: {error}") from error

    def begin(self) -> None:
        """Match rows, and let each site build its part of the network."""
        names = self.sites.names()
        if len(names) < 2:
            raise FederationError(
                f"{len(names)} site has joined; split training needs two, or use `modalloy train`."
            )
        told = self.ask({s: Message("match") for s in names})
        brings = {
            s: OwnColumns(tuple(m.facts["inputs"]), bool(m.facts["labels"]))
            for s, m in told.items()
        }
        self.label = label_site(brings)
        self.inputs = {s: m.facts["encoded"] for s, m in told.items() if s != self.label}
        self.refuse_forgotten(brings)
        ids = {s: m.arrays["ids"] for s, m in told.items()}
        shared = common(ids, {s: m.arrays["key"] for s, m in told.items()}, self.options)
        self.rows = len(shared)
        sizes = ", ".join(f"{len(ids[s])} of {s}" for s in names)
        self.tell(f"{self.rows} parts are at all sites ({sizes}); {self.label} has the answers")
        vectors = [n for own in self.inputs.values() for n in own]
        opened = Message("open", {"vectors": vectors}, {"ids": shared})
        agreed = self.ask({self.label: opened})[self.label]
        self.way = agreed.facts
        steps = int(self.way["epochs"]) * int(self.way["per_epoch"])
        facts = {"steps": steps, "batch": self.way["batch"]}
        opened = Message("open", facts, {"ids": shared, **agreed.arrays})
        self.ask({s: opened for s in self.inputs})

    def refuse_forgotten(self, brings: Mapping[str, OwnColumns]) -> None:
        """FederationError for a column of the job that no site has."""
        had = {n for own in brings.values() for n in own.inputs}
        for name in inputs(self.job):
            if name not in had:
                raise FederationError(
                    f"column '{name}': no site has it; leave it out of the job, or say in "
                    "federate.columns what it is called."
                )

    def run(self) -> None:
        """Pass after pass, until the site with the answers has seen enough."""
        for epoch in range(int(self.way["epochs"])):
            for at in range(int(self.way["per_epoch"])):
                self.step(epoch, at)
            self.epochs = epoch + 1
            last = self.epochs == int(self.way["epochs"])
            if (self.epochs % int(self.way["look_every"]) == 0 or last) and self.look():
                return

    def step(self, epoch: int, at: int) -> None:
        """One batch: summaries come, and their gradients wait to go down with the next request."""
        where = {"epoch": epoch, "at": at}
        arrays = self.below("forward", where)
        learned = self.ask({self.label: Message("learn", where, arrays)})[self.label]
        self.gradients = learned.arrays

    def look(self) -> bool:
        """Let validation rows be judged; whether nothing more is to be learned."""
        arrays = self.below("look", {"which": "validation"})
        found = self.ask({self.label: Message("judge", {}, arrays)})[self.label].facts
        self.keep = bool(found["keep"])
        score = "" if found["score"] is None else f", score {found['score']:.4f}"
        self.tell(f"pass {self.epochs}: loss {found['loss']:.4f}{score}")
        return bool(found["over"])

    def below(self, kind: str, facts: Mapping[str, Any]) -> Arrays:
        """What the other sites answer together, each of them told the gradients of its own last
        summaries and whether to keep its weights."""
        messages = {}
        for site, own in self.inputs.items():
            down = {f"gradient/{n}": self.gradients.get(f"gradient/{n}") for n in own}
            known = {n: x for n, x in down.items() if x is not None}
            messages[site] = Message(kind, {**facts, "keep": self.keep}, known)
        self.gradients, self.keep = {}, False
        found: Arrays = {}
        for site, message in self.ask(messages).items():
            wanted = {f"{part}/{n}" for n in self.inputs[site] for part in ("z", "present")}
            if message.arrays.keys() != wanted and not (kind == "look" and not message.arrays):
                raise FederationError(
                    f"{site} sent {', '.join(sorted(message.arrays)) or 'nothing'} in place of "
                    "summaries of its inputs; give all sites the same job and version."
                )
            found |= message.arrays
        return found

    def settle(self) -> None:
        """Let every site take its kept weights, and the one with the answers all summaries."""
        arrays = self.below("look", {"which": "all"})
        self.ask({self.label: Message("settle", {}, arrays)})

    def finish(self, seconds: float) -> None:
        """Let each site write its run; the one with the answers notes what it took."""
        told = {
            "epochs": self.epochs,
            "seconds": seconds,
            "inputs": self.inputs,
            "options": self.options.model_dump(mode="json"),
            "bytes": {"up": self.up, "down": self.down},
            "bytes_of": {site: dict(own) for site, own in self.bytes_of.items()},
        }
        self.ask({s: Message("finish", {"epochs": self.epochs}) for s in self.inputs})
        self.ask({self.label: Message("finish", told)})
