"""Rules that say what a row buys next, each from what `Seen` shows of it; numpy alone.

What learns them is in `economy/arms/`; a run keeps the one that was chosen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modalloy.policy.net import Net
from modalloy.policy.seen import Seen


@dataclass(frozen=True)
class Subset:
    """Every row buys the same inputs. wanted_M: which."""

    wanted_M: np.ndarray

    def wants(self, seen: Seen) -> np.ndarray:
        """Which inputs each row buys next, (B, M) bool; nothing where it stops."""
        return seen.open_BM & self.wanted_M


@dataclass(frozen=True)
class Cascade:
    """Buys in one order until the answer is sure enough. order_K: numbers of inputs; those that are
    not named are never bought. least_K: how sure an answer must be after 1, 2, ... purchases.
    """

    order_K: np.ndarray
    least_K: np.ndarray

    def wants(self, seen: Seen) -> np.ndarray:
        """As in `Subset`; a cell that is not there is passed over."""
        named = np.zeros(seen.open_BM.shape[1], dtype=bool)
        named[self.order_K] = True
        count_B = (seen.bought_BM & named).sum(1)
        least_B = np.concatenate([[np.inf], self.least_K])[np.minimum(count_B, len(self.least_K))]
        wanted_BM = np.zeros_like(seen.open_BM)
        free_BK = seen.open_BM[:, self.order_K]
        rows = np.flatnonzero(free_BK.any(1) & (seen.sure_B < least_B))
        wanted_BM[rows, self.order_K[free_BK[rows].argmax(1)]] = True
        return wanted_BM


@dataclass(frozen=True)
class Scored:
    """Buys the input of the largest score while that exceeds a limit.

    nets: one network for all states, or one for each number of inputs that are bought; it scores
    each input, (B, M). times_M: what scores are multiplied with, such as 1 / cost.
    """

    nets: tuple[Net, ...]
    times_M: np.ndarray
    limit: float

    def wants(self, seen: Seen) -> np.ndarray:
        """As in `Subset`."""
        wanted_BM = np.zeros_like(seen.open_BM)
        at_B = np.minimum(seen.bought_BM.sum(1), len(self.nets) - 1)
        x_BF = seen.inputs()
        for at, net in enumerate(self.nets):
            rows = np.flatnonzero((at_B == at) & seen.open_BM.any(1))
            if len(rows):
                score_RM = np.where(seen.open_BM[rows], net(x_BF[rows]) * self.times_M, -np.inf)
                best_R = score_RM.argmax(1)
                buys = score_RM[np.arange(len(rows)), best_R] > self.limit
                wanted_BM[rows[buys], best_R[buys]] = True
        return wanted_BM


@dataclass(frozen=True)
class Gate:
    """Buys some inputs for every row, looks once, and then buys one of several sets.

    first_M: what every row buys. sets_KM: the sets, each with what came first; the network says how
    good each of them is, (B, K).
    """

    net: Net
    first_M: np.ndarray
    sets_KM: np.ndarray

    def wants(self, seen: Seen) -> np.ndarray:
        """As in `Subset`."""
        first_BM = seen.open_BM & self.first_M
        starts_B1 = first_BM.any(axis=1, keepdims=True)
        done_B1 = (seen.bought_BM & ~self.first_M).any(axis=1, keepdims=True)
        chosen_BM = self.sets_KM[self.net(seen.inputs()).argmax(1)] & seen.open_BM
        return np.where(starts_B1, first_BM, chosen_BM & ~done_B1)


Rule = Subset | Cascade | Scored | Gate
KINDS: dict[str, type[Rule]] = {
    "subset": Subset,
    "cascade": Cascade,
    "scored": Scored,
    "gate": Gate,
}


def rule_to_state(rule: Rule) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A rule as JSON and arrays."""
    kind = next(name for name, own in KINDS.items() if own is type(rule))
    meta: dict[str, Any] = {"kind": kind, "nets": 0}
    arrays: dict[str, np.ndarray] = {}
    fields = dict(vars(rule))
    nets = fields.pop("nets", None) or ((fields.pop("net"),) if "net" in fields else ())
    for n, net in enumerate(nets):
        meta["nets"] = n + 1
        arrays |= {f"net/{n}/{name}": a for name, a in net.arrays().items()}
    for name, value in fields.items():
        if isinstance(value, np.ndarray):
            arrays[name] = np.ascontiguousarray(value, value.dtype if value.dtype != bool else "u1")
        else:
            meta[name] = value
    return meta, arrays


def rule_from_state(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Rule:
    """The rule that was kept."""
    own = {k: v for k, v in meta.items() if k not in ("kind", "nets")}
    own |= {
        k: a.astype(bool) if a.dtype == np.uint8 else a for k, a in arrays.items() if "/" not in k
    }
    nets = tuple(net_at(arrays, n) for n in range(meta["nets"]))
    match meta["kind"]:
        case "subset":
            return Subset(**own)
        case "cascade":
            return Cascade(**own)
        case "scored":
            return Scored(nets, **own)
        case kind:
            assert kind == "gate", "the form that this version knows has no other kind"
            return Gate(nets[0], **own)


def net_at(arrays: Mapping[str, np.ndarray], number: int) -> Net:
    """One of the networks among a rule's arrays."""
    start = f"net/{number}/"
    return Net(**{k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)})
