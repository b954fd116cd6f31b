"""The answer in plain words: how good, how sure, better than what."""

from typing import Any, NamedTuple

from modalloy.judge.report import Report
from modalloy.judge.wording import FEW_GROUPS, better, bounds, label, say, say_gain, say_interval
from modalloy.report.html import Dot, Markup, dots, join, tag

SENTENCES = {
    "accuracy": "of {rows} are answered right",
    "macro_f1": "macro F1 on {rows}: 1 is perfect, all classes count alike",
    "rmse": "is the typical error on {rows} (root mean square; large errors count more)",
    "span_f1": "span F1 on {rows}: 1 is perfect, a span counts only if exact",
    "map50": "mAP50 on {rows}: 1 is every box found and nothing else",
}


class Pair(NamedTuple):
    """A signed gain in words, and whether it is surely good, surely bad or neither."""

    said: str
    ends: str
    kind: str  # better, worse, level

    @property
    def whole(self) -> str:
        """The gain and its interval."""
        return f"{self.said} ({self.ends})" if self.ends else self.said


def say_card(report: Report, task: str) -> Markup:
    """One task's answer: the main figure, the lines to beat, the verdicts."""
    metric, unit = report.primary(task), report.unit(task)
    verdicts = [say_baseline(report, task), say_fusion(report, task)]
    parts = [
        tag("h2", say_task(report, task)),
        tag("div", say(metric, report.tasks[task].get(metric), unit), kind="big"),
        tag("p", f"{say_figure(report, task)}.", kind="quiet"),
        compare_dots(report, task),
        *(tag("p", v, kind="verdict") for v in verdicts if v),
        say_naive(report, task),
    ]
    return tag("article", *parts, kind="card")


def say_task(report: Report, task: str) -> str:
    """A task's name, type and target."""
    about = report.about.get(task, {})
    return f"{task}: {about['type']} {about['target']}" if "target" in about else task


def say_figure(report: Report, task: str) -> str:
    """What stands behind a task's main figure: what it counts, on how many rows, how sure it is."""
    metric = report.primary(task)
    rows = report.about.get(task, {}).get("rows") or report.rows.get("test")
    told = SENTENCES.get(metric, label(metric) + " on {rows}")
    told = told.format(rows=f"{say_count(rows)} test rows" if rows else "the test rows")
    ends = say_interval(report.tasks[task], metric, report.unit(task))
    if ends:
        told += f"; between {ends.replace(' to ', ' and ')} {say_certainty(report)}"
    return told


def say_certainty(report: Report) -> str:
    """How sure the interval is: groups that are too few promise nothing."""
    count = report.drawn.get("groups", FEW_GROUPS)
    if count >= FEW_GROUPS:
        return "with 95 % certainty"
    return f"if the {count} values of '{report.drawn['by']}' stand for all others"


def compare_dots(report: Report, task: str) -> Markup:
    """The model, the best single column, the baselines and the model before on one scale."""
    metric, unit = report.primary(task), report.unit(task)
    named: list[tuple[str, dict[str, Any]]] = [("this model", report.tasks[task])]
    gain = report.gain.get(task, {})
    subsets = report.subsets.get(task, {})
    if gain.get("best") in subsets:
        named.append((f"{gain['best']} alone", subsets[gain["best"]]))
    if task in report.before:
        named.append((str(report.before[task].get("label") or "before"), report.before[task]))
    named += list(report.baselines.get(task, {}).items())
    lines = []
    for i, (name, figures) in enumerate(named):
        value = figures.get(metric)
        if value is None:
            continue
        low, high = bounds(figures, metric) or (None, None)
        lines.append(Dot(name, value, low, high, say(metric, value, unit), main=i == 0))
    lines.sort(key=lambda d: -better(metric) * d.value)
    ends = ("", "better →") if better(metric) > 0 else ("← better", "")
    return dots(lines, ends=ends) if len(lines) > 1 else Markup("")


def say_baseline(report: Report, task: str) -> Markup:
    """How far the model is from the strongest simple method."""
    metric, unit = report.primary(task), report.unit(task)
    mine = report.tasks[task].get(metric)
    simple = {
        n: f for n, f in report.baselines.get(task, {}).items()
        if f.get(metric) is not None and not n.startswith("published")
    }  # fmt: skip
    if mine is None or not simple:
        return Markup("")
    name = max(simple, key=lambda n: better(metric) * simple[n][metric])
    margin = simple[name].get("margin") or {}
    gain = margin.get("gain", better(metric) * (mine - simple[name][metric]))
    pair = say_sure(metric, gain, margin.get("interval"), unit)
    words = {"better": "Ahead of", "worse": "Behind", "level": "Not surely apart from"}
    first = tag("b", f"{words[pair.kind]} the best simple method", kind=pair.kind)
    return join([first, f": {pair.whole} against {name}."])


def say_fusion(report: Report, task: str) -> Markup:
    """Whether all columns together beat the best one alone."""
    gain = report.gain.get(task)
    if not gain or gain.get("gain") is None:
        return Markup("")
    pair = say_sure(gain["metric"], gain["gain"], gain.get("interval"), report.unit(task))
    words = {"better": "Yes", "worse": "No", "level": "Not shown"}
    first = tag("b", f"Does fusion pay? {words[pair.kind]}", kind=pair.kind)
    return join([first, f": {pair.whole} against {gain['best']} alone."])


def say_sure(metric: str, gain: float, interval: list[float] | None, unit: str) -> Pair:
    """A gain (positive is better) with its interval; sure when zero lies outside."""
    more = better(metric) > 0

    def end(value: float, *, signed: bool) -> str:
        if more:
            return say_gain(metric, value, unit)
        size = say(metric, abs(value), unit)
        return f"{size} {'less' if value >= 0 else 'more'}" if signed else size

    said = end(gain, signed=True) + ("" if more else " error")
    if not interval or None in interval:
        return Pair(said, "", "better" if gain > 0 else "worse" if gain < 0 else "level")
    low, high = interval
    kind = "better" if low > 0 else "worse" if high < 0 else "level"
    ends = [end(v, signed=kind == "level") for v in (low, high)]
    if not more and kind == "worse":
        ends.reverse()
    return Pair(said, f"95 %: {ends[0].removesuffix(' points')} to {ends[1]}", kind)


def say_naive(report: Report, task: str) -> Markup:
    """What a random split would have shown, struck through beside the honest figure."""
    naive = report.naive.get(task)
    if not naive or naive.get("naive") is None or naive.get("honest") is None:
        return Markup("")
    metric, unit = naive["metric"], report.unit(task)
    flattered = better(metric) * (naive["naive"] - naive["honest"])
    end = (
        f": {say_gain(metric, flattered, unit).lstrip('+')} too good to be true"
        if flattered > 0
        else ": here it would not have flattered"
    )
    return tag(
        "p",
        "Honest split against naive one: ",
        tag("b", say(metric, naive["honest"], unit)),
        " instead of ",
        tag("s", say(metric, naive["naive"], unit)),
        f" on a random split{end} (measured with {naive.get('what', 'a baseline')}).",
        kind="note",
    )


def say_count(count: Any) -> str:
    """A whole number with its thousands apart."""
    return f"{count:,}".replace(",", "\u202f")
