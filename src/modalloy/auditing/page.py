"""Writes `index.html` and `README.md` of an evidence folder: gaps first, then chapters."""

from collections.abc import Mapping, Sequence

from modalloy.auditing.chapter import Chapter
from modalloy.report import markdown
from modalloy.report.document import document
from modalloy.report.html import Markup, join, table, tag

SHOWS = (
    "This folder gathers what is known of one run. It is no certificate: whether a use is allowed "
    "and safe, people decide who know the use."
)
HEAD = ("chapter", "what is missing", "what closes it")
NONE = "Nothing that this version looks for is missing."
CELLS = "Pages of the run show cells of its rows; share the folder with those who may see them."


def evidence_page(title: str, identity: str, chapters: Sequence[Chapter]) -> str:
    """The page as one file."""
    count = sum(len(c.gaps) for c in chapters)
    parts = [("gaps", "Gaps", gaps_part(chapters))]
    parts += [(c.key, c.title, chapter_part(c)) for c in chapters]
    heading = tag(
        "header",
        tag("p", "Modalloy evidence", kind="kicker"),
        tag("h1", title),
        tag("p", f"Run {identity}; {count} gaps.", kind="quiet"),
        tag("p", f"{SHOWS} {CELLS}", kind="quiet"),
    )
    footer = "Written by Modalloy. The same is in README.md and evidence.json."
    return document(f"{title} - Modalloy evidence", heading, parts, footer)


def gaps_part(chapters: Sequence[Chapter]) -> Markup:
    """Every gap, with what closes it."""
    lines = [(c.title, gap.what, gap.do) for c in chapters for gap in c.gaps]
    if not lines:
        return tag("p", NONE)
    return join([tag("h2", "Gaps"), table(HEAD, lines, numbers=3)])


def chapter_part(chapter: Chapter) -> Markup:
    """Its sentences and its tables; a gap is named where it is felt, too."""
    parts = [tag("ul", join(tag("li", said) for said in chapter.said))] if chapter.said else []
    if chapter.gaps:
        items = join(tag("li", f"Gap: {gap.what}.") for gap in chapter.gaps)
        parts.append(tag("div", tag("ul", items), kind="lacking"))
    for title, head, rows in chapter.tables:
        parts += [tag("h3", title), table(head, rows, numbers=len(head))]
    return join(parts)


def evidence_text(title: str, identity: str, chapters: Sequence[Chapter], seal: str) -> str:
    """The same as Markdown; seal: how the folder is sealed."""
    lines = [[c.title, gap.what, gap.do] for c in chapters for gap in c.gaps]
    gaps = markdown.table(HEAD, lines) if lines else NONE
    blocks = [f"# Evidence: {markdown.escape(title)}", f"Run {identity}. {SHOWS} {CELLS}"]
    blocks += ["## Gaps", gaps]
    for chapter in chapters:
        told = [*(f"Gap: {gap.what}." for gap in chapter.gaps), *chapter.said]
        blocks += [f"## {markdown.escape(chapter.title)}", markdown.bullets(told)]
        for name, columns, rows in chapter.tables:
            blocks += [f"### {markdown.escape(name)}", markdown.table(columns, rows)]
    blocks += ["## How this folder is sealed", seal]
    return "\n\n".join(b for b in blocks if b) + "\n"


def as_json(title: str, identity: str, chapters: Sequence[Chapter]) -> Mapping[str, object]:
    """The same as data."""
    return {"title": title, "run": identity, "chapters": [c.as_dict() for c in chapters]}
