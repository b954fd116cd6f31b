"""Names and values of metrics in words: labels, units, per cent, intervals."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

FEW_GROUPS = 10  # groups below which intervals drawn from them are too narrow


class Metric(NamedTuple):
    """How a figure is named and read."""

    label: str
    better: int  # +1 more is better, -1 less is better, 0 nearest to a stated value is best
    form: str  # "share" prints as per cent, "number" plainly, "unit" and "own" in a unit
    meaning: str


METRICS: dict[str, Metric] = {
    "accuracy": Metric("Accuracy", 1, "share", "share of rows answered right"),
    "macro_f1": Metric("Macro F1", 1, "number", "misses against false alarms, classes count alike"),
    "auroc": Metric("AUROC", 1, "number", "chance that a true case is ranked above a false one"),
    "average_precision": Metric("Average precision", 1, "number", "precision over all recalls"),
    "log_loss": Metric("Log loss", -1, "number", "what being sure and wrong costs"),
    "ece": Metric("Calibration error", -1, "number", "mean gap of stated and true certainty"),
    "mae": Metric("Mean absolute error", -1, "unit", "how far off an answer is on average"),
    "rmse": Metric("Root mean square error", -1, "unit", "the same, large errors count more"),
    "r2": Metric("R²", 1, "number", "share of the variation explained; the mean line has 0"),
    "mae_unit": Metric(
        "Mean absolute error, own unit", -1, "own", "the same once the logarithm is undone"
    ),
    "pinball": Metric("Pinball loss", -1, "unit", "how well the quantiles are placed"),
    "coverage": Metric("Coverage", 0, "share", "share of true values inside the quantiles"),
    "crps": Metric("CRPS", -1, "unit", "how far the whole distribution lies from the truth"),
    "crps_skill": Metric("CRPS skill", 1, "number", "share of it saved by looking at the row"),
    "zero_brier": Metric("Brier score of zero", -1, "number", "how well zeros are foretold"),
    "span_f1": Metric("Span F1", 1, "number", "misses against false alarms, exact spans only"),
    "span_precision": Metric(
        "Span precision", 1, "number", "share of the spans found that are right"
    ),
    "span_recall": Metric("Span recall", 1, "number", "share of the true spans that are found"),
    "token_f1": Metric("Token F1", 1, "number", "single words; untagged words flatter it"),
    "token_f1_entities": Metric(
        "Token F1, tagged words", 1, "number", "words without a tag left out"
    ),
    "chrf": Metric("chrF", 1, "number", "runs of letters in common with the right texts"),
    "bleu": Metric("BLEU", 1, "number", "runs of up to four words in common"),
    "exact_match": Metric("Exact match", 1, "share", "share of texts right to the letter"),
    "map50": Metric("mAP50", 1, "number", "boxes found; half overlap is enough"),
    "map50_95": Metric("mAP50-95", 1, "number", "boxes found and well placed"),
}
UNNAMED = Metric("", 1, "number", "")


def figures_of(figures: Mapping[str, Any]) -> list[str]:
    """Names of the metrics among a task's figures: in the order of METRICS, unknown ones last."""
    skip = ("interval", "rows", "values", "note", "label", "columns")
    given = [k for k, v in figures.items() if k not in skip and (v is None or is_number(v))]
    order = {name: i for i, name in enumerate(METRICS)}
    return sorted(given, key=lambda k: order.get(k, len(order)))


def label(metric: str) -> str:
    """A metric's name as people write it."""
    return METRICS.get(metric, UNNAMED).label or metric.replace("_", " ")


def better(metric: str) -> int:
    """+1 where more is better, -1 where less is, 0 where neither is."""
    return METRICS.get(metric, UNNAMED).better


