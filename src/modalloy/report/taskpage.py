"""One task's section of the report's page."""

from collections.abc import Mapping
from typing import Any

from modalloy.judge.metrics.quantities import stated_coverage
from modalloy.judge.report import Report
from modalloy.judge.wording import (
    FEW_GROUPS,
    METRICS,
    better,
    bounds,
    figures_of,
    label,
    say,
    say_gain,
    say_interval,
)
from modalloy.report.decided import decided_part
from modalloy.report.headline import say_count, say_sure
from modalloy.report.html import Dot, Markup, dots, fold, join, table, tag
from modalloy.report.made_of import made_of_part
from modalloy.report.promised import promised_part, say_source

SHOWN = 4  # metrics in a slice table
MOST_DOTS = 40  # columns that are drawn by themselves
OWN = " (own head)"  # ends the name of a column's own head among the subsets


def task_section(report: Report, task: str) -> Markup:
    """Everything about one task but its plots."""
    parts = [figures_table(report, task), before_table(report, task)]
    if report.calibrated.get(task):
        parts.append(promised_part(report, task))
    if report.decided.get(task):
        parts.append(decided_part(report, task))
    if report.made_of.get(task):
        parts.append(made_of_part(report, task))
    if report.baselines.get(task):
        parts.append(baselines_table(report, task))
    if report.subsets.get(task):
        parts.append(subsets_part(report, task))
    if report.shuffled.get(task):
        parts.append(shuffled_part(report, task))
    if report.columns.get(task):
        parts.append(columns_part(report, task))
    for what, found in (("group", report.groups), ("slice", report.slices)):
        for column, values in found.get(task, {}).items():
            parts.append(slices_part(report, task, what, column, values))
    if report.reports.get(task, "").strip():
        parts.append(fold("Class by class", tag("pre", report.reports[task].rstrip())))
    return join(parts)


def figures_table(report: Report, task: str) -> Markup:
    """Every figure with its interval and its meaning."""
    figures, unit = report.tasks[task], report.unit(task)
    rows = []
    for name in figures_of(figures):
        value = tag("b", say(name, figures[name], unit))
        ends = say_interval(figures, name, unit) or "–"
        rows.append(
            (join([label(name), tag("small", say_meaning(report, task, name))]), value, ends)
        )
    whole = table(("figure", "this model", "95 % interval"), rows)
    parts = [whole, tag("p", say_drawn(report), kind="quiet")]
    if said := say_adjusted(report, task):
        parts.append(tag("p", said, kind="quiet"))
    return join(parts)


def say_adjusted(report: Report, task: str) -> str:
    """How sure answers were before they were adjusted, and after; nothing where they are not."""
    found = report.adjusted.get(task)
    if not found:
        return ""
    said = f"How sure answers are was adjusted on {say_count(found.get('rows', 0))} rows"
    said += f"{say_source(found.get('source', ''))} ({say_factor(found)})."
    before, after = found.get("before") or {}, found.get("after") or {}
    both = [m for m in before if before[m] is not None and after.get(m) is not None]
    changes = [f"{label(m)} {say(m, after[m])}, before it {say(m, before[m])}" for m in both]
    return f"{said} On the test rows: {'; '.join(changes)}." if changes else said


def say_factor(adjusted: Mapping[str, Any]) -> str:
    """By how much a stage changes how sure answers are."""
    if several := adjusted.get("temperatures"):
        return f"temperatures of labels {min(several):.3g} to {max(several):.3g}"
    return f"temperature {adjusted.get('temperature', 1):.3g}"


def say_drawn(report: Report) -> str:
    """What the intervals hold for."""
    count = report.drawn.get("groups")
    if not count:
        return "Intervals: 95 % bootstrap over single rows, as though no two belonged together."
    said = f"Intervals: 95 % bootstrap over the {count} values of '{report.drawn['by']}' among the"
    said += " test rows, all rows of a value drawn together."
    if count < FEW_GROUPS:
        said += f" {count} are few: the true uncertainty is larger than these intervals say."
    return said


