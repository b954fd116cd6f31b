"""What happened to a run: where it comes from, what verbs did to it, and its days in service."""

from datetime import UTC, datetime

from modalloy.auditing.chapter import Chapter, Gap, Known, Lines
from modalloy.deployment.history import History
from modalloy.errors import RunError
from modalloy.judge.compared import Compared
from modalloy.runs.run import Run, load_run

VERBS = {"adapted": "adapt", "hardened": "harden", "economized": "economize"}  # notes -> verb
MOST = 50  # ancestors that are looked for


def change_log(known: Known) -> Chapter:
    """Identity, ancestors, figures before and after each verb, and the records of its service."""
    found, run = Chapter("changes", "Change log"), known.run
    said = "Identity (SHA-256 of run.json, which holds those of all parts)"
    found.said.append(f"{said}: {run.identity}.")
    sealed = [[name, digest] for name, digest in sorted(run.sealed.items())]
    found.tables.append(Lines("Parts of the run", ("part", "SHA-256"), sealed))
    older = ancestors(run, found)
    found.tables.append(Lines("Where it comes from", ("run", "verb", "found"), older))
    for note, verb in VERBS.items():
        told = run.notes.get(note)
        changed = told.get("compared", told) if isinstance(told, dict) else {}
        if "tasks" in changed and "costs" in changed:
            compared = Compared.from_dict(changed)
            head = ("task", "figure", "before", "after", "change")
            title = f"What {verb} changed, on {compared.rows:,} {compared.which}"
            found.tables.append(Lines(title, head, [list(line) for line in compared.lines()]))
    if known.live is not None:
        service(known, found)
    return found


def ancestors(run: Run, found: Chapter) -> list[list[str]]:
    """The run that each was made from, as far as the folders beside this one tell."""
    rows, now = [], run
    for _ in range(MOST):
        if now.parent is None:
            return rows or [["none: it was trained", "train", "this run"]]
        sha256, verb, folder = now.parent
        place = run.path.resolve().with_name(folder)
        try:
            older = load_run(place, adapter="none", pretrained=True)
        except RunError:
            older = None
        same = older is not None and older.identity == sha256
        rows.append([f"{folder} ({sha256})", verb, "beside this run" if same else "no"])
        if older is None or not same:
            what = f"The run that {verb} started from ({folder}, {sha256[:12]}) is not beside it"
            found.gaps.append(Gap(what, "put its folder beside the run, or keep its own evidence"))
            return rows
        now = older
    return rows


def service(known: Known, found: Chapter) -> None:
    """The records of its service: a chain, of which a changed or missing link is a gap."""
    assert known.live is not None, "the caller has looked"
    try:
        records = History(known.live / "history").read()
    except RunError as error:
        what = f"The history of its service cannot be believed: {error}"
        found.gaps.append(Gap(what, "restore the folder of the served model from a copy"))
        return
    rows = []
    for record in records:
        at = datetime.fromtimestamp(record.at, UTC).isoformat(timespec="seconds")
        facts = ", ".join(f"{k}: {v}" for k, v in record.facts.items() if isinstance(v, str | int))
        rows.append([str(record.number), at, record.state, facts])
    title = "In service; each record holds the SHA-256 of the one before, and all were checked"
    found.tables.append(Lines(title, ("record", "at", "what", "facts"), rows))
