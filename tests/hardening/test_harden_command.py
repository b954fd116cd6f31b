"""The command hands its words to the verb, and says what changed, where, and what to know."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import modalloy
from modalloy.cli import app
from modalloy.judge.compared import Compared, Pair

COMPARED = Compared(
    "harden", 40, "test rows, 20 of them attacked",
    {"fault, worst of all attacks": {"accuracy": Pair(0.1, 0.6, (0.4, 0.6))}},
)  # fmt: skip
SAID = [
    {"where": "robust", "text": "robust: fault: 60 %"},
    {"where": "harden", "text": "harden: interrupted after 2 of 3 epochs"},
]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The verb replaced by one that notes how it was called."""
    noted: list[tuple[Any, ...]] = []
    notes = {"hardened": {"compared": COMPARED.as_dict(), "said": SAID}}

    def call(*args: Any, **options: Any) -> Any:
        noted.append((args, options))
        return SimpleNamespace(path=Path("new"), notes=notes)

    monkeypatch.setattr(modalloy, "harden", call, raising=False)
    return noted


def test_words_reach_the_verb_and_its_table_the_terminal(calls: list[tuple[Any, ...]]) -> None:
    words = ("r", "t.csv", "-o", "new", "--training", "pgd", "--budget", "photo=8/255")
    done = CliRunner().invoke(app, ["harden", *words, "--budget", "load=0.2 kN", "--sheet", "S"])
    assert done.exit_code == 0, done.output
    budgets = {"photo": "8/255", "load": "0.2 kN"}
    options = {"out": Path("new"), "training": "pgd", "budgets": budgets, "sheet": "S"}
    assert calls == [((Path("r"), "t.csv"), options)]
    assert "fault, worst of all attacks  Accuracy  10.0 %  60.0 %  +50.0 points" in done.stdout
    assert "The run is new, its page new/robustness.html." in done.stdout
    assert "caveat: harden: interrupted after 2 of 3 epochs." in done.stderr
    assert "60 %." not in done.stderr


def test_without_words_the_runs_own_table_and_job_are_taken(calls: list[tuple[Any, ...]]) -> None:
    assert CliRunner().invoke(app, ["harden", "r"]).exit_code == 0
    options = {"out": None, "training": None, "budgets": {}, "sheet": None}
    assert calls == [((Path("r"), None), options)]
    assert "harden" in CliRunner().invoke(app, ["--help"]).output
    done = CliRunner().invoke(app, ["harden", "r", "--budget", "photo"])
    assert done.exit_code == 2
    assert "--budget: write COLUMN=SIZE" in done.output
