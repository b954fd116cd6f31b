"""The verb that gathers the evidence of a run in one folder, all of it or nothing."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modalloy import __version__
from modalloy.answer.predictor import Predictor
from modalloy.auditing.about_file import read_about
from modalloy.auditing.chapter import Chapter, Gap, Known, Lines
from modalloy.auditing.chapters.changes import change_log
from modalloy.auditing.chapters.data import data_sheet, split_proof
from modalloy.auditing.chapters.figures import calibration, figures_by_group, robustness
from modalloy.auditing.chapters.limits import limits
from modalloy.auditing.chapters.use import human_oversight, intended_use
from modalloy.auditing.materials import bill_of_materials, without_licence
from modalloy.auditing.page import as_json, evidence_page, evidence_text
from modalloy.auditing.seal import PROVES, UNSIGNED, seal
from modalloy.bundle.signature import signer
from modalloy.checks.finding import some
from modalloy.deployment.deployment import live_of
from modalloy.errors import RunError, TableError
from modalloy.job.job_file import job_text
from modalloy.judge.report import Report
from modalloy.machine.files import refuse_used, whole_folder, write_safely
from modalloy.machine.installed import installed_for
from modalloy.report.evaluate import title_of
from modalloy.report.rescore import own_rows
from modalloy.runs.run import Run, load_run
from modalloy.table.split import split_job

CHAPTERS = (
    intended_use, data_sheet, split_proof, figures_by_group, robustness, calibration, limits,
    human_oversight, change_log,
)  # fmt: skip
COPIED = (  # files of a run that are taken over where they are
    "run.json", "job.yaml", "schema.json", "card.md", "report.html", "report.json",
    "evaluated.html", "evaluated.json", "robustness.html", "robustness.json", "adapt.html",
    "economize.html", "watched.html", "watched.json", "federate.html", "federate.json",
)  # fmt: skip
BILL = "materials.cdx.json"


@dataclass(frozen=True)
class Evidence:
    """The folder that was written. gaps: of all chapters. sealed: what its seal proves."""

    path: Path
    chapters: list[Chapter]
    sealed: str

    @property
    def gaps(self) -> list[Gap]:
        """Everything that an auditor would ask for and the folder does not hold."""
        return [gap for chapter in self.chapters for gap in chapter.gaps]

    def text(self) -> str:
        """The gaps, for a terminal."""
        lines = [f"{len(self.gaps)} gaps:"] if self.gaps else ["No gaps were found."]
        lines += [f"  {c.title}: {g.what} -> {g.do}" for c in self.chapters for g in c.gaps]
        return "\n".join([*lines, self.sealed])


def evidence(
    run: Run | str | Path,
    *,
    out: str | Path,
    about: str | Path | None = None,
    sign: str | Path | None = None,
) -> Evidence:
    """Write what is known of a run into a folder for an audit; what is not known is listed first.

    Nothing is trained or scored: figures are those of the run's report, hardening and service. The
    run's own table is looked at again where it still is. out: a folder that is not there yet, or
    empty. about: a YAML file with its owner's words, see `about_file`. sign: the Ed25519 private
    key (PEM) that the manifest is signed with.

    Raises RunError for a bundle, and where the folder holds files; JobError for an `about` with
    other keys; BundleError for a key that cannot sign.
    """
    loaded = run if isinstance(run, Run) else load_run(run)
    place, key = Path(out), None if sign is None else Path(sign)
    refuse_used(place)
    if key is not None:
        signer(key)
    known = look(loaded, read_about(None if about is None else Path(about)))
    chapters = [write(known) for write in CHAPTERS]
    bill = bill_of_materials(loaded)
    chapters.append(materials(known, bill, signed=key is not None))
    title = title_of(loaded.job.table)
    with whole_folder(place) as part:
        fill(part, known, chapters, bill, title, signed=key is not None)
        facts = {"modalloy": __version__, "run": loaded.identity, "gaps": gap_count(chapters)}
        sealed = seal(part, facts, key)
    return Evidence(place, chapters, sealed)


def look(run: Run, about: dict[str, str]) -> Known:
    """What the chapters are written from: the report, and the run's own table where it still is."""
    report, no_report = None, ""
    try:
        report = Report.load(run.path / "report.json")
        no_report = of_another(run, report)
        report = None if no_report else report
    except RunError as error:
        no_report = str(error).rstrip(".")
    loader, parts, no_table = None, None, ""
    try:
        loader, _, _ = own_rows(Predictor(run))
        parts = split_job(loader.table, run.job)
    except (RunError, TableError) as error:
        no_table = str(error).rstrip(".")
    live = live_of(run.path)
    served = live if (live / "current.json").is_file() else None
    return Known(run, about, report, no_report, loader, parts, no_table, served)


def of_another(run: Run, report: Report) -> str:
    """Why a report is not this run's, as it is now; empty where it is."""
    if report.job.strip() != job_text(run.job).strip():
        return "report.json was made of another job than the run's"
    if report.rows.get("test", 0) != len(run.prints().test):
        return "report.json is of other test rows than the run's"
    return ""


def materials(known: Known, bill: dict[str, Any], *, signed: bool) -> Chapter:
    """The bill of materials in short, and whether the folder is signed."""
    found = Chapter("materials", "Software and seal")
    packages = [c for c in bill["components"] if c["type"] == "library"]
    required = sum(c["scope"] == "required" for c in packages)
    found.said.append(
        f"{BILL} lists {len(packages)} packages installed where this was written ({required} of "
        f"them required) with versions and licences, as CycloneDX {bill['specVersion']}."
    )
    if silent := without_licence(bill):
        what = f"{len(silent)} packages name no licence: {some(silent, 8)}"
        found.gaps.append(Gap(what, "look into these packages"))
    if lacking := installed_for().lacking:
        what = f"Packages are not installed as asked for: {some(lacking, 8)}"
        found.gaps.append(Gap(what, "install them, and write the folder anew"))
    trained = known.report.environment if known.report else {}
    here = {c["name"]: c["version"] for c in packages}
    for name in ("modalloy", "torch"):
        if name in trained and trained[name] != here.get(name):
            what = f"Figures were made with {name} {trained[name]}, and {here.get(name)} is here"
            found.gaps.append(Gap(what, "write the folder where the run was evaluated"))
    rows = [[key.replace("_", " "), str(value)] for key, value in trained.items()]
    rows.append(["seed", str(known.run.job.seed)])
    found.tables.append(Lines("What figures were made with", ("what", "value"), rows))
    if not signed:
        found.gaps.append(Gap("The folder is not signed", "--sign KEY.PEM"))
    return found


def fill(
    part: Path,
    known: Known,
    chapters: list[Chapter],
    bill: dict[str, Any],
    title: str,
    *,
    signed: bool,
) -> None:
    """Write every file of the folder but its seal."""
    identity = known.run.identity
    sealed = f"Signed. {PROVES}" if signed else UNSIGNED
    told = json.dumps(as_json(title, identity, chapters), indent=1, ensure_ascii=False)
    write_safely(part / "index.html", evidence_page(title, identity, chapters).encode())
    write_safely(part / "README.md", evidence_text(title, identity, chapters, sealed).encode())
    write_safely(part / "evidence.json", told.encode())
    write_safely(part / BILL, json.dumps(bill, indent=1, ensure_ascii=False).encode())
    (part / "run").mkdir()
    for name in COPIED:
        if (known.run.path / name).is_file():
            shutil.copyfile(known.run.path / name, part / "run" / name)


def gap_count(chapters: list[Chapter]) -> int:
    """How many gaps there are in all."""
    return sum(len(chapter.gaps) for chapter in chapters)
