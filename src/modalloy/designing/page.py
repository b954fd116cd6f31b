"""Writes `design.html`: the best designs, what they keep, and how the search came to them."""

from pathlib import Path

from modalloy.designing import plots, tables
from modalloy.designing.foretold import foretold
from modalloy.designing.parallel import parallel
from modalloy.designing.pictures import pictures
from modalloy.designing.records import Records
from modalloy.designing.running import JOURNAL
from modalloy.designing.steps import reasons, steps
from modalloy.designing.summary import Point, Summary, summary_of
from modalloy.designing.words import (
    amount,
    interval,
    percent,
    promised,
    promises,
    say_all,
    say_asked,
    say_best,
    say_failed,
    say_gain,
    say_interval,
    say_run,
    say_verified,
    say_warnings,
)
from modalloy.judge.wording import brief
from modalloy.machine.files import write_safely
from modalloy.report.document import document
from modalloy.report.html import Dot, Markup, dots, fold, join, tag
from modalloy.report.page import show_figures
from modalloy.twin.journal import Recorded, read_journal
from modalloy.twin.outputs import AudioOutput
from modalloy.twin.twin import Twin

PAGE = "design.html"
FRONT = (
    "Shapes and colours say what each run is; a ring marks the best design. Every point is a run "
    "of the simulator, none is a guess of the surrogate."
)
FORETOLD = (
    "Each proposal as the surrogate foretold it before its run, over what the run then told; the "
    "bars are its {}s. Points on the dotted line were foretold exactly."
)
FOOTER = "Written by Modalloy. The same is in the records of the search."


def write_page(folder: Path, records: Records, twin: Twin) -> Path:
    """Write the page of a search into its folder, whole or not at all; where it is.

    Runs of the plan are read from the folder's record of runs, if there is one. DesignError where
    there is no record of the search yet, TwinError where that of its runs is damaged.
    """
    found = summary_of(records, runs_of(folder), twin)
    parts = [("answer", "In short", answer(found, records)), *drawn_parts(found, twin, folder)]
    if found.accepted:
        parts.append(("designs", "Accepted designs", tables.accepted(found)))
    if found.proposed:
        opened = not found.tried
        told = fold("Every design proposed in the end", tables.proposed(found), opened=opened)
        parts.append(("proposed", "Proposals", told))
    parts.append(("surrogate", "Surrogate", tables.knows(records, found)))
    parts.append(("steps", "How it went", join([steps(records, found), reasons(found)])))
    heading = tag(
        "header",
        tag("p", "Modalloy design", kind="kicker"),
        tag("h1", found.plan["twin"]),
        tag("p", say_asked(found), kind="quiet"),
    )
    path = folder / PAGE
    title = f"{found.plan['twin']} - Modalloy design"
    write_safely(path, document(title, heading, parts, FOOTER, by_night=True).encode("utf-8"))
    return path


def runs_of(folder: Path) -> dict[int, Recorded] | None:
    """Every run of a search by its number; None where its folder has no record of them."""
    journal = folder / JOURNAL
    return read_journal(journal)[1] if journal.is_file() else None


def in_words(folder: Path, records: Records) -> str:
    """The same for a terminal, from the same runs: a sentence a line."""
    return "\n".join(say_all(summary_of(records, runs_of(folder)), records))


def answer(found: Summary, records: Records) -> Markup:
    """The best design, what of the promise was kept, and the best of the plan beside it."""
    box = Markup("")
    if warned := say_warnings(found):
        nothing = found.end and found.tried and found.best is None
        kind, role = ("alarm", "alert") if nothing else ("lacking", "status")
        box = tag("div", *(tag("p", line) for line in warned), kind=kind, role=role)
    cards = [c for c in (best_card(found), promise_card(found)) if c]
    failed = say_failed(records)
    return join(
        [
            box,
            tag("div", *cards, kind="cards") if cards else "",
            tables.beside(found),
            tag("p", failed) if failed else "",
        ]
    )


def best_card(found: Summary) -> Markup:
    """The figures of the best design, large; the nearest one where none keeps everything."""
    point = found.best
    if point is None:
        return nearest_card(found)
    title = say_best(found).partition(": ")[0]
    large = [(o.output, amount(point.number(o.output), o.unit)) for o in found.objectives]
    return card(found, title, large, point)


def nearest_card(found: Summary) -> Markup:
    """The design that comes nearest, with the figures that something is asked of."""
    point = found.nearest()
    if point is None:
        return Markup("")
    broken = [c for c in found.constraints if c.outside(point.number(c.output)) > 0]
    large = [(c.output, amount(point.number(c.output), c.unit)) for c in broken]
    return card(found, f"Nearest to what was asked, {say_run(point)}", large[:3], point)


def card(found: Summary, title: str, large: list[tuple[str, str]], point: Point) -> Markup:
    """A design with some of its figures large, the limits of all, and what the search gained."""
    shown = [
        join([tag("div", said, kind="big"), tag("p", name, kind="quiet")]) for name, said in large
    ]
    items = [
        tag("li", f"{c.output} is {amount(point.number(c.output), c.unit)}; asked: {c.text}")
        for c in found.constraints
    ]
    gain = say_gain(found)
    parts = [
        tag("ul", join(items)) if items else "",
        tag("p", gain, kind="verdict") if gain else "",
    ]
    return tag("article", tag("h2", title), *shown, *parts, kind="card")


def promise_card(found: Summary) -> Markup:
    """How many proposals keep everything, beside what was promised."""
    said = say_verified(found)
    if not said:
        return Markup("")
    parts: list[Markup] = [tag("h2", "What the proposals keep")]
    if found.tried:
        parts.append(tag("div", f"{found.end['feasible']} of {found.end['proposed']}", kind="big"))
    parts.append(tag("p", said))
    if found.tried and found.constraints:
        low, high = interval(found)
        lines = [
            Dot(
                "verified",
                found.end["verified"],
                low,
                high,
                percent(found.end["verified"]),
                main=True,
            ),
        ]
        if promises(found):
            lines.append(Dot("promised", promised(found), said=percent(promised(found))))
        parts.append(dots(lines))
    return tag("article", *parts, kind="card")


def drawn_parts(found: Summary, twin: Twin, folder: Path) -> list[tuple[str, str, Markup]]:
    """Every section that is drawn, as far as there is something to draw."""
    parts: list[tuple[str, str, Markup]] = []

    def put(key: str, name: str, *inner: Markup | str) -> None:
        parts.append((key, name, join(inner)))

    if figures := plots.front(found):
        volume = found.end.get("hypervolume")
        more = f"Hypervolume of the front: {brief(volume)}." if volume is not None else ""
        said = tag("p", f"{FRONT} {more}".strip(), kind="quiet")
        put("front", "The front", said, show_figures(figures))
    if shown := pictures(found, twin, folder):
        heard = any(isinstance(o, AudioOutput) for o in twin.outputs.values())
        put("pictures", "Pictures and sounds" if heard else "Pictures", shown)
    if figures := plots.best_so_far(found):
        put("progress", "Best so far", show_figures(figures))
    if figures := foretold(found):
        put(
            "foretold",
            "Foretold and verified",
            tag("p", FORETOLD.format(say_interval(found)), kind="quiet"),
            show_figures(figures),
        )
    if figure := parallel(found, twin):
        put("variables", "Variables", show_figures([figure]))
    return parts
