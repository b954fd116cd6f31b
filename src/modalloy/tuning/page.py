"""Writes `tune.html`: what a search tried, what mattered, and what accuracy costs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.judge.metrics.score import primary
from modalloy.judge.report import Report
from modalloy.judge.wording import label, say
from modalloy.machine.files import write_safely
from modalloy.report.charts import BLUE, FAINT, GREEN, ORANGE, chart, legend
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Dot, Markup, dots, join, table, tag
from modalloy.report.lettering import drawn
from modalloy.report.page import show_figures
from modalloy.runs.run import Run
from modalloy.tuning.manner import Cost
from modalloy.tuning.tried import COSTS, Tried, default_of

SAID: dict[Cost, str] = {"size": "parameters", "latency": "milliseconds an answered row"}
SCORE = "validation score"
HONEST = (
    "Every score here is of validation rows: these have chosen the best trial, so its score "
    "flatters it a little. Test rows were read by no trial; what the best job is worth on them "
    "says its own report."
)
SHARES = (
    "The share of the scores' variance over all scored trials that each option explains "
    "(fANOVA). Few trials say little, and an option matters only within the values tried."
)


def write_tune_page(
    path: Path,
    job: config.Job,
    trials: Sequence[Tried],
    best: Tried,
    shares: Mapping[str, float],
    edges: Mapping[Cost, Sequence[Tried]],
    run: Run,
) -> None:
    """Write the page, whole or not at all."""
    parts = [
        ("answer", "In short", in_short(job, trials, best, run)),
        ("history", "History", show_figures([history(trials)])),
        ("importance", "What mattered", importance_section(shares)),
        (
            "frontier",
            "What accuracy costs",
            show_figures([edge(trials, c, edges[c]) for c in SAID]),
        ),
        ("trials", "Trials", trials_section(trials, best)),
    ]
    title = ", ".join(job.tasks)
    heading = tag("header", tag("p", "Modalloy search", kind="kicker"), tag("h1", title))
    footer = "Written by Modalloy. The same figures are in tune.json."
    page = document(f"{title} - Modalloy search", heading, parts, footer)
    write_safely(path, page.encode("utf-8"))


def in_short(job: config.Job, trials: Sequence[Tried], best: Tried, run: Run) -> Markup:
    """The best trial beside the job as it was, and what its run is worth on the test rows."""
    default = default_of(trials)
    head = ["", "the job as it was", f"best, trial {best.number}", "its run, on test rows"]
    rows = [[SCORE, default.said if default else "–", best.said, "–"]]
    found = test_figures(run)
    for name, options in job.tasks.items():
        metric, unit = primary(options)[0], str(getattr(options, "unit", "") or "")
        ours = [t.figures.get(name, {}).get(metric) if t else None for t in (default, best)]
        tested = found.get(name, {}).get(metric)
        said = [say(metric, value, unit) for value in (*ours, tested)]
        rows.append([f"{name}: {label(metric)}", *said])
    before = default.changed if default else {}
    changed = [
        (path, say_value(before.get(path)), say_value(value))
        for path, value in differing(best, default).items()
    ]
    what = "The job as it was is the best of them." if best.default else ""
    more = table(("option", "the job as it was", "best"), changed) if changed else Markup("")
    link = tag("a", "best/report.html", href="best/report.html")
    own = tag("p", "The best job is best.yaml; its run has a report of its own: ", link, ".")
    return join([tag("p", HONEST), table(head, rows), tag("p", what), own, more])


def test_figures(run: Run) -> dict[str, dict[str, Any]]:
    """Figures of the test rows by task, from the run's report; nothing where it has none."""
    path = run.path / "report.json"
    if not path.is_file():
        raise RunError(f"{path}: is gone; `modalloy evaluate {run.path}` writes it.")
    return Report.load(path).tasks


