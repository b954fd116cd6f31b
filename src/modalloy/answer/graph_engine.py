"""A network as graphs that answers: without torch, each input's encoder by whoever runs it best."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.engine import Decided, Encoded, Engine
from modalloy.graphs.branch import FUSION, Branch
from modalloy.graphs.session import Session
from modalloy.job import config
from modalloy.job.inputs import shared_encoders
from modalloy.readers.batch import TABLE, ArrayBatch, Arrays, inputs_of
from modalloy.readers.reader import Reader


class TokenArrays(NamedTuple):
    """Tokens of one input, as `Tokens` of torch has them.

    x_BTD: float32. mask_BT: bool. summary_BD: float32. words_BW: int64, or None. maps: (B, F, H, W)
    each.
    """

    x_BTD: np.ndarray
    mask_BT: np.ndarray
    summary_BD: np.ndarray
    words_BW: np.ndarray | None
    maps: tuple[np.ndarray, ...]


class GraphEngine(Engine):
    """The graphs of a bundle as an engine.

    branches: by name; sessions: what runs each; a template picture has those of its picture.
    absent: media input -> its learned vector (D,) for rows without it.
    """

    def __init__(
        self,
        job: config.Job,
        readers: Mapping[str, Reader],
        targets: Mapping[str, Any],
        branches: Mapping[str, Branch],
        sessions: Mapping[str, Session],
        absent: Mapping[str, np.ndarray],
    ) -> None:
        self.job, self.readers, self.targets = job, dict(readers), dict(targets)
        self.inputs = inputs_of(readers)
        alike = shared_encoders(job)
        own = {name: alike.get(name, name) for name in self.inputs} | {FUSION: FUSION}
        self.branches = {name: branches[other] for name, other in own.items()}
        self.sessions = {name: sessions[other] for name, other in own.items()}
        self.absent_D = absent

    def encode(
        self, given: ArrayBatch, inputs: Collection[str], *, pooled: Collection[str] = ()
    ) -> Encoded:
        """Only rows that have an input run through its graph."""
        found = Encoded(given.rows, context={})
        for m, name in enumerate(self.inputs):
            if name not in inputs:
                continue
            values, present = given.values[name], given.present[name]
            if name == TABLE:
                out = self.sessions[name].run({**values, "present": present})
                found.tokens[name] = tokens_in(out)
                continue
            seen = np.flatnonzero(present)
            out = self._some(name, values, seen, len(present), pooled=name in pooled)
            found.tokens[name] = out[0]
            if out[1] is not None:
                found.pooled[name] = out[1]
            if self.branches[name].maps:
                found.context[f"size.{m}"] = values["size"]
                found.context[f"seen.{m}"] = present
        return found

    def _some(
        self, name: str, values: Arrays, seen: np.ndarray, rows: int, *, pooled: bool
    ) -> tuple[TokenArrays, np.ndarray | None]:
        """Tokens of all rows, of which these have the input; and what its trunk pools."""
        run = seen if len(seen) else np.zeros(1, np.int64) if pooled else seen
        if not len(run):
            return self.absent(name, rows), None
        some = values if len(run) == rows else {k: v[run] for k, v in values.items()}
        out = self.sessions[name].run(some)
        x_BF = None
        if pooled:
            x_BF = np.full((rows, out["pooled"].shape[1]), np.nan, np.float32)
            x_BF[seen] = out["pooled"][: len(seen)]
        if not len(seen):
            return self.absent(name, rows), x_BF
        tokens = tokens_in(out)
        return (tokens if len(seen) == rows else self._scatter(name, tokens, seen, rows)), x_BF

    def absent(self, name: str, rows: int) -> TokenArrays:
        """Tokens of rows that all lack an input."""
        branch = self.branches[name]
        if name == TABLE:
            blank = {k: port.blank(1) for k, port in branch.inputs.items()}
            one = tokens_in(self.sessions[name].run(blank))
            return taken(one, np.zeros(rows, np.int64))
        absent_D = self.absent_D[name]
        summary_BD = np.repeat(absent_D[None], rows, 0)
        words = np.full((rows, 1), -1, np.int64) if "words_BW" in branch.outputs else None
        maps = tuple(np.zeros((rows, *shape), np.float32) for shape in branch.maps)
        return TokenArrays(summary_BD[:, None], np.ones((rows, 1), bool), summary_BD, words, maps)

    def _scatter(self, name: str, tokens: TokenArrays, seen: np.ndarray, rows: int) -> TokenArrays:
        """The tokens of rows that have an input among those of rows that lack it."""
        length = tokens.x_BTD.shape[1]
        x_BTD = np.zeros((rows, *tokens.x_BTD.shape[1:]), np.float32)
        x_BTD[:, 0] = self.absent_D[name]
        x_BTD[seen] = tokens.x_BTD
        mask_BT = np.zeros((rows, length), bool)
        mask_BT[:, 0] = True
        mask_BT[seen] = tokens.mask_BT
        summary_BD = np.repeat(self.absent_D[name][None], rows, 0)
        summary_BD[seen] = tokens.summary_BD
        words_BW = tokens.words_BW
        if words_BW is not None:
            every_BW = np.full((rows, words_BW.shape[1]), -1, words_BW.dtype)
            every_BW[seen] = words_BW
            words_BW = every_BW
        maps = []
        for some in tokens.maps:
            every = np.zeros((rows, *some.shape[1:]), np.float32)
            every[seen] = some
            maps.append(every)
        return TokenArrays(x_BTD, mask_BT, summary_BD, words_BW, tuple(maps))

    def take(self, tokens: TokenArrays, which: np.ndarray) -> TokenArrays:
        """Some of the rows."""
        return taken(tokens, which)

    def decide(
        self,
        encoded: Encoded,
        *,
        hidden: Collection[str] = (),
        tasks: Collection[str] | None = None,
    ) -> Decided:
        """All tasks are computed by one graph; those that were not asked for are left out."""
        rows = len(encoded)
        given: Arrays = {}
        summaries: Arrays = {}
        for m, name in enumerate(self.inputs):
            there = name in encoded.tokens and name not in hidden
            tokens = encoded.tokens[name] if there else self.absent(name, rows)
            summaries[name] = tokens.summary_BD
            given |= as_given(m, tokens)
            if self.branches[name].maps:
                context = encoded.context or {}
                nowhere_B, any_B2 = np.zeros(rows, bool), np.ones((rows, 2), np.float32)
                given[f"size.{m}"] = context.get(f"size.{m}", any_B2)
                given[f"seen.{m}"] = context.get(f"seen.{m}", nowhere_B) & there
        out = self.sessions[FUSION].run(given)
        names = list(self.job.tasks)
        found = Decided({}, {n: {} for n in self.inputs}, summaries, out["fused"])
        for key, x in out.items():
            kind, *rest = key.split(".", 3)
            if kind == "task":
                name, key = names[int(rest[0])], ".".join(rest[1:])
                if tasks is None or name in tasks:
                    found.tasks.setdefault(name, {})[key] = x
            elif kind == "head":
                name = names[int(rest[1])]
                if tasks is None or name in tasks:
                    own = found.heads[self.inputs[int(rest[0])]]
                    own.setdefault(name, {})[rest[2]] = x
        return found


def tokens_in(out: Arrays) -> TokenArrays:
    """The tokens among the outputs of an encoder's graph."""
    maps = sorted(k for k in out if k.startswith("map."))
    own = (out["x_BTD"], out["mask_BT"], out["summary_BD"], out.get("words_BW"))
    return TokenArrays(*own, tuple(out[k] for k in maps))


def as_given(m: int, tokens: TokenArrays) -> Arrays:
    """Tokens of the m-th input as the graph of fusion and heads takes them."""
    found = {
        f"x.{m}": tokens.x_BTD,
        f"mask.{m}": tokens.mask_BT,
        f"summary.{m}": tokens.summary_BD,
    }
    if tokens.words_BW is not None:
        found[f"words.{m}"] = tokens.words_BW
    return found | {f"map.{m}.{j}": x for j, x in enumerate(tokens.maps)}


def taken(tokens: TokenArrays, which: np.ndarray) -> TokenArrays:
    """The tokens of some rows."""
    words = None if tokens.words_BW is None else tokens.words_BW[which]
    return TokenArrays(
        tokens.x_BTD[which],
        tokens.mask_BT[which],
        tokens.summary_BD[which],
        words,
        tuple(x[which] for x in tokens.maps),
    )