def say(metric: str, value: float | None, unit: str = "") -> str:
    """A figure with its unit: `93.1 %`, `0.874`, `12.3 h`; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    match METRICS.get(metric, UNNAMED).form:
        case "share":
            return f"{fixed(100 * value, 1)} %"
        case "unit" | "own":
            return f"{brief(value)} {unit_of(metric, unit)}".rstrip()
        case _:
            return fixed(value, 3)


def say_gain(metric: str, value: float | None, unit: str = "") -> str:
    """A signed difference of two figures: `+2.1 points`, `-0.012`, `+3.4 h`."""
    if value is None or not math.isfinite(value):
        return "–"
    sign = "−" if value < 0 else "+"
    match METRICS.get(metric, UNNAMED).form:
        case "share":
            return f"{sign}{abs(100 * value):.1f} points"
        case "unit" | "own":
            return f"{sign}{brief(abs(value))} {unit_of(metric, unit)}".rstrip()
        case _:
            return f"{sign}{abs(value):.3f}"


def unit_of(metric: str, unit: str) -> str:
    """The unit that a figure is said in: USD of `log(USD)` where it is in the target's own.

    Nothing of `log(target)`, which stands for a target without a unit.
    """
    if METRICS.get(metric, UNNAMED).form != "own" or not unit.startswith("log("):
        return unit
    return "" if unit == "log(target)" else unit[len("log(") : -1]


def bounds(figures: Mapping[str, Any], metric: str) -> tuple[float, float] | None:
    """The interval of one metric, or None where there is none."""
    pair = (figures.get("interval") or {}).get(metric)
    if not pair or any(v is None or not math.isfinite(v) for v in pair):
        return None
    return float(pair[0]), float(pair[1])


def say_interval(figures: Mapping[str, Any], metric: str, unit: str = "") -> str:
    """`90.9 to 95.0 %`, or nothing where there is no interval."""
    pair = bounds(figures, metric)
    if pair is None:
        return ""
    low, high = (say(metric, v, unit) for v in pair)
    for mark in (" %", f" {unit_of(metric, unit)}"):
        low = low.removesuffix(mark) if high.endswith(mark) else low
    return f"{low} to {high}"


def brief(value: float) -> str:
    """A number to three figures, or whole from 1 000 on."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e7:
        digits = (
            0 if value == 0 or size >= 1000 else min(5, max(0, 2 - math.floor(math.log10(size))))
        )
        return fixed(value, digits)
    return f"{value:.2e}"


def fixed(value: float, digits: int) -> str:
    """So many decimals, a true minus sign, none before zero, and thousands apart by a narrow space
    that does not break.
    """
    text = f"{value:,.{digits}f}".replace(",", "\u202f")
    if text.startswith("-"):
        text = text[1:] if float(f"{value:.{digits}f}") == 0 else f"−{text[1:]}"
    return text


def is_number(value: Any) -> bool:
    """Whether a value is a number and not a truth value."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def say_realised(found: Mapping[str, Any], unit: str = "") -> str:
    """One line: what was promised, what came true, at what price."""
    return " ".join(filter(None, realised_figure(found, unit)))


def realised_figure(found: Mapping[str, Any], unit: str = "") -> tuple[str, str]:
    """The figure that came true, empty where no row tells one, and what is said beside it."""
    asked = f"{100 * found['asked']:g} %"
    source = f"by {found['fitted_on']} rows"
    if found["method"] == "precision":
        if found["precision"] is None:
            return "", f"none is sure at a precision of {asked}; {source}"
        right, sure = (f"{100 * found[k]:.1f} %" for k in ("precision", "sure"))
        told = f"of those called sure are right, {asked} promised; {sure} are sure; {source}"
        return right, told
    if found["coverage"] is None:
        return "", f"{asked} promised, no row tells; {source}"
    kept, held = f"{100 * found['coverage']:.1f} %", f"hold the truth, {asked} promised"
    if "width" in found:
        width = "without end" if found["width"] is None else f"{found['width']:.3g} {unit}".rstrip()
        return kept, f"{held}; mean width {width}; {source}"
    names = "labels" if found["method"] == "labels" else "classes"
    said = f"{held}; {found['size']:.2f} {names} a set, {100 * found['sure']:.1f} % sure"
    return kept, f"{said}; {source}"
