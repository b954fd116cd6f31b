"""Results in, the tables between the marks of docs/scoreboard.md and README.md out."""

from pathlib import Path

from bench.written import put_between_marks

COLUMNS = (
    "set | task | metric | ours | 95 % interval | best single | floor | published | goal | reached"
    " | seconds | rows/s | seeds"
)
HEAD = f"\n| {COLUMNS} |\n{'|---' * 13}|\n"
SAID = """
What `modalloy check` said beforehand, in seconds and GB, beside what one seed took:

| set | said | took | took / said | said GB | peak GB | peak / said |
|---|---|---|---|---|---|---|
"""
README_HEAD = """| set, task | metric | before | published | Modalloy | goal | seconds |
|---|---|---|---|---|---|---|
"""


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
    put_between_marks(HEAD + "\n".join(rows) + tail + said_table(results), path)


def said_table(results: list[dict]) -> str:
    """Estimates beside what was measured, a line a set, and how many lie within a factor of two."""
    first = {r["set"]: r for r in reversed(results)}
    rows, near = "", {"seconds": 0, "memory": 0}
    for name in dict.fromkeys(r["set"] for r in results):
        r = first[name]
        time, memory = r["seconds"] / r["said_seconds"], r["peak_gb"] / r["said_gb"]
        near["seconds"] += 0.5 <= time <= 2.0
        near["memory"] += 0.5 <= memory <= 2.0
        rows += (
            f"| {name} | {r['said_seconds']:.0f} | {r['seconds']:.0f} | {time:.2f} "
            f"| {r['said_gb']:.1f} | {r['peak_gb']:.1f} | {memory:.2f} |\n"
        )
    told = " and ".join(f"{n} of {len(first)} for {what}" for what, n in near.items())
    return f"{SAID}{rows}\nWithin a factor of two: {told}.\n"


def write_readme(results: list[dict], path: Path) -> None:
    """Put the figures between the two marks of README.md."""
    rows = [
        f"| {r['set']}, {r['task']} | {r['metric']} | {r['floor']} | {r['published']} | "
        f"**{r['value']:.3f}** | {r['goal']}{'' if r['reached'] else ' (missed)'} | "
        f"{r['seconds']:.0f} |\n"
        for r in results
    ]
    put_between_marks(README_HEAD + "".join(rows), path)
