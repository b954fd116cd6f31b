"""YAML 1.2 with the line of every key, so that faults name it and `3e-4` is a number."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from modalloy.job.faults import Fault
from modalloy.job.options import Path
from modalloy.job.page import Page

SCALARS = ("int", "float", "bool", "null")  # everything else is text, dates too


def read_page(text: str) -> Page:
    """Data and lines; a text that is no YAML gives a page with one fault and no data."""
    builder = _Builder()
    try:
        node = builder.yaml.compose(text)
        if node is not None:
            builder.page.data = builder.build(node, ())
    except YAMLError as error:
        return _broken(error)
    except RecursionError:
        return Page(faults=[Fault((), "is nested too deeply to be a job.")])
    return builder.page


def _broken(error: YAMLError) -> Page:
    """The one fault of a text that cannot be parsed."""
    page = Page()
    said = str(error).splitlines()[0]
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        if mark is not None:
            page.lines[()] = mark.line + 1
    page.faults.append(Fault((), f"is not YAML: {' '.join(said.split())}."))
    return page


class _Builder:
    """Walks a tree of nodes once, noting lines, repeated keys and aliases on the way."""

    def __init__(self) -> None:
        self.yaml = YAML(typ="safe", pure=True)
        self.page = Page()
        self.seen: set[int] = set()

    def build(self, node: Node, path: Path) -> Any:
        """Plain data of a node."""
        if isinstance(node, ScalarNode):
            return self.scalar(node)
        if id(node) in self.seen:
            self.page.faults.append(Fault(path, "uses an alias (*name); write it out."))
            return None
        self.seen.add(id(node))
        if isinstance(node, SequenceNode):
            return [self.entry(entry, (*path, i)) for i, entry in enumerate(node.value)]
        assert isinstance(node, MappingNode)
        return self.group(node, path)

    def scalar(self, node: ScalarNode) -> Any:
        """A number, true, false or nothing; everything else is the text as it was written."""
        if str(node.tag).removeprefix("tag:yaml.org,2002:") not in SCALARS:
            return node.value
        try:
            return self.yaml.constructor.construct_object(node)
        except (ValueError, LookupError):  # only looks like a number, as `!!int x` does
            return node.value

    def entry(self, node: Node, path: Path) -> Any:
        """One entry of a list."""
        self.page.lines[path] = node.start_mark.line + 1
        return self.build(node, path)

    def group(self, node: MappingNode, path: Path) -> dict[str, Any]:
        """The options of a group. A key is text as written: column 010 is not column 10."""
        data: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.page.faults.append(Fault(path, f"has a key that is no word, on line {line}."))
                continue
            here = (*path, key.value)
            if key.value in data:
                lines = f"{self.page.lines[here]} and {line}"
                self.page.faults.append(Fault(here, f"stands twice, on lines {lines}; keep one."))
                continue
            self.page.lines[here] = line
            data[key.value] = self.build(value, here)
        return data
