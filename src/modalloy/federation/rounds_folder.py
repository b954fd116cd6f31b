"""What a server would need to go on after a kill: written after each round, read by `--resume`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

from modalloy.errors import FederationError
from modalloy.federation.agreement import Agreed
from modalloy.federation.server_step import ServerStep
from modalloy.federation.travelling import Arrays
from modalloy.machine.files import write_safely

STATE, HISTORY = "server.safetensors", "rounds.jsonl"


class RoundsFolder:
    """The part of a server that lies in its folder. mark: the job's fingerprint.

    weights, control, best: of the model, of all sites, of the best round. done: rounds.
    """

    folder: Path
    mark: str
    step: ServerStep
    agreed: Agreed | None
    weights: Arrays
    control: Arrays
    best: Arrays
    best_round: int
    best_score: float
    done: int
    history: list[dict[str, Any]]
    said: list[str]
    up: int
    down: int
    rows: dict[str, dict[str, int]]
    keys: dict[str, str]
    privacy: dict[str, dict[str, Any]]

    def build(self, schema: Mapping[str, Any]) -> None:
        """The model before the first round."""
        raise NotImplementedError("the server builds it")

    def keep(self) -> None:
        """Write what it takes to go on after a kill."""
        parts = {
            "w": self.weights,
            "k": self.control,
            "b": self.best,
            "1": self.step.first,
            "2": self.step.second,
        }
        arrays = {
            f"{p}/{n}": np.asarray(x, order="C")
            for p, some in parts.items()
            for n, x in some.items()
        }
        facts = {
            "done": self.done,
            "best_round": self.best_round,
            "best_score": None if not self.best else self.best_score,
            "history": self.history,
            "said": self.said,
            "rows": self.rows,
            "up": self.up,
            "down": self.down,
            "job": self.mark,
            "keys": self.keys,
            "privacy": self.privacy,
            "has": self.agreed.has if self.agreed else {},
        }
        write_safely(self.folder / STATE, save(arrays, {"facts": json.dumps(facts)}))
        lines = "\n".join(json.dumps(line) for line in self.history)
        write_safely(self.folder / HISTORY, lines.encode())

    def resume(self) -> bool:
        """Go on where a killed server was; whether there was anything. FederationError for what
        belongs to another job."""
        path, schema = self.folder / STATE, self.folder / "schema.json"
        if not path.is_file() or not schema.is_file():
            return False
        with safe_open(path, "numpy") as file:
            facts = json.loads(file.metadata()["facts"])
        if facts["job"] != self.mark:
            raise FederationError(f"{self.folder}: holds the rounds of another job.")
        known = json.loads(schema.read_text())
        self.build(known)
        parts: dict[str, Arrays] = {p: {} for p in "wkb12"}
        for name, x in load_file(path).items():
            parts[name[0]][name[2:]] = x
        self.weights, self.control, self.best = parts["w"], parts["k"], parts["b"]
        self.step.first, self.step.second = parts["1"], parts["2"]
        self.done, self.best_round = facts["done"], facts["best_round"]
        if facts["best_score"] is not None:
            self.best_score = facts["best_score"]
        self.keys, self.privacy = facts["keys"], facts["privacy"]
        self.history, self.said, self.rows = facts["history"], facts["said"], facts["rows"]
        self.up, self.down = facts["up"], facts["down"]
        sizes = {s: r["train"] for s, r in self.rows.items()}
        self.agreed = Agreed(known["readers"], known["targets"], facts["has"], sizes)
        return True
