"""A suite on a page: every figure stands in the table, and the chart can be drawn."""

from dataclasses import replace
from typing import Any

from modalloy.attacks.masking import Check
from modalloy.attacks.results import Result, Suite
from modalloy.report.robustness import attacks_table, growth_figure

FOUND: dict[str, Any] = {
    "task": "fault", "figure": "accuracy", "unit": "", "rows": 40, "clean": 0.95,
    "attacks": {"FGSM": 0.7, "Square": 0.8}, "worst": 0.65, "columns": {"photo": 0.75},
    "lying": {"photo": 0.5}, "corruptions": {"clock_skew": [0.9, 0.8, 0.7, 0.6, 0.512]},
    "growth": [(1.0, 0.7), (4.0, 0.2), (16.0, 0.01)], "blind": 0.55,
    "checks": (Check("growth", True, "it falls"),), "robust": True, "said": ("fault: holds.",),
    "whole": {"clean": 0.96},
}  # fmt: skip


def suites() -> dict[str, Suite]:
    before = Suite({"photo": "8/255"}, {"fault": Result(**FOUND)})
    after = replace(before, tasks={"fault": Result(**{**FOUND, "worst": 0.81, "lying": {}})})
    return {"before": before, "after": after}


def test_every_figure_stands_in_the_table() -> None:
    page = attacks_table(suites(), "fault")
    for said in ("before", "after", "95.0 %", "65.0 %", "81.0 %", "photo alone", "clock skew"):
        assert said in page
    assert "51.2 %" in page
    assert page.count("–") == 1  # the lying photo of the second


def test_figures_are_said_in_the_terminal_too() -> None:
    text = suites()["before"].text()
    for said in ("photo 8/255", "fault, 40 rows", "worst of all", "it falls", "fault: holds."):
        assert said in text
    assert "16 times the budgets" in text


def test_the_growth_of_budgets_is_drawn() -> None:
    figure = growth_figure(suites(), "fault")
    assert figure.task == "fault"
    assert len(figure.data) > 1000
    other = {k: replace(s, tasks={"fault": replace(s.tasks["fault"], growth=[(1.0, 0.1)])})
             for k, s in suites().items()}  # fmt: skip
    assert growth_figure(other, "fault").data != figure.data
