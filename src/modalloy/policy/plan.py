"""What a run buys for each row, and what it was certified for: one part of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modalloy.errors import RunError
from modalloy.policy.rules import Rule, rule_from_state, rule_to_state
from modalloy.policy.seen import Features
from modalloy.runs.run import Run

PART = "policy.safetensors"
FORM = 1  # of what this version writes
KEY = "policy"  # of the heading


@dataclass(frozen=True)
class Plan:
    """Which inputs rows buy.

    inputs: those that are decided on, in the order of the rule's arrays. always: those that every
    row buys before. costs: input -> what a cell of it costs. unit: `ms` where it was measured, else
    empty: whatever the user counts in. arm: what learned the rule. weights: sha256 of the network
    that it was certified for. certificate: the promise and what it rests on, as JSON.
    """

    inputs: tuple[str, ...]
    always: tuple[str, ...]
    costs: Mapping[str, float]
    unit: str
    features: Features
    rule: Rule
    arm: str
    weights: str
    certificate: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """What `plan_from_bytes` needs: safetensors, and JSON in their heading."""
        from safetensors.numpy import save

        meta, arrays = rule_to_state(self.rule)
        said = {
            "form": FORM,
            "inputs": list(self.inputs),
            "always": list(self.always),
            "costs": dict(self.costs),
            "unit": self.unit,
            "features": self.features.state(),
            "rule": meta,
            "arm": self.arm,
            "weights": self.weights,
            "certificate": dict(self.certificate),
        }
        return save(arrays, metadata={KEY: json.dumps(said, allow_nan=False)})


def plan_from_bytes(data: bytes) -> Plan:
    """The plan that was kept. RunError for what this version does not know."""
    from safetensors.numpy import load

    heading = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    said = json.loads(heading["__metadata__"][KEY])
    if said["form"] > FORM:
        raise RunError(f"{PART}: made by a newer version (form {said['form']}); upgrade modalloy.")
    return Plan(
        tuple(said["inputs"]),
        tuple(said["always"]),
        said["costs"],
        said["unit"],
        Features.from_state(said["features"]),
        rule_from_state(said["rule"], load(data)),
        said["arm"],
        said["weights"],
        said["certificate"],
    )


def plan_of(run: Run) -> Plan | None:
    """What a run buys; None where it has no such part and reads every cell."""
    return plan_from_bytes(run.part(PART)) if PART in run.sealed else None


def no_longer_holds(run: Run, plan: Plan) -> str:
    """A sentence where a run has other weights than its plan was certified for, else empty."""
    if run.sealed["model.safetensors"] == plan.weights:
        return ""
    return (
        "which columns are bought was certified for other weights than this run has; "
        "`modalloy economize` certifies it anew"
    )
