"""A training in a process of its own, so that its seconds and its peak of memory are its own."""

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Found = TypeVar("Found")


def apart(do: Callable[Given, Found], *given: Given.args, **named: Given.kwargs) -> Found:
    """What a function of a module gives, called in a new process; its error is raised here."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(do, *given, **named).result()


def peak_gb() -> float:
    """Largest memory of this process so far; macOS counts bytes, Linux kilobytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e9 / 1024)
