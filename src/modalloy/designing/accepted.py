"""Which designs a search ends with: those that a run has shown to keep everything asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.designing.pareto import front, hypervolume
from modalloy.designing.records import Records
from modalloy.designing.study import Study
from modalloy.twin.runs import MEDIA, Outcome

MOST = 50  # accepted designs that are told with all their figures


def accepted(
    study: Study,
    records: Records,
    u_ND: np.ndarray,
    y_NO: np.ndarray,
    outcomes: Sequence[Outcome],
) -> dict[str, Any]:
    """What the last record says: the front of verified designs, and how promises were kept.

    With one objective the front is the best design, and the accepted are the best ones in order,
    fifty at most of those that `keep` everything.
    """
    kept_N = study.problem.kept(y_NO)
    last = records.last("propose")
    assert last is not None
    proposed = len(last.facts["u"])
    if study.asked.untried:
        return {
            **untried(study, last.facts, u_ND, y_NO, outcomes),
            "margin": rested_on(records),
        }
    final_N = np.arange(len(y_NO)) >= len(y_NO) - proposed
    sure_N = kept_N & trusted(study, last.facts, len(y_NO))
    chosen = order(study, y_NO, sure_N)
    said = {len(y_NO) - proposed + i: p for i, p in enumerate(last.facts["predicted"])}
    first = study.asked.first
    return {
        "accepted": [
            one(study, n, u_ND, y_NO, outcomes, said.get(n)) for n in chosen[:MOST].tolist()
        ],
        "keep": int(sure_N.sum()),
        "front": on_front(study, y_NO, sure_N).tolist(),
        "verified": float(kept_N[final_N].mean()) if proposed else None,
        "feasible": int(kept_N[final_N].sum()),
        "proposed": proposed,
        "flagged": int(np.sum(last.facts["extrapolates"])),
        "runs": len(y_NO),
        "hypervolume": volume(study, y_NO, sure_N),
        "best_of_plan": best_of(study, u_ND[:first], y_NO[:first]),
        "margin": rested_on(records),
    }


def rested_on(records: Records) -> dict[str, Any]:
    """How many rows of each kind the last margin comes from. certified: those verified ones that
    were picked as the last designs are. needed: so many of these prove a promise; unproven: there
    are fewer, and others, which say little of designs that were picked, stand in for them.
    """
    last = records.last("calibrate")
    assert last is not None
    told = {name: last.facts[name] for name in ("planned", "verified", "certified", "needed")}
    return {**told, "unproven": told["certified"] < told["needed"]}


def untried(
    study: Study,
    proposed: Mapping[str, Any],
    u_ND: np.ndarray,
    y_NO: np.ndarray,
    outcomes: Sequence[Outcome],
) -> dict[str, Any]:
    """The same of experiments: the best that were tried, and how many designs are proposed."""
    kept_N = study.problem.kept(y_NO)
    chosen = order(study, y_NO, kept_N)[:MOST].tolist()
    return {
        "accepted": [one(study, n, u_ND, y_NO, outcomes, None) for n in chosen],
        "keep": int(kept_N.sum()),
        "front": on_front(study, y_NO, kept_N).tolist(),
        "verified": None,
        "feasible": 0,
        "proposed": len(proposed["u"]),
        "flagged": int(np.sum(proposed["extrapolates"])),
        "runs": len(y_NO),
        "hypervolume": None,
        "best_of_plan": best_of(study, u_ND, y_NO),
    }


def trusted(study: Study, proposed: Mapping[str, Any], rows: int) -> np.ndarray:
    """Which runs show that their design keeps what is asked, bool (N,): every run of a twin that
    answers a design always alike. Where hidden parameters are drawn, one run may be luck: then the
    last proposals alone that the margin certifies.
    """
    if not study.drawn:
        return np.ones(rows, bool)
    last_N = np.zeros(rows, bool)
    certified = np.array(proposed["certified"], dtype=bool)
    last_N[rows - len(certified) :] = certified
    return last_N


def order(study: Study, y_NO: np.ndarray, kept_N: np.ndarray) -> np.ndarray:
    """Runs that keep everything: by the objective, or those of the front first where there are
    several; in the order of runs where none is asked."""
    kept = np.flatnonzero(kept_N)
    if not study.problem.objectives:
        return kept
    f_NM = study.problem.sought(y_NO)[kept]
    if f_NM.shape[1] == 1:
        return kept[np.argsort(f_NM[:, 0], kind="stable")]
    top_N = front(f_NM)
    return np.concatenate([kept[top_N][np.argsort(f_NM[top_N, 0], kind="stable")], kept[~top_N]])


def on_front(study: Study, y_NO: np.ndarray, kept_N: np.ndarray) -> np.ndarray:
    """Runs that no other is better than in every objective."""
    kept = np.flatnonzero(kept_N)
    if not study.problem.objectives or not len(kept):
        return kept[:0]
    return kept[front(study.problem.sought(y_NO)[kept])]


def volume(study: Study, y_NO: np.ndarray, kept_N: np.ndarray) -> float | None:
    """Hypervolume of the front of two or three objectives, over the worst planned design that
    keeps everything in each; None where there is no such design."""
    if not 2 <= len(study.problem.objectives) <= 3:
        return None
    f_NM, first = study.problem.sought(y_NO), study.asked.first
    planned = f_NM[:first][kept_N[:first]]
    if not len(planned):
        return None
    return hypervolume(f_NM[kept_N], planned.max(0))


def best_of(study: Study, u_ND: np.ndarray, y_NO: np.ndarray) -> dict[str, Any] | None:
    """The best design so far by the first objective; None where none keeps everything."""
    chosen = order(study, y_NO, study.problem.kept(y_NO))
    if not len(chosen):
        return None
    n = int(chosen[0])
    return {
        "run": n,
        "values": study.designs(u_ND[n : n + 1])[0],
        "outputs": dict(zip(study.outputs, y_NO[n].tolist(), strict=True)),
    }


def one(
    study: Study,
    n: int,
    u_ND: np.ndarray,
    y_NO: np.ndarray,
    outcomes: Sequence[Outcome],
    predicted: Any,
) -> dict[str, Any]:
    """A design with its outputs, files and what was foretold of it; None where it was not among
    the last proposals."""
    told = outcomes[n].outputs
    media = {
        name: f"media/{told[name]}"
        for name, output in study.twin.outputs.items()
        if output.type in MEDIA and name in told
    }
    return {
        "run": n,
        "values": study.designs(u_ND[n : n + 1])[0],
        "outputs": {**dict(zip(study.outputs, y_NO[n].tolist(), strict=True))},
        "media": media,
        "predicted": predicted,
    }
