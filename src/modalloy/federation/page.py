"""Writes `federate.html`: what each site gains by learning together, and what that cost."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modalloy.job import config
from modalloy.judge.metrics.score import primary
from modalloy.judge.wording import label, say, say_gain, say_interval
from modalloy.machine.files import write_safely
from modalloy.report.charts import LINES, chart, legend
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.lettering import drawn
from modalloy.report.page import show_figures
from modalloy.runs.run import Run

PAGE = "federate.html"
HEAD = ("site", "rows", "figure", "alone", "federated", "gain over alone", "central")
WAYS = ("alone", "federated", "central")
ATTACK = (
    "Membership inference by losses: 0.5 is guessing, 1 tells every row that was learned from. An "
    "attack that fails proves nothing; an epsilon does."
)
SAID = (
    "Each network answers the site's own test rows; alone: learned from this site's rows, central: "
    "from all rows in one table, which is what federating spares the sites. Networks alone are "
    "compared; each site's own run adds what its report shows."
)


def write_page(run: Run) -> Path:
    """Write the page of a federation from its run's notes; where it is."""
    told = run.notes["federated"]
    parts = [("sites", "Does it pay?", sites(told, run.job))]
    if any(line.get("score") is not None for line in told["rounds"]):
        parts.append(("rounds", "Round after round", show_figures([by_round(told)])))
    parts.append(("cost", "What it cost", cost(told)))
    if any(own.get("membership") for own in told["sites"].values()):
        parts.append(("privacy", "What the model remembers", remembered(told)))
    if told["said"]:
        items = join(tag("li", text) for text in told["said"])
        parts.append(("said", "To be known", tag("ul", items)))
    title = ", ".join(run.job.tasks)
    heading = tag(
        "header",
        tag("p", "Modalloy federate", kind="kicker"),
        tag("h1", title),
        tag("p", how(told)),
    )
    footer = "Written by Modalloy. The same figures are in run.json, under notes, federated."
    path = run.path / PAGE
    page = document(f"{title} - Modalloy federate", heading, parts, footer)
    write_safely(path, page.encode("utf-8"))
    return path


def how(told: Mapping[str, Any]) -> str:
    """Sites, rounds and the rule, in one line."""
    options = told["options"]
    return (
        f"{len(told['sites'])} sites, {len(told['rounds'])} rounds, the best of which was "
        f"{told['best']}; changes put together by {options['rule'].replace('_', ' ')}"
    )


def in_words(run: Run) -> str:
    """The same for a terminal: a line a site and task."""
    told = run.notes["federated"]
    lines = [how(told)]
    for site, own in told["sites"].items():
        for task, options in run.job.tasks.items():
            metric, _ = primary(options)
            unit = getattr(options, "unit", None) or ""
            said = [f"{w} {of(own.get(w, {}).get(task), metric, unit)}" for w in WAYS]
            lines.append(f"{site}, {task}, {label(metric)}: {', '.join(said)}")
    return "\n".join(lines)


def sites(told: Mapping[str, Any], job: config.Job) -> Markup:
    """A line a site and task, and the site that gains least."""
    rows, gains = [], []
    for site, own in told["sites"].items():
        for task, options in job.tasks.items():
            metric, greater = primary(options)
            unit = getattr(options, "unit", None) or ""
            said = {way: of(own.get(way, {}).get(task), metric, unit) for way in WAYS}
            pair = own.get("gain", {}).get(task, {}).get(metric)
            gain = ""
            if pair and None not in pair[:2]:
                change = pair[1] - pair[0]
                gains.append((change if greater else -change, site, task))
                gain = say_gain(metric, change, unit)
                if pair[2]:
                    ends = say_interval({"interval": {metric: pair[2]}}, metric, unit)
                    gain += f" ({ends})"
            alone, central = (said[way].partition(" (")[0] for way in ("alone", "central"))
            figure = f"{task}, {label(metric)}"
            rows.append((site, f"{own['train']}", figure, alone, said["federated"], gain, central))
    parts = [table(HEAD, rows), tag("p", SAID, kind="quiet")]
    if gains:
        least, site, task = min(gains)
        word = "gains least" if least >= 0 else "is answered worse than it would be alone"
        parts.insert(0, tag("p", f"{site} {word} ({task})."))
    return join(parts)


def of(figures: Mapping[str, Any] | None, metric: str, unit: str) -> str:
    """A figure with its interval in words; a dash where there is none."""
    if not figures or figures.get(metric) is None:
        return "–"
    ends = say_interval(figures, metric, unit) if metric in figures.get("interval", {}) else ""
    return say(metric, figures[metric], unit) + (f" ({ends})" if ends else "")


def remembered(told: Mapping[str, Any]) -> Markup:
    """How well an attack by losses tells rows that were learned from, beside what is promised."""
    rows = []
    for site, own in told["sites"].items():
        said = [auc(own.get("membership_alone")), auc(own.get("membership"))]
        promise = told["privacy"].get(site)
        kept = f"{promise['epsilon']:.2f} for each {promise['unit']}" if promise else "none"
        rows.append((site, *said, kept))
    head = ("site", "attack on the network alone", "attack on the common network", "epsilon")
    return join([table(head, rows), tag("p", ATTACK, kind="quiet")])


def auc(attack: Mapping[str, Any] | None) -> str:
    """An attack's area under the curve in words."""
    if not attack:
        return "–"
    low, high = attack["interval"]
    return f"{attack['auc']:.3f} ({low:.3f} to {high:.3f})"


def by_round(told: Mapping[str, Any]) -> Figure:
    """The validation score of all sites after each round."""
    known = [line for line in told["rounds"] if line.get("score") is not None]
    canvas, axes = chart(8.4, 3.2)
    axes.plot([r["round"] for r in known], [r["score"] for r in known], color=LINES[0])
    axes.axvline(told["best"], color=LINES[1], lw=1, label=f"round {told['best']} is kept")
    axes.set(xlabel="round", ylabel="score, 1 is perfect")
    legend(axes, fontsize=8)
    return Figure("Validation rows of all sites after each round", "chart", drawn(canvas))


def cost(told: Mapping[str, Any]) -> Markup:
    """Bytes, seconds and weights."""
    return table(("", ""), list(costs(told)))


def costs(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a federation cost, line by line."""
    whole = 4 * told["weights"] * sum(len(line["sites"]) for line in told["rounds"])
    up = sum(line["up"] for line in told["rounds"])
    yield "weights that travel", f"{told['weights']:,}"
    down, every = sum(line["down"] for line in told["rounds"]), told["bytes"]
    less = f"{whole / max(up, 1):.1f} times less than whole weights"
    yield "sent by sites in rounds", f"{up / 1e6:,.2f} MB, {less}"
    yield "sent to sites in rounds", f"{down / 1e6:,.2f} MB"
    yield "sent in all, both ways", f"{(every['up'] + every['down']) / 1e6:,.2f} MB"
    yield "rounds", f"{told['seconds']['rounds']:.1f} s"
    yield "with agreement, runs, reports and comparisons", f"{told['seconds']['all']:.1f} s"
