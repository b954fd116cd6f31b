"""A search for designs as its records tell it: fabricated numbers of a beam, seeded, in no time."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from modalloy.designing.records import Records
from modalloy.twin.journal import Header, Journal, Recorded
from modalloy.twin.runs import Outcome
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Categorical, Ordinal

TWIN: dict[str, Any] = {
    "name": "beam",
    "variables": {
        "width": {"type": "continuous", "low": 10, "high": 60, "unit": "mm"},
        "height": {"type": "continuous", "low": 10, "high": 120, "unit": "mm", "log": True},
        "ribs": {"type": "integer", "low": 0, "high": 6},
        "tube": {"type": "ordinal", "levels": [10, 12, 16, 20], "unit": "mm"},
        "material": {"type": "categorical", "choices": ["steel", "aluminium"]},
        "wall": {"type": "linked", "is": "width / 10", "unit": "mm"},
    },
    "outputs": {
        "mass": {"type": "number", "unit": "kg"},
        "deflection": {"type": "number", "unit": "mm"},
        "f1": {"type": "number", "unit": "Hz"},
        "drawing": {"type": "image"},
        "note": {"type": "text"},
    },
    "simulator": {"type": "python", "use": "json:loads"},
}
CONSTRAINTS = (
    {
        "output": "deflection",
        "low": None,
        "high": 0.6,
        "unit": "mm",
        "text": "deflection <= 0.6 mm",
    },
    {"output": "f1", "low": 200.0, "high": None, "unit": "Hz", "text": "f1 >= 200 Hz"},
)
FIGURES = ("mass", "deflection", "f1")


class Search:
    """Writes the records of a search into a folder, and its runs and pictures."""

    def __init__(
        self,
        folder: Path,
        *,
        objectives: tuple[str, ...] = ("mass",),
        constraints: tuple[dict[str, Any], ...] = CONSTRAINTS,
        planned: int = 40,
        batch: int = 10,
        final: int = 20,
        rows: bool = True,
        simulated: bool = True,
        twin: dict[str, Any] | None = None,
        confidence: float = 0.95,
        fails: float = 0.05,
        trusted: bool = True,
        needed: int = 0,
        certain: bool = True,
        seed: int = 0,
    ) -> None:
        self.folder, self.constraints, self.rows = folder, constraints, rows
        self.twin = Twin.model_validate(twin or TWIN)
        self.draw = np.random.default_rng(seed)
        self.records = Records(folder / "records")
        self.objectives, self.confidence, self.fails = objectives, confidence, fails
        self.planned, self.batch, self.final, self.simulated = planned, batch, final, simulated
        self.trusted = trusted  # whether runs show that their designs keep what is asked
        self.certain = certain  # whether the margin certifies what is proposed
        self.needed = needed  # proposals that a margin has to rest on
        self.run, self.seen, self.extra, self.reason = 0, [], {}, "the mesh collapsed"
        (folder / "media").mkdir(parents=True, exist_ok=True)

    def plan(self) -> "Search":
        """Plan, runs, and what was learned from them first."""
        variables = {
            name: {"unit": getattr(v, "unit", None)}
            | ({"low": v.low, "high": v.high} if hasattr(v, "low") else
               {"choices": levels_of(v)})
            for name, v in self.twin.variables.items() if v.type != "linked"
        }  # fmt: skip
        self.records.write(
            "plan",
            {
                "twin": self.twin.name,
                "fingerprint": "0" * 64,
                "asked": {"twin": self.twin.name, "confidence": self.confidence},
                "objectives": [
                    {"output": o.lstrip("-"), "unit": self.unit(o.lstrip("-")),
                     "direction": "maximise" if o[0] == "-" else "minimise"}
                    for o in self.objectives
                ],
                "constraints": list(self.constraints),
                "variables": variables,
                "runs": self.planned,
                "kind": "sobol",
            },
        )  # fmt: skip
        ran = [self.simulate(self.design(), self.fails) for _ in range(self.planned)]
        bad = sum(r["status"] != "ok" for r in ran)
        status = {"ok": len(ran) - bad, "failed": bad}
        self.records.write(
            "simulate", {"runs": [0, self.run - 1], "status": status, "seconds": 2.5}
        )
        told = {
            "rows": status["ok"],
            "failed": bad,
            "feasible": sum(r["kept"] for r in ran),
            "passed": 0,
        }
        self.records.write("ingest", {**told, "best": self.best()})
        return self.learn()

    def learn(self) -> "Search":
        """Train and calibrate."""
        rows = sum(r["status"] == "ok" for r in self.seen)
        better = 1 - 4 / rows
        scores = {
            n: {"r2": better - 0.02 * i, "rmse": 0.1 * (i + 1), "coverage": 0.91}
            for i, n in enumerate(FIGURES)
        }
        kinds = {"gaussian process": 1.25, "deep ensemble": 0.75}  # compared once, at first
        compared = {} if self.records.last("train") else kinds
        self.records.write(
            "train",
            {
                "surrogate": "gaussian process",
                "scores": scores,
                "compared": compared,
                "rows": rows,
                "shown": 0.8,
                "seconds": 1.5,
            },
        )
        verified = sum(r["status"] == "ok" for r in self.seen[self.planned :])
        margins = {c["output"]: 1.75 - 0.01 * verified for c in self.constraints}
        told = {"margins": margins, "planned": rows - verified, "verified": verified, "rows": rows}
        told |= {"needed": self.needed, "certified": max(0, verified - 1)}
        self.records.write("calibrate", {"confidence": self.confidence, **told})
        return self.save()

    def round(self, number: int = 1) -> "Search":
        """One batch of proposals, what came of them, and a model that has learned from it."""
        self.propose(number, final=False)
        self.records.write("infill", {"added": self.batch, "left": 100, "best": self.best()})
        return self.learn()

    def propose(self, number: int, *, final: bool, offset: float = 0.0) -> list[dict[str, Any]]:
        """Designs near to what is best, and a run of each; offset: how much too slender."""
        count = self.final if final else self.batch
        designs = [self.design(near=True, offset=offset) for _ in range(count)]
        told = [beam(d) for d in designs]
        predicted = [{n: [v * 0.95, v, v * 1.05] for n, v in self.noisy(t).items()} for t in told]
        far = [bool(i == 1) for i in range(count)]
        record = {"round": number, "final": final, "designs": designs, "predicted": predicted}
        self.records.write(
            "propose",
            {**record, "certified": [self.certain and not f for f in far], "extrapolates": far},
        )
        if not self.simulated:
            return [{"values": d, "predicted": p} for d, p in zip(designs, predicted, strict=True)]
        first = self.run
        ran = [self.simulate(d, self.fails if i else 0.0) for i, d in enumerate(designs)]
        self.records.write(
            "verify",
            {
                "runs": [first, self.run - 1],
                "outputs": [r["outputs"] or None for r in ran],
                "status": [r["status"] for r in ran],
                "seconds": 0.5,
                "feasible": [r["kept"] for r in ran],
            },
        )
        return [{**r, "predicted": p} for r, p in zip(ran, predicted, strict=True)]

    def accept(self, *, offset: float = 0.0) -> "Search":
        """The last proposals, and all that keeps everything, the best first."""
        ran = self.propose(9, final=True, offset=offset)
        kept = sorted((r for r in self.seen if r["kept"] and self.trusted), key=self.cost)
        final = {r["run"]: r for r in ran if r.get("kept")}
        accepted = [
            {
                **{key: r[key] for key in ("run", "values", "outputs")},
                "media": {"drawing": self.drawing(r)},
                "predicted": final[r["run"]]["predicted"] if r["run"] in final else None,
            }
            for r in kept[:50]
        ]
        self.records.write(
            "accept",
            {
                "accepted": accepted,
                "keep": len(kept),
                "front": self.front(kept),
                "verified": len(final) / len(ran) if self.simulated and ran else None,
                "feasible": len(final),
                "proposed": len(ran),
                "flagged": min(1, len(ran)),
                "runs": self.run,
                "hypervolume": 1.25 if len(self.objectives) > 1 else None,
                "best_of_plan": self.best(self.seen[: self.planned]),
            },
        )
        return self.save()

    def save(self) -> "Search":
        """The record of all runs, if there is to be one."""
        path = self.folder / "runs.jsonl"
        path.unlink(missing_ok=True)
        if self.rows:
            with Journal(path, Header("0" * 64, {}, {}, 0, {})) as journal:
                for r in self.seen:
                    told = (r["run"], r["status"], r["reason"], r["outputs"], 0.1, 7, 1)
                    journal.add(Recorded(Outcome(*told), {"unseen": 0.5, **r["values"]}))
        return self

    def cost(self, ran: dict[str, Any]) -> float:
        """The first objective, to be minimised."""
        goal = self.objectives[0] if self.objectives else "mass"
        told = {**ran["values"], **ran["outputs"]}
        return told[goal.lstrip("-")] * (-1 if goal[0] == "-" else 1)

    def unit(self, name: str) -> str | None:
        """Of an output or a variable."""
        both = {**self.twin.variables, **self.twin.outputs}
        return getattr(both[name], "unit", None)

    def design(self, *, near: bool = False, offset: float = 0.0) -> dict[str, Any]:
        """Values of every variable; near: of stiff and light beams."""
        u = self.draw.random(5)
        if near:
            u = (
                np.array([0.12, 0.975, 0.5, 0.6, 0.9])
                + np.array([0.14, 0.05, 0.7, 0.5, 0.1]) * (u - 0.5)
                - offset * np.array([0, 1, 0, 0, 0])
            )
        width = 10 + 50 * u[0]
        return {
            "width": width,
            "height": float(np.exp(np.log(10) + np.log(12) * u[1])),
            "ribs": int(np.clip(round(6 * u[2]), 0, 6)),
            "tube": [10, 12, 16, 20][int(np.clip(4 * u[3], 0, 3))],
            "material": ["steel", "aluminium"][int(u[4] > 0.5)],
            "wall": width / 10,
            **self.extra,
        }

    def noisy(self, told: dict[str, float]) -> dict[str, float]:
        """What a surrogate says of it."""
        return {n: v * (1 + 0.025 * self.draw.standard_normal()) for n, v in told.items()}

    def simulate(self, values: dict[str, Any], fails: float) -> dict[str, Any]:
        """One run, which fails now and then."""
        failed = bool(self.draw.random() < fails)
        outputs = {} if failed else beam(values)
        kept = bool(outputs) and all(
            (c["low"] is None or outputs[c["output"]] >= c["low"])
            and (c["high"] is None or outputs[c["output"]] <= c["high"])
            for c in self.constraints
        )
        status = "failed" if failed else "ok"
        reason = self.reason if failed else ""
        row = {"run": self.run, "values": values, "outputs": outputs, "kept": kept}
        self.seen.append({**row, "status": status, "reason": reason})
        self.run += 1
        return self.seen[-1]

    def best(self, seen: list[dict[str, Any]] | None = None) -> dict[str, Any] | None:
        """The best run by the first objective that keeps everything."""
        kept = [r for r in (self.seen if seen is None else seen) if r["kept"]]
        found = min(kept, key=self.cost, default=None)
        return {key: found[key] for key in ("run", "values", "outputs")} if found else None

    def front(self, kept: list[dict[str, Any]]) -> list[int]:
        """Runs that none beats in every objective."""
        signs = [(o.lstrip("-"), -1 if o[0] == "-" else 1) for o in self.objectives]
        cost = {r["run"]: np.array([s * r["outputs"][n] for n, s in signs]) for r in kept}
        return [
            a
            for a, y in cost.items()
            if not any(np.all(z <= y) and np.any(z < y) for z in cost.values())
        ]

    def drawing(self, ran: dict[str, Any]) -> str:
        """A side view of the beam."""
        picture = Image.new("RGB", (300, 160), "white")
        half = ran["values"]["height"] / 2
        ImageDraw.Draw(picture).rectangle((20, 80 - half, 280, 80 + half), outline="black", width=3)
        path = f"media/{ran['run']:06d}.png"
        picture.save(self.folder / path)
        return path


def beam(values: dict[str, Any]) -> dict[str, float]:
    """Mass in kg, deflection in mm and first frequency in Hz of a cantilever of 500 mm."""
    density, modulus = (7850.0, 210e9) if values["material"] == "steel" else (2700.0, 70e9)
    b, h, length = values["width"] / 1e3, values["height"] / 1e3, 0.5
    section, inertia = b * h, b * h**3 / 12
    mass = density * section * length * (1 + 0.02 * values["ribs"])
    deflection = 1e3 * 1500 * length**3 / (3 * modulus * inertia) * (1 - 0.01 * values["tube"])
    f1 = 1.875**2 / (2 * np.pi * length**2) * np.sqrt(modulus * inertia / (density * section))
    return {"mass": float(mass), "deflection": float(deflection), "f1": float(f1)}


def levels_of(variable: Ordinal | Categorical) -> list[Any]:
    """What a variable may be."""
    return list(variable.levels if isinstance(variable, Ordinal) else variable.choices)
