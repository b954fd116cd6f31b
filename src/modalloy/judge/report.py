"""The report as data: everything measured about one model, in `report.json` and back.

Keys are added over time, never renamed; a file written by an older or newer Modalloy still loads.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from modalloy.errors import RunError
from modalloy.judge.sections import AGAIN, LACKS, say_failed
from modalloy.judge.wording import (
    better,
    bounds,
    figures_of,
    is_number,
    label,
    realised_figure,
    say,
    say_gain,
    say_interval,
)
from modalloy.machine.files import write_safely


@dataclass(frozen=True)
class Report:
    """What a run knows about itself. Figures: {metric: value, "interval": {metric: [lo, hi]}}.

    The first six keys are fixed by the run's format; any may be empty.
    """

    rows: dict[str, int] = field(default_factory=dict)
    """Rows by use: train, validation (`refit` where these were learned from in the end), test."""
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> Figures on the test rows."""
    subsets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> "photo + note" -> Figures of the model when it sees only these columns."""
    baselines: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> name -> Figures; may hold a `note` and published figures under `published: ...`."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What was done -> seconds."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Versions, device, threads."""
    title: str = ""
    """What the page is headed with."""
    split: str = ""
    """One sentence: how test rows were kept apart."""
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> type, target, unit, scale, primary (main metric), rows (test rows with a truth),
    quantiles (those asked for), rarer (of two classes the one that average precision is about),
    classes (test rows of each)."""
    made_of: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> how its answers are made: `blended`, `why` in words, `metric`, `rows` (held-back ones
    that weights were fitted on), `members` (name -> weight and Figures on these rows, the network's
    first) and `together` (Figures of the combination, each row's weights fitted without its
    part)."""
    adjusted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> kind, temperature and rows of the stage that its answers go through; `before` and
    `after`: the calibration error and log loss on the test rows without and with it."""
    calibrated: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> what its answers promise and what came true on the test rows: method, asked (coverage
    or precision), `source` (which rows it was fitted on, see `learn/calibrate.py`) and fitted_on
    (how many), rows, coverage with the 95 % `band` in which it lies where test rows are of the same
    kind, size of sets or width of intervals, sure (share of sets that are the answer itself);
    `kinds`: the same by the columns that rows lack (`missing`) and the columns asked for (`by`),
    `own` where a kind has thresholds of its own, and how many there are (`all_kinds`). Of spans and
    boxes: limit, precision, sure (share of them that is above it)."""
    decided: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> what decisions about the test rows cost: `rows`, `positive`, `policies` (name -> mean
    `cost` a row, its interval, and what the decisions save beside it), `shares` of the decisions;
    of two classes `of` (whose probability decides), `ranges` of it that lead to each decision,
    `curve` (cost by threshold, nobody asked) and the chosen `threshold`. Of orders `run` (whether a
    stock was run over `items` and `periods`, or each row stands alone), and of each policy `fill`,
    the share of pieces served at once."""
    unlike: dict[str, Any] = field(default_factory=dict)
    """`rows`, how many of them are `unlike` those of training and their `share`, the share that is
    `expected` of rows like these, `columns` (what is unlike -> rows), and what the limit comes from
    (`judged_by`, `judged_rows`) with how many training rows are `references`."""
    retrieved: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of a run with a space for all columns: `photo -> note` -> `recall@1`, `recall@5`,
    `recall@10`, `mrr`, their `interval` and what `chance` gives, among how many `candidates`."""
    zero_shot: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> `names` of classes, the text column that they are `read_by`, and by `columns` the
    accuracy of the nearest name, beside chance and the most common class."""
    gain: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> metric, fused, best (its name), best_value, gain, interval: fused minus the best
    single column; more is better whatever the metric."""
    shuffled: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> input -> Figures with the input's cells dealt out among the `rows` rows, and `whole`:
    figures of the same rows as they are. A model that needs an input to belong to its row falls."""
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> tabular column -> Figures of a small decision tree on that column alone, with
    `margin`: how far the model is ahead."""
    drawn: dict[str, Any] = field(default_factory=dict)
    """What intervals draw anew: `by` (a column) and `groups` (how many values of it the test rows
    have); empty where single rows are drawn."""
    naive: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> metric, what, honest, naive: one baseline on the honest and on a random split."""
    slices: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> column -> value -> Figures with `rows`, and how many `values` the column has."""
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> group column -> group -> Figures with `rows` and `values`, as in slices."""
    reports: dict[str, str] = field(default_factory=dict)
    """task -> classification report as text."""
    curves: list[dict[str, Any]] = field(default_factory=list)
    """One record an epoch: epoch, losses, validation figures."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    """Check findings: level (leak, warning, note), text; more keys are kept."""
    caveats: list[str] = field(default_factory=list)
    """What is not as it was in training in the scored table, a sentence each; `findings` hold it
    too."""
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """column -> type, unit, missing and unreadable (shares of all rows)."""
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    """task -> Figures of the model before this verb; its name may stand under `label`."""
    recipe: int = 1
    """How the baselines are made; `evaluate` makes those of an older recipe anew."""
    failed: list[dict[str, Any]] = field(default_factory=list)
    """What could not be computed: part, task ("" for all), what, error (its type), message, trace;
    see `judge/sections.py`. `evaluate` tries it again."""
    job: str = ""
    """The job file's text."""

    def save(self, path: str | Path) -> None:
        """Write strict JSON (NaN becomes null), whole or not at all."""
        text = json.dumps(plain(asdict(self)), indent=1, allow_nan=False, ensure_ascii=False)
        write_safely(Path(path), (text + "\n").encode("utf-8", errors="replace"))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The report in a file; keys that this version does not know are left out."""
        try:
            state = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(
                f"{path}: no such report; run `modalloy evaluate` to write one."
            ) from error
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: not a report ({error}); evaluate the run again.") from error
        if not isinstance(state, dict):
            raise RunError(f"{path}: not a report (no JSON object); evaluate the run again.")
        known = {f.name: type(getattr(cls(), f.name)) for f in fields(cls)}
        for name in known.keys() & state.keys():
            if not isinstance(state[name], known[name]):
                raise RunError(f"{path}: not a report ({name} has no {known[name].__name__}).")
        return cls(**{k: v for k, v in state.items() if k in known})

    def unit(self, task: str) -> str:
        """Unit in which a task's errors are printed; says so when the scale is a logarithm."""
        about = self.about.get(task, {})
        unit = str(about.get("unit") or "")
        return f"log({unit or 'target'})" if about.get("scale") == "log" else unit

    def primary(self, task: str) -> str:
        """The task's main metric."""
        named = self.about.get(task, {}).get("primary")
        return str(named) if named else next(iter(figures_of(self.tasks.get(task, {}))), "")

    def text(self) -> str:
        """The figures as lines for a terminal, those before beside them where there are any.

        Below each task's figures stand what it must beat, where the report has it: the best simple
        method and the best single column, each with the model's gain over it. Leaks come first,
        what could not be computed comes last.
        """
        leaks = [f for f in self.findings if f.get("level") == "leak"]
        lines = [f"Do not trust these figures: {f.get('text', f.get('what'))}" for f in leaks]
        for task, figures in self.tasks.items():
            for name in figures_of(figures):
                low_high = say_interval(figures, name, self.unit(task))
                line = (
                    f"{task:<16} {label(name):<24} {say(name, figures[name], self.unit(task)):>12}"
                )
                known = self.before.get(task, {})
                old, when = known.get(name), known.get("label", "before")
                was = "" if old is None else f"  ({when} {say(name, old, self.unit(task))})"
                lines.append(f"{line}  {low_high:<22}{was}".rstrip())
            lines += self._rivals(task)
            if said := self.calibrated.get(task):
                kept, told = realised_figure(said, self.unit(task))
                lines.append(f"{task:<16} {'promise kept':<24} {kept:>12}  {told}")
        lines += [*say_recalls(self.retrieved), *say_zero_shot(self.zero_shot)]
        if self.failed:
            lines += ["", f"{LACKS} {AGAIN}:", *(f"  {said}" for said in say_failed(self.failed))]
        return "\n".join(lines)

    def _rivals(self, task: str) -> Iterator[str]:
        """Lines on the best simple method and the best single column; gains above 0 are good."""
        metric, unit = self.primary(task), self.unit(task)
        mine = self.tasks[task].get(metric)
        simple = {
            name: figures
            for name, figures in self.baselines.get(task, {}).items()
            if is_number(figures.get(metric)) and not name.startswith("published")
        }
        if simple and mine is not None:
            name = max(simple, key=lambda n: better(metric) * simple[n][metric])
            value = simple[name][metric]
            margin = simple[name].get("margin") or {"gain": better(metric) * (mine - value)}
            told = f"{name}; {_say_margin(metric, margin, unit)}"
            yield f"{task:<16} {'best simple method':<24} {say(metric, value, unit):>12}  {told}"
        gain = self.gain.get(task) or {}
        if gain.get("gain") is not None:
            metric = gain["metric"]
            value = say(metric, gain.get("best_value"), unit)
            told = f"{gain['best']}; {_say_margin(metric, gain, unit)}"
            yield f"{task:<16} {'best single column':<24} {value:>12}  {told}"


