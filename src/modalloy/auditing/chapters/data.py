"""Which rows a run comes from: a data sheet, fingerprints, and the proof that no row leaks."""

from collections import Counter
from pathlib import Path

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.row_groups import names_at
from modalloy.auditing.chapter import Chapter, Gap, Known, Lines
from modalloy.auditing.chapters.use import told
from modalloy.job.inputs import inputs, kept_together
from modalloy.judge.facts import say_split
from modalloy.machine.sums import sum_of
from modalloy.report.card import say_seen, say_table
from modalloy.report.page import say_finding, say_share
from modalloy.runs.parts import ROWS
from modalloy.table.split import Parts

HEAD = ("column", "type", "unit", "seen in training", "missing", "unreadable", "unknown")
PARTS = ("train", "validation", "test", "calibration")


def data_sheet(known: Known) -> Chapter:
    """Table, columns, shares of missing cells, rows by use, and the hashes of both."""
    found, run = Chapter("data", "Data sheet and fingerprint"), known.run
    found.said.append(f"Table: {say_table(run.job)}.")
    told(found, known, ("data_origin", "data_licence"))
    if known.no_table:
        do = "put the table back where it lay, and write the folder anew"
        found.gaps.append(Gap(f"The table cannot be looked at: {known.no_table}", do))
    file = Path(run.job.table)
    if known.loader is not None and file.is_file():
        found.said.append(f"SHA-256 of the table's file: {sum_of(file)} (its media are not in it).")
    prints = run.prints()
    counts = ", ".join(f"{len(getattr(prints, p)):,} {p}" for p in PARTS if len(getattr(prints, p)))
    found.said.append(f"Rows by use: {counts}.")
    found.said.append(
        f"SHA-256 of the fingerprints of these rows, in their order ({ROWS}): {run.sealed[ROWS]}."
    )
    about = known.report.inputs if known.report else {}
    rows = []
    for name, options in inputs(run.job).items():
        shares = [say_share(about.get(name, {}).get(s)) for s in HEAD[4:]]
        unit = getattr(options, "unit", None) or "–"
        rows.append([name, options.type, unit, say_seen(run, name), *shares])
    found.tables.append(Lines("Columns; shares are of test rows", HEAD, rows))
    return found


def split_proof(known: Known) -> Chapter:
    """How test rows were kept apart, what `check` found, and what was counted again just now."""
    found, run = Chapter("split", "Split and leaks"), known.run
    found.said.append(f"How test rows were kept apart: {say_split(run.job.split)}.")
    said = [f for f in run.notes.get("findings", ()) if f["level"] in ("error", "leak", "warning")]
    for one in said:
        found.said.append(f"check before training, {one['level']}: {say_finding(one)}.")
    if not said:
        found.said.append("check before training: no leak, no error and no warning.")
    if any(f["level"] == "leak" for f in said):
        what = "The run was trained although an answer leaks: figures cannot be trusted"
        found.gaps.append(Gap(what, "remove the column or the rows that check names; train anew"))
    prints = run.prints()
    if not len(prints.test):
        what = "No test rows were kept: nobody knows how well it answers"
        found.gaps.append(Gap(what, "split: {test: 0.2} in the job, and train anew"))
    same = int(np.isin(prints.test, np.concatenate([prints.train, prints.validation])).sum())
    found.said.append(
        f"Counted again: {same:,} of {len(prints.test):,} test rows have the same cells, in all "
        "columns that are read, as a row of training or validation."
    )
    together = kept_together(run.job)
    if together and known.loader is not None and known.parts is not None:
        found.tables.append(crossing(known.loader, known.parts, together, found))
    elif not together and not (run.job.split.time or run.job.split.column):
        what = "Rows were dealt out at random: nothing shows that they are independent"
        found.gaps.append(Gap(what, "split: {by: COLUMN} or {time: COLUMN} in the job"))
    return found


def crossing(loader: Loader, parts: Parts, columns: tuple[str, ...], found: Chapter) -> Lines:
    """How many groups each part has, and how many of them another part has too."""
    rows, have = [], set(loader.table.columns)
    for column in columns:
        held = {
            p: set(names_at(loader, column, getattr(parts, p))) if column in have else set[str]()
            for p in PARTS
        }
        counts = Counter(group for groups in held.values() for group in groups)
        crossed = sum(of > 1 for of in counts.values())
        rows.append([column, *(f"{len(held[p]):,}" for p in PARTS), f"{crossed:,}"])
        test = sorted(held["test"] & set().union(*(held[p] for p in PARTS if p != "test")))
        if test:
            what = f"{len(test):,} values of '{column}' have test rows and other rows, as {test[0]}"
            found.gaps.append(Gap(what, f"split: {{by: {column}}} in the job, and train anew"))
    head = ("groups by", *PARTS, "in more than one part")
    return Lines("Groups that do not cross parts", head, rows)
