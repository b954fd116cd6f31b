"""One part of a report after the other; what cannot be computed is named and costs nothing else."""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from modalloy.errors import ModalloyError

Found = TypeVar("Found")
Other = TypeVar("Other")
LACKS = "This report lacks what could not be computed; the model is whole and usable."
AGAIN = "`modalloy evaluate RUN` tries again"
TRACED = 6  # innermost calls that are kept of an exception


class Runner(Protocol):
    """What a part of a report is computed by; see `Sections.run`."""

    def __call__(
        self, part: str, what: str, make: Callable[[], Found], otherwise: Other, *, task: str = ""
    ) -> Found | Other:
        """What `make` returns; `otherwise` where it cannot be had."""


def at_once(
    part: str, what: str, make: Callable[[], Found], otherwise: Other, *, task: str = ""
) -> Found | Other:
    """What `make` returns; its exceptions are the caller's."""
    return make()


class Sections:
    """Runs the parts of one report and remembers those that failed.

    failed: one record a failure, as `Report.failed` keeps it: part (what kind of thing), task (""
    where it is about all of them), what (its name in words), error (the exception's type), message,
    trace (its innermost calls, the last one is where it was raised).
    """

    def __init__(self, failed: Iterable[Mapping[str, Any]] = ()) -> None:
        self.failed: list[dict[str, Any]] = [dict(f) for f in failed]

    def run(
        self, part: str, what: str, make: Callable[[], Found], otherwise: Other, *, task: str = ""
    ) -> Found | Other:
        """What `make` returns, or `otherwise` where it raises; the failure is then remembered.

        Only this function catches: a test that calls `make` itself sees its exception. Ctrl-C and
        exits are never caught.
        """
        try:
            return make()
        except Exception as error:
            self.failed.append(
                {
                    "part": part,
                    "task": task,
                    "what": what,
                    "error": "" if isinstance(error, ModalloyError) else type(error).__name__,
                    "message": " ".join(str(error).split()),
                    "trace": trace_of(error),
                }
            )
            return otherwise


def trace_of(error: Exception) -> list[str]:
    """Where an exception came from, outermost call first: `simple.py, line 210, in logistic`."""
    calls = traceback.extract_tb(error.__traceback__)[-TRACED:]
    return [f"{Path(c.filename).name}, line {c.lineno}, in {c.name}" for c in calls]


def say_failed(failed: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each part that a report lacks; the same words are said once."""
    return list(dict.fromkeys(map(say_failure, failed)))


def say_failure(failure: Mapping[str, Any]) -> str:
    """`fault, lines to beat: ValueError: shapes do not match (simple.py, line 210, in boost)`."""
    where = f"{failure['task']}, " if failure.get("task") else ""
    kind = f"{failure['error']}: " if failure.get("error") else ""
    trace = failure.get("trace") or []
    at = f" ({trace[-1]})" if trace and kind else ""
    return f"{where}{failure.get('what', '')}: {kind}{failure.get('message', '')}".rstrip() + at
