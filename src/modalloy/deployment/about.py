"""What a served model reads and answers, as its rows and labels are kept by."""

from pathlib import Path
from typing import Any

FORMAT = 1


def describe(model: Path) -> dict[str, Any]:
    """Tasks of a run or bundle with the columns of their right answers, and its inputs."""
    from modalloy.bundle.bundled import load_any

    run = load_any(model)
    return {
        "format": FORMAT,
        "tasks": {task: list(o.answers_in.values()) for task, o in run.job.tasks.items()},
        "inputs": list(run.readers),
    }
