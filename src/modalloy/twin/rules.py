"""What the parts of a twin say against one another: names, links between variables, files.

The data may be half wrong: a rule looks at the parts that can be read and keeps quiet about others.
"""

import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modalloy.job.faults import Fault, quoted
from modalloy.job.options import did_you_mean
from modalloy.twin.expressions import Expression

Groups = dict[str, dict[str, Any]]

SECTIONS = ("variables", "hidden", "outputs")
OWN = ("run", "status", "reason", "seed", "seconds")  # columns that every row has
UNSEEN = "hidden_"  # begins the columns of hidden parameters that are shown
SCRIPTS = (".py", ".sh", ".jl", ".r", ".m", ".jar")  # arguments of a command that are surely files
PYTHON = "python"  # as the program of a command: the Python that runs Modalloy


def broken_rules(data: Any, folder: Path) -> Iterator[Fault]:
    """Everything that no single option shows. folder: where relative paths start."""
    if not isinstance(data, dict):
        return
    yield from _names(data)
    yield from _links(groups(data, "variables"), data)
    if isinstance(data.get("simulator"), dict):
        yield from _simulator(data["simulator"], folder)


def groups(data: Mapping[str, Any], section: str) -> Groups:
    """Those options of a section that are groups, by name."""
    found = data.get(section)
    if not isinstance(found, dict):
        return {}
    return {name: options for name, options in found.items() if isinstance(options, dict)}


def _names(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Every name is one column of the rows."""
    first: dict[str, str] = {}
    for section in SECTIONS:
        for name in groups(data, section):
            path = (section, name)
            if not name.strip() or not name.isprintable():
                yield Fault(path, "must have a name that can be read.")
            elif name in OWN:
                why = f"is named as a column that every row has ({', '.join(OWN)}); rename it."
                yield Fault(path, why)
            elif name.startswith(UNSEEN):
                why = f"must not begin with {UNSEEN}, as columns of hidden parameters do; rename it"
                yield Fault(path, f"{why}.")
            elif name in first:
                yield Fault(path, f"is named as one of {first[name]}; rename one of them.")
            first.setdefault(name, section)


def _links(variables: Groups, data: Mapping[str, Any]) -> Iterator[Fault]:
    """Linked variables read numbers that are there, and never themselves."""
    reads: dict[str, tuple[str, ...]] = {}
    for name, options in variables.items():
        if options.get("type") == "linked" and isinstance(options.get("is"), str):
            try:
                reads[name] = Expression.parse(options["is"]).names
            except ValueError:
                continue  # told by the option itself
    for name, others in reads.items():
        for other in others:
            if why := _unread(other, variables, data):
                yield Fault(("variables", name, "is"), why)
    for name in reads:
        circle = _circle(name, reads)
        if circle:
            why = f"follows from itself: {' -> '.join(circle)}; take one of these links away."
            yield Fault(("variables", name, "is"), why)
    if variables and len(reads) == len(variables):
        yield Fault(("variables",), "are all linked; one at least must be free to be set.")


def _unread(name: str, variables: Groups, data: Mapping[str, Any]) -> str | None:
    """Why a linked variable cannot read a name; None where it can."""
    if name not in variables:
        of = next((s for s in SECTIONS[1:] if name in groups(data, s)), None)
        if of is not None:
            return f"reads '{name}' of {of}; it may read variables alone."
        return f"reads '{name}', which is no variable.{did_you_mean(name, variables)}"
    levels = variables[name].get("levels")
    words = isinstance(levels, list) and any(isinstance(level, str) for level in levels)
    if variables[name].get("type") == "categorical" or words:
        return f"reads '{name}', which holds words; arithmetic needs numbers."
    return None


def _circle(start: str, reads: Mapping[str, tuple[str, ...]]) -> list[str]:
    """A way along links from a variable back to it; empty where there is none."""
    ways, seen = [[start]], set()
    while ways:
        way = ways.pop()
        for other in reads.get(way[-1], ()):
            if other == start:
                return [*way, start]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def _simulator(options: Mapping[str, Any], folder: Path) -> Iterator[Fault]:
    """What is to be run is there."""
    match options.get("type"):
        case "python" if isinstance(options.get("use"), str):
            place = options["use"].rpartition(":")[0]
            if why := _no_file(place, folder) if place.endswith(".py") else _no_module(place):
                yield Fault(("simulator", "use"), why)
        case "fmu" if isinstance(options.get("file"), str):
            if why := _no_file(options["file"], folder):
                yield Fault(("simulator", "file"), why)
        case "command" if isinstance(options.get("run"), list):
            inner = options.get("folder")
            start = folder / inner if isinstance(inner, str) else folder
            words = [word for word in options["run"] if isinstance(word, str)]
            if not start.is_dir():
                yield Fault(("simulator", "folder"), f"there is no folder {start}.")
            elif words and (why := _no_program(words, start)):
                yield Fault(("simulator", "run"), why)


def _no_file(name: str, folder: Path) -> str | None:
    """Why a file is not there."""
    path = folder / name
    if path.is_file():
        return None
    beside = path.parent.glob(f"*{path.suffix}") if path.parent.is_dir() else ()
    return f"there is no file {path}.{did_you_mean(path.name, [p.name for p in beside])}"


def _no_module(name: str) -> str | None:
    """Why a module is not there."""
    if not name:
        return None  # told by the option itself
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is not None:
        return None
    return f"module {name} is not installed; a file beside the twin is named as FILE.py:FUNCTION."


def _no_program(words: list[str], folder: Path) -> str | None:
    """Why a command cannot be started."""
    program = words[0]
    known = program == PYTHON or shutil.which(program, path=None) or (folder / program).is_file()
    if not known:
        return f"there is no program {quoted(program)} on this machine or in {folder}."
    for word in words[1:]:
        if Path(word).suffix.lower() in SCRIPTS and not word.startswith("-"):
            return _no_file(word, folder)
    return None