def say_recalls(retrieved: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each pair of columns: how often the one finds its own row in the other."""
    for pair, figures in retrieved.items():
        told = "  ".join(f"{m} {figures[m]:.3f}" for m in ("recall@1", "recall@5", "recall@10"))
        chance, rows = figures["chance"]["recall@10"], figures["candidates"]
        told += f"  mrr {figures['mrr']:.3f}"
        yield f"{pair:<24} {told}  (of {rows} rows; recall@10 by chance {chance:.3f})"


def say_zero_shot(zero_shot: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each task and column: how often the nearest class name is right."""
    for task, own in zero_shot.items():
        for column, figures in own["columns"].items():
            value, most = figures["accuracy"], figures["most_common"]
            said = f"accuracy {value:.3f}  (most common {most:.3f})"
            yield f"{f'{task} by {column}':<24} nearest class name: {said}"


def _say_margin(metric: str, margin: Mapping[str, Any], unit: str) -> str:
    """`gain +2.1 points (95 %: −0.4 to +4.4 points)`."""
    pair = bounds({"interval": {metric: margin.get("interval")}}, metric)
    said = f"gain {say_gain(metric, margin.get('gain'), unit)}"
    if pair is None:
        return said
    low, high = (say_gain(metric, v, unit) for v in pair)
    for mark in (" points", f" {unit}"):
        low = low.removesuffix(mark) if mark.strip() and high.endswith(mark) else low
    return f"{said} (95 %: {low} to {high})"


def plain(value: Any) -> Any:
    """The same value out of what strict JSON can hold; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(v) for v in items]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