def say_meaning(report: Report, task: str, metric: str) -> str:
    """What a figure counts, of which class it is, and which way it is better."""
    meaning = METRICS[metric].meaning if metric in METRICS else ""
    way = {1: "more is better", -1: "less is better", 0: "neither more nor less is better"}
    about = report.about.get(task, {})
    match metric:
        case "average_precision" if about.get("rarer") is not None:
            meaning += f" of '{about['rarer']}', the rarer class"
        case "coverage" if about.get("quantiles"):
            exact = say(metric, stated_coverage(about["quantiles"]))
            return f"{meaning}; {exact} is exact, more is too cautious, less too bold"
    return "; ".join(part for part in (meaning, way[better(metric)]) if part)


def before_table(report: Report, task: str) -> Markup:
    """Before and after, where the report knows a before."""
    old, new, unit = report.before.get(task), report.tasks[task], report.unit(task)
    if not old:
        return Markup("")
    rows = []
    for name in figures_of(old):
        if old[name] is None or new.get(name) is None or not better(name):
            continue
        gain = better(name) * (new[name] - old[name])
        kind = "better" if gain > 0 else "worse" if gain < 0 else "level"
        change = say_gain(name, new[name] - old[name], unit)
        word = {"better": "better", "worse": "worse", "level": "the same"}[kind]
        rows.append(
            (
                label(name),
                say(name, old[name], unit),
                tag("b", say(name, new[name], unit)),
                tag("span", f"{change}, {word}", kind=kind),
            )
        )
    head = ("figure", str(old.get("label") or "before"), "after", "change")
    return join([tag("h3", "Before and after"), table(head, rows)])


def baselines_table(report: Report, task: str) -> Markup:
    """The lines to beat, in every figure they have, and how far the model is ahead."""
    found, unit = report.baselines[task], report.unit(task)
    names = [m for m in figures_of(report.tasks[task]) if any(m in f for f in found.values())]
    rows = []
    for name, figures in found.items():
        margin = figures.get("margin") or {}
        ahead: Any = "–"
        if margin.get("gain") is not None:
            pair = say_sure(margin["metric"], margin["gain"], margin.get("interval"), unit)
            ahead = join([tag("span", pair.said, kind=pair.kind), tag("small", pair.ends)])
        note = tag("small", figures["note"]) if figures.get("note") else ""
        values = (say(m, figures.get(m), unit) for m in names)
        rows.append((join([tag("span", name), note]), ahead, *values))
    head = ("simple method", "this model against it", *(label(m) for m in names))
    return join([tag("h3", "Lines to beat"), table(head, rows)])


def subsets_part(report: Report, task: str) -> Markup:
    """What the model reaches when it sees only some columns; in the open each column alone, all but
    each, and all.
    """
    found, unit = report.subsets[task], report.unit(task)
    sizes = {name: len(f.get("columns") or name.split(" + ")) for name, f in found.items()}
    most = max(sizes.values())
    names = figures_of(next(iter(found.values())))
    rows = [(n, *(say(m, f.get(m), unit) for m in names)) for n, f in found.items()]
    whole = [table(("columns seen", *map(label, names)), rows)]
    shown = {n: f for n, f in found.items() if sizes[n] in (1, most - 1, most)}
    if len(shown) < len(found):
        whole.insert(0, subset_dots(report, task, found))
    note = (
        f"{label(report.primary(task))} when the model sees only these columns; the others count "
        "as missing, as though their sensors were dead."
    )
    if count := next(iter(found.values())).get("rows"):
        note += f" Of {say_count(count)} of the test rows, drawn at random."
    if any(name.endswith(OWN) for name in found):
        note += (
            f" '{OWN.strip()}' is a head that was trained on that column alone, beside the model."
        )
    if any("table" in (f.get("columns") or ()) for f in found.values()):
        note += " 'table' is all numbers, categories and times together."
    return join(
        [
            tag("h3", "What each column is worth"),
            tag("p", note, kind="quiet"),
            tag("div", subset_dots(report, task, shown), kind="card"),
            fold(f"All figures of all {len(found)} subsets", *whole),
        ]
    )