def history(trials: Sequence[Tried]) -> Figure:
    """Scores in the order of trials, and the best until each."""
    canvas, axes = chart(8.4, 3.6)
    scored = [t for t in trials if t.score is not None]
    ended = [t for t in trials if t.score is None and t.looks]
    top, line = float("-inf"), []
    for trial in scored:
        top = max(top, trial.score or top)
        line.append(top)
    numbers = [t.number for t in scored]
    axes.step(numbers, line, where="post", color=GREEN, lw=1.6, label="best until then")
    axes.plot(numbers, [t.score for t in scored], "o", color=BLUE, ms=6, label="scored")
    if ended:
        last = [t.looks[-1][1] for t in ended]
        at = [t.number for t in ended]
        axes.plot(at, last, "x", color=ORANGE, ms=7, mew=2, label="ended early, best until then")
    first = default_of(trials)
    if first is not None and first.score is not None:
        axes.axhline(first.score, color=FAINT, lw=1, ls=":", label="the job as it was")
    axes.set(xlabel="trial", ylabel=SCORE)
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend(axes, fontsize=8)
    return Figure("Scores in the order of trials", "chart", drawn(canvas))


def edge(trials: Sequence[Tried], cost: Cost, best: Sequence[Tried]) -> Figure:
    """Score over cost, with the trials that none beats at their cost."""
    canvas, axes = chart(4.6, 3.6)
    key = COSTS[cost]
    told = [t for t in trials if t.score is not None and getattr(t, key) is not None]
    xs = [getattr(t, key) for t in told]
    axes.plot(xs, [t.score for t in told], "o", color=BLUE, ms=5, label="scored")
    line = [getattr(t, key) for t in best], [t.score for t in best]
    axes.step(*line, where="post", color=GREEN, lw=1.6, marker="s", ms=6, label="none is better")
    for trial in best:
        at = (getattr(trial, key), trial.score or 0.0)
        axes.annotate(
            str(trial.number), at, textcoords="offset points", xytext=(4, -12), fontsize=8
        )
    if xs and max(xs) > 10 * min(xs) > 0:
        axes.set_xscale("log")
    axes.set(xlabel=SAID[cost], ylabel=SCORE)
    legend(axes, fontsize=8)
    return Figure(f"Score against {SAID[cost]}", "chart", drawn(canvas))


def importance_section(shares: Mapping[str, float]) -> Markup:
    """Options by how much of the scores' variance they explain."""
    if not shares:
        return tag("p", "Too few trials were scored to say what mattered.", kind="quiet")
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    lines = [Dot(path, share, said=f"{100 * share:.0f} %") for path, share in ranked]
    return join([tag("p", SHARES, kind="quiet"), dots(lines)])


def trials_section(trials: Sequence[Tried], best: Tried) -> Markup:
    """Every trial: what it changed, its score and its cost."""
    first = next((t for t in trials if t.default), None)
    rows = []
    for trial in trials:
        number = tag("strong", f"{trial.number} (best)") if trial is best else str(trial.number)
        changed = [f"{path}: {say_value(v)}" for path, v in differing(trial, first).items()]
        told = "the job as it was" if trial.default else ", ".join(changed)
        why = tag("p", f"No score: {trial.why}.", kind="quiet") if trial.why else ""
        rows.append(
            (
                number,
                join([tag("span", told, kind="quiet"), why]),
                trial.said,
                "–" if trial.seconds is None else f"{trial.seconds:.1f}",
                "–" if trial.parameters is None else f"{trial.parameters:,}",
                "–" if trial.latency_ms is None else f"{trial.latency_ms:.2f}",
            )
        )
    head = ("trial", "otherwise than the job", SCORE, "seconds", "parameters", "ms a row")
    return table(head, rows, numbers=2)


def differing(trial: Tried, default: Tried | None) -> dict[str, Any]:
    """What a trial has otherwise than the job as it was, by path."""
    before = default.changed if default else {}
    return {p: v for p, v in sorted(trial.changed.items()) if p not in before or before[p] != v}


def say_value(value: Any) -> str:
    """The value of an option as a job file writes it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value)
