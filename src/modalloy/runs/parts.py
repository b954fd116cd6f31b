"""Names of the parts of a run: those that every run has, and those that a verb may add."""

import re

from modalloy.errors import RunError

ROWS = "rows.safetensors"  # fingerprints of the rows of each part of the split
PARTS = ("job.yaml", "schema.json", ROWS, "model.safetensors")  # every run has them
PAGE = "report.html"  # the run's own report; report.json and card.md say the same
CHECKPOINTS = "checkpoints"  # the folder of what an unfinished training goes on from
STAGED = ".next"  # ends the name of a file that is to replace another one
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
OURS = (
    *PARTS, "run.json", "run.lock", "training.lock", PAGE, "report.json", "evaluated.html",
    "evaluated.json", "watched.html", "watched.json", "card.md", "log.jsonl", "refit.jsonl",
)  # fmt: skip
PASSING = (STAGED, ".part")  # ends of names of files that are being written


def refuse_name(name: str) -> None:
    """RunError where a free part cannot be called so; `adapters/line3.safetensors` is a name."""
    top = name.lower().split("/")[0]
    if not NAME.fullmatch(name) or name.lower().endswith(PASSING):
        raise RunError(
            f"{name!r} cannot name a part of a run; write letters, digits, '_', '-' and '.', and "
            "'/' between folders, as in adapters/line3.safetensors."
        )
    if top in OURS or top == CHECKPOINTS:
        raise RunError(f"'{name}' cannot name a part of a run: the run itself writes {top}.")
