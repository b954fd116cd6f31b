"""Writes the map of the house: README's table of rooms, and docs/house.md with every file.

`python dev/house.py` after a file came, went or changed what it is for; a test says when it is due.
"""

import ast
import functools
import re
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
SOURCE = REPO / "src" / "modalloy"

# Every room may import from itself and from the rooms above it; rooms of one line do not import
# one another. A file of the package that has no room of its own is named alone.
ROOMS: list[set[str]] = [
    {"errors", "__init__"},
    {"machine"},
    {"job"},
    {"offline"},
    {"tasks"},
    {"cells"},
    {"media"},
    {"readers"},
    {"table"},
    {"checks"},
    {"infer"},
    {"twin"},
    {"model.tokens"},
    {"model.layers"},
    {"model.trunks"},
    {"model.decoders"},
    {"model.encoders", "model.tasks"},
    {"model"},
    {"model.adapters"},
    {"model.compressed"},
    {"speech"},
    {"attacks"},
    {"objectives"},
    {"answer.answers"},
    {"answer.decoding"},
    {"answer.stage"},
    {"judge.metrics"},
    {"classical"},
    {"answer.decide"},
    {"answer.agreement"},
    {"graphs"},
    {"runs"},
    {"bundle"},
    {"blend"},
    {"unlike"},
    {"drift"},
    {"stock"},
    {"policy"},
    {"answer"},
    {"observing"},
    {"attacks.whole"},
    {"judge"},
    {"report"},
    {"comparing"},
    {"attribution"},
    {"retrieval"},
    {"drawing"},
    {"learn"},
    {"drawing.draw_run"},
    {"compression"},
    {"economy"},
    {"hardening"},
    {"adaptation"},
    {"privacy"},
    {"deployment"},
    {"watching"},
    {"auditing.about_file", "auditing.chapter"},
    {"auditing.chapters"},
    {"auditing"},
    {"designing"},
    {"tuning"},
    {"deploy"},
    {"federation.flower"},
    {"federation"},
    {"federation.matched"},
    {"federation.verb"},
    {"following"},
    {"serving"},
    {"serving.page"},
    {"serving.routes"},
    {"serving.app"},
    {"serving.serve_run"},
    {"verbs", "demonstration", "diagnosis", "runtime"},
    {"commands"},
    {"cli", "__main__"},
]
ABOVE = """\
# The house

Written by `python dev/house.py` from the first sentence of every file. Each room imports from the
rooms above it alone; `tests/test_imports.py` says so.
"""


@functools.cache
def modules() -> list[str]:
    """Every file of the package as a dotted path inside it."""
    paths = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
    return [".".join(path.with_suffix("").parts) for path in paths]


@functools.cache
def room_of(name: str) -> int:
    """Number of the room that a dotted path belongs to: the innermost one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        room = ".".join(parts[:length])
        for number, rooms in enumerate(ROOMS):
            if room in rooms:
                return number
    raise LookupError(f"{name} has no place in ROOMS of dev/house.py; add it")


@functools.cache
def purpose(module: str) -> str:
    """The first paragraph of a file's docstring, on one line, without its full stop."""
    tree = ast.parse((SOURCE / (module.replace(".", "/") + ".py")).read_text())
    first = (ast.get_docstring(tree) or "").split("\n\n")[0]
    return " ".join(first.split()).rstrip(".")


def rooms() -> list[str]:
    """Folders with files, in the order of ROOMS."""
    found = {m.removesuffix(".__init__") for m in modules() if m.endswith(".__init__")}
    return sorted(found, key=lambda room: (room_of(room), room))


def files_of(room: str) -> list[str]:
    """Files that lie in a folder itself; of the package's own folder, with `room` empty."""
    inside = [m for m in modules() if m.rpartition(".")[0] == room]
    return [m for m in inside if not m.endswith(".__init__") and m != "__init__"]


def table_of_rooms() -> str:
    """README's table."""
    lines = ["| room | what it is for |", "|---|---|"]
    for room in rooms():
        path = room.replace(".", "/")
        lines.append(f"| [`{path}/`](src/modalloy/{path}) | {purpose(room + '.__init__')} |")
    own = ", ".join(f"`{name}.py`" for name in files_of(""))
    return "\n".join([*lines, f"| `src/modalloy/` itself | {own} |"])


def page() -> str:
    """docs/house.md: rooms from the ground up, then the files that open the door."""
    parts = [ABOVE]
    for room in [*rooms(), ""]:
        path = room.replace(".", "/") + "/" if room else ""
        title = f"`{path}` - {purpose(room + '.__init__')}" if room else "The package itself"
        lines = [f"- `{path}{m.rpartition('.')[2]}.py` - {purpose(m)}" for m in files_of(room)]
        parts.append(f"## {title}\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def readme() -> str:
    """README.md with its table of rooms as it is now."""
    text = (REPO / "README.md").read_text()
    fresh = f"<!-- rooms -->\n{table_of_rooms()}\n<!-- /rooms -->"
    return re.sub("<!-- rooms -->.*<!-- /rooms -->", lambda _: fresh, text, flags=re.DOTALL)


if __name__ == "__main__":
    (REPO / "README.md").write_text(readme())
    (REPO / "docs" / "house.md").write_text(page())
