"""The verb `design`: designs of a twin that keep what is asked, verified by runs of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modalloy.designing.design_file import Source, load_design
from modalloy.designing.experiments import write_proposals
from modalloy.designing.loop import Loop
from modalloy.designing.opened import open_study, tried_in
from modalloy.designing.page import in_words, write_page
from modalloy.designing.records import Record, Records
from modalloy.designing.running import Runner
from modalloy.designing.study import Study
from modalloy.errors import DesignError
from modalloy.machine.files import locked, remove_leftovers
from modalloy.machine.progress import Bar
from modalloy.twin.fingerprint import fingerprint

RECORDS, LOCK = "records", "design.lock"


@dataclass(frozen=True)
class Designed:
    """A search that is done. folder: with its records, runs and page."""

    folder: Path
    page: Path
    records: Records

    @property
    def facts(self) -> dict[str, Any]:
        """What the last record says: accepted designs, the front, how promises were kept."""
        last = self.records.last("accept")
        assert last is not None
        return last.facts

    def text(self) -> str:
        """The same in words."""
        return in_words(self.folder, self.records)


def design(
    source: Source,
    *,
    out: str | Path,
    resume: bool = False,
    workers: int | None = None,
    quiet: bool = False,
    **changes: Any,
) -> Designed:
    """Search a twin for designs that keep constraints, and verify each by a run of its simulator.

    source: a design file, a twin's file, `bracket` or `weld`, the folder of a trained run, or a
    mapping of options. changes: options of a design file that replace the source's. out: a folder
    for records, runs and the page `design.html`; where nothing is run - of a trained run alone, or
    of `rows`, experiments in place of runs - `proposals.csv` there holds what to try next. resume:
    go on in a folder that holds a search of the same twin or run that asks the same. workers:
    processes that run the simulator.

    JobError for a wrong design or twin file, DesignError for what the twin or run does not have or
    cannot keep, TwinError where no run of the simulator can succeed, RunError for what is no run.
    """
    asked, folder = load_design(source, changes), Path(out)
    study = open_study(asked)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DesignError(f"{folder}: cannot be made ({error.strerror}).") from error
    with locked(folder / LOCK, f"{folder}: another search writes to this folder."):
        remove_leftovers(folder)
        records = Records(folder / RECORDS)
        refuse_other(records, study, folder, resume=resume)
        tried = tried_in(study)
        if tried is not None:
            known = asked.model_copy(update={"planned": len(tried.outcomes)})
            for _ in Loop(replace(study, asked=known), records, tried).states():
                pass
            last = records.last("propose")
            assert last is not None
            write_proposals(folder, last.facts)
        else:
            simulated(study, records, folder, workers=workers, quiet=quiet)
        return Designed(folder, write_page(folder, records, study.twin), records)


def simulated(
    study: Study, records: Records, folder: Path, *, workers: int | None, quiet: bool
) -> None:
    """Go through all states with runs of the twin."""
    asked = study.asked
    given = {"seed": asked.seed, "hidden": asked.hidden, "workers": workers}
    with (
        Bar("design", asked.budget, quiet=quiet) as bar,
        Runner(study.twin, folder, **given, done=bar.advance) as runner,
    ):
        for record in Loop(study, records, runner).states():
            bar.advance(0, note=noted(record))


def noted(record: Record) -> str:
    """What a progress bar says after a state."""
    best = record.facts.get("best")
    if not best:
        return record.state
    return f"{record.state}, best so far: " + ", ".join(
        f"{name} {value:.4g}" for name, value in best["outputs"].items()
    )


def refuse_other(records: Records, study: Study, folder: Path, *, resume: bool) -> None:
    """DesignError where the folder holds another search, or this one and nobody said to go on."""
    asked, run = study.asked, study.run
    first = records.last("plan")
    if first is None:
        return
    if not resume:
        raise DesignError(
            f"{folder}: holds a search already; go on with --resume, or give another folder."
        )
    stood_in = first.facts.get("run", {}).get("fingerprint")
    if stood_in != (None if run is None else run.fingerprint):
        raise DesignError(
            f"{folder}: another run stood in for the simulator in its search, or none did, or the "
            "run or its rows have changed since; give that run, or begin anew in another folder."
        )
    if first.facts["fingerprint"] != fingerprint(study.twin):
        raise DesignError(
            f"{folder}: its search is of another twin, or the twin or its simulator has changed "
            "since; change it back, or begin anew in another folder."
        )
    old: Mapping[str, Any] = first.facts["asked"]
    new = asked.model_dump(mode="json")
    passed = {"twin", "run"} | ({"planned"} if asked.untried else set())
    for option in new:
        if option not in passed and new[option] != old.get(option):
            raise DesignError(
                f"{folder}: its search asks for {option} {old.get(option)}, not {new[option]}; "
                "begin anew in another folder."
            )
