"""What a site must not forget: its own weights, its control, what waits to be sent - by round."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from modalloy.federation.travelling import Arrays
from modalloy.machine.files import write_private, write_safely

KINDS = {"own": ("personal",), "owed": ("control", "waiting")}  # files of a round, and what is in
LAST = 1 << 30  # a round after all others


@dataclass
class Held:
    """What a site holds after a round. waited: rounds since each input's encoder was sent."""

    personal: Arrays = field(default_factory=dict)
    control: Arrays = field(default_factory=dict)
    waiting: Arrays = field(default_factory=dict)
    waited: dict[str, int] = field(default_factory=dict)


class Memory:
    """The folder of a site. Every round is written whole or not at all: its own weights, of which
    the best round's are wanted in the end, and what it owes, of the last two rounds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep_schema(self, schema: Mapping[str, Any]) -> None:
        """Keep what sites agreed on; rounds of an earlier agreement are gone."""
        data = json.dumps(schema).encode()
        path = self.folder / "schema.json"
        if path.is_file() and path.read_bytes() != data:
            for old in self.folder.glob("*-*.safetensors"):
                old.unlink()
        write_safely(path, data)

    def schema(self) -> dict[str, Any] | None:
        """What sites agreed on, None before they did."""
        path = self.folder / "schema.json"
        return json.loads(path.read_text()) if path.is_file() else None

    def begin(self) -> None:
        """Forget the masks of an earlier federation: one that lies on two changes shows their
        difference."""
        for name in ("mask.key", "told.json"):
            (self.folder / name).unlink(missing_ok=True)

    def mask_key(self) -> bytes:
        """The site's private key of hidden sums, of one federation."""
        return self.drawn("mask.key")

    def secret(self) -> bytes:
        """What the noise of private learning is drawn by: one as long as the folder is there, so
        that no step is ever told with two noises."""
        return self.drawn("secret.key")

    def drawn(self, name: str) -> bytes:
        """32 bytes, drawn once; nobody else may read their file."""
        path = self.folder / name
        if not path.is_file():
            part = path.with_name(f"{name}.part")
            write_private(part, os.urandom(32))
            part.replace(path)
        return path.read_bytes()

    def told(self) -> dict[int, tuple[set[str], set[str]]]:
        """Of which sites this one told the own masks, and of which the shared ones, by round."""
        path = self.folder / "told.json"
        found = json.loads(path.read_text()) if path.is_file() else {}
        return {int(n): (set(own), set(with_)) for n, (own, with_) in found.items()}

    def keep_told(self, told: Mapping[int, tuple[set[str], set[str]]]) -> None:
        """Keep that, before it is told: after a kill neither is told of the other kind."""
        data = {n: [sorted(own), sorted(with_)] for n, (own, with_) in told.items()}
        write_safely(self.folder / "told.json", json.dumps(data).encode())

    def asked_before(self, number: int, weights: str) -> bool:
        """Whether a round was asked for with other weights than these, which are kept otherwise."""
        path = self.folder / "asked.json"
        known = json.loads(path.read_text()) if path.is_file() else {}
        if known.setdefault(str(number), weights) != weights:
            return True
        write_safely(path, json.dumps(known).encode())
        return False

    def rounds(self, kind: str) -> list[int]:
        """Rounds of which something is kept, ascending."""
        return sorted(int(p.stem.split("-")[1]) for p in self.folder.glob(f"{kind}-*.safetensors"))

    def before(self, number: int) -> Held:
        """What the site held when this round began."""
        return self.of_round(number - 1)

    def of_round(self, number: int) -> Held:
        """What the site held after this round, or after the last one before it that it was in."""
        held = Held()
        for kind in KINDS:
            found = [n for n in self.rounds(kind) if n <= number]
            if found:
                self.read(self.path(kind, found[-1]), held)
        return held

    def latest(self) -> Held:
        """What the site holds now."""
        return self.of_round(LAST)

    def path(self, kind: str, number: int) -> Path:
        """Where a round's own weights, or what it owes, are."""
        return self.folder / f"{kind}-{number:06d}.safetensors"

    @staticmethod
    def read(path: Path, held: Held) -> None:
        """Put what a file keeps where it belongs."""
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        held.waited |= json.loads(data[8 : 8 + size])
        for name, x in load(data[8 + size :]).items():
            part, _, own = name.partition("/")
            getattr(held, part)[own] = x

    def keep(self, number: int, held: Held) -> None:
        """Keep what the site holds after a round."""
        for kind, parts in KINDS.items():
            arrays = {
                f"{part}/{n}": np.asarray(x, order="C")
                for part in parts
                for n, x in getattr(held, part).items()
            }
            facts = json.dumps(held.waited if kind == "owed" else {}).encode()
            data = len(facts).to_bytes(8, "little") + facts + save(arrays)
            write_safely(self.path(kind, number), data)
        for old in self.rounds("owed"):
            if old < number - 1:
                self.path("owed", old).unlink()