def shuffled_part(report: Report, task: str) -> Markup:
    """What dealing out the cells of an input among the rows costs."""
    found, unit, metric = report.shuffled[task], report.unit(task), report.primary(task)
    rows = [
        (
            name,
            say(metric, figures["whole"].get(metric), unit),
            say(metric, figures.get(metric), unit),
            say_interval(figures, metric, unit),
        )
        for name, figures in found.items()
    ]
    count = max(figures["rows"] for figures in found.values())
    note = (
        f"{label(metric)} of {count} test rows when each shows this column of another one, drawn "
        "at random. One that is read together with the others costs more here than its absence."
    )
    if any(" + " in name for name in found):
        note += " Those that read the same column of the table are dealt out together."
    head = ("column dealt out", "as they are", "dealt out", "interval")
    return fold("A control: cells dealt out among the rows", tag("p", note), table(head, rows))


def columns_part(report: Report, task: str) -> Markup:
    """What each number, category and time tells by itself, strongest first."""
    found, unit, metric = report.columns[task], report.unit(task), report.primary(task)
    lines = []
    for name, figures in found.items():
        if figures.get(metric) is not None:
            low, high = bounds(figures, metric) or (None, None)
            said = say(metric, figures[metric], unit)
            lines.append(Dot(name, figures[metric], low, high, said))
    lines.sort(key=lambda d: -better(metric) * d.value)
    ends = ("", "better →") if better(metric) > 0 else ("← better", "")
    note = f"{label(metric)} of a small decision tree on one column of the table, nothing else."
    if len(lines) > MOST_DOTS:
        note += f" The {MOST_DOTS} strongest are drawn; report.json holds them all."
    drawn = dots(lines[:MOST_DOTS], ends=ends)
    body = join([tag("p", note, kind="quiet"), tag("div", drawn, kind="card")])
    return fold(f"Each of the {len(lines)} tabular columns by itself", body)


def subset_dots(report: Report, task: str, some: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Subsets side by side, best first, all columns together in bold."""
    metric, unit = report.primary(task), report.unit(task)
    last = next(reversed(report.subsets[task]))
    lines = []
    for name, figures in some.items():
        if figures.get(metric) is not None:
            low, high = bounds(figures, metric) or (None, None)
            said = say(metric, figures[metric], unit)
            lines.append(Dot(name, figures[metric], low, high, said, main=name == last))
    lines.sort(key=lambda d: -better(metric) * d.value)
    return dots(lines, ends=("", "better →") if better(metric) > 0 else ("← better", ""))


def slices_part(
    report: Report, task: str, what: str, column: str, values: Mapping[str, Mapping[str, Any]]
) -> Markup:
    """Figures by the values of one column, weakest first."""
    metric, unit = report.primary(task), report.unit(task)
    given = {m for f in values.values() for m in figures_of(f)}
    names = [m for m in (metric, *figures_of(report.tasks[task])) if m in given]
    names = list(dict.fromkeys(names))[:SHOWN]

    def rank(item: tuple[str, Mapping[str, Any]]) -> float:
        value = item[1].get(metric)
        return float("inf") if value is None else better(metric) * value

    rows = [
        (
            value,
            say_count(f.get("rows", "–")) if f.get("rows") else "–",
            *(say_with_ends(f, m, unit) for m in names),
        )
        for value, f in sorted(values.items(), key=rank)
    ]
    head = (column, "rows", *(label(m) for m in names))
    title = f"By {column}" + (" (rows that belong together)" if what == "group" else "")
    body = table(head, rows)
    every = max(f.get("values", len(rows)) for f in values.values())
    if every > len(rows):
        title += f": the {len(rows)} commonest of {every} values"
    elif len(rows) > 8:
        title += f": {len(rows)} values"
    if len(rows) > 8:
        return fold(f"{title}, weakest first", body)
    return join([tag("h3", f"{title}, weakest first"), body])


def say_with_ends(figures: Mapping[str, Any], metric: str, unit: str) -> Markup:
    """A figure with its interval below it."""
    return join(
        [say(metric, figures.get(metric), unit), tag("small", say_interval(figures, metric, unit))]
    )
