"""Results in, the tables between the marks of docs/scoreboard.md and README.md out."""

from pathlib import Path

COLUMNS = (
    "set | task | metric | ours | 95 % interval | best single | floor | published | goal | reached"
    " | seconds | rows/s | seeds"
)
HEAD = f"\n| {COLUMNS} |\n{'|---' * 13}|\n"
README_HEAD = """| set, task | metric | before | published | Modalloy | goal | seconds |
|---|---|---|---|---|---|---|
"""
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->\n"


def write_table(results: list[dict], path: Path) -> None:
    """Put the table between the two marks of a page; a figure that is missed stays and says so."""
    rows = []
    for r in results:
        low, high = r["interval"]
        single = "" if r["best_single"] is None else f"{r['best_single']:.3f}"
        reached = (
            "yes" if r["reached"] else "**no**" + ("" if r["beats_floor"] else ", below the floor")
        )
        cells = (
            r["set"],
            r["task"],
            r["metric"],
            f"{r['value']:.3f}",
            f"{low:.3f} to {high:.3f}",
            single,
            r["floor"],
            r["published"],
            r["goal"],
            reached,
            f"{r['seconds']:.0f}",
            f"{r['rows_per_s']:.0f}",
            r["seeds"],
        )
        rows.append("| " + " | ".join(str(c) for c in cells) + " |")
    reached = sorted({r["set"] for r in results} - {r["set"] for r in results if not r["reached"]})
    sets = len({r["set"] for r in results})
    tail = f"\n\n{len(reached)} of {sets} sets reach their goal: {', '.join(reached)}.\n"
    put_between_marks(HEAD + "\n".join(rows) + tail, path)


def write_readme(results: list[dict], path: Path) -> None:
    """Put the figures between the two marks of README.md."""
    rows = [
        f"| {r['set']}, {r['task']} | {r['metric']} | {r['floor']} | {r['published']} | "
        f"**{r['value']:.3f}** | {r['goal']}{'' if r['reached'] else ' (missed)'} | "
        f"{r['seconds']:.0f} |\n"
        for r in results
    ]
    put_between_marks(README_HEAD + "".join(rows), path)


def put_between_marks(text: str, path: Path) -> None:
    """Replace what stands between the two marks of a page; the words around them are written by
    hand and stay. ValueError where a mark is missing."""
    page = path.read_text()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    path.write_text(page[:begin] + text + page[end:])
