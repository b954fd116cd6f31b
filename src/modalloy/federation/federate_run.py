"""The whole way of `federate`: sites agree and learn together, each gets its run; one report."""

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.checks.finding import finding
from modalloy.errors import FederationError, RunError
from modalloy.federation.page import write_page
from modalloy.federation.plant import Plant
from modalloy.federation.pooled import pooled
from modalloy.federation.server import Federation
from modalloy.federation.site_run import gains, names_in, network_answers, say_privacy, told
from modalloy.federation.sites import Sites
from modalloy.federation.travelling import take_weights
from modalloy.job import config
from modalloy.learn.adapting import end_adapted
from modalloy.learn.run_lock import claim
from modalloy.learn.training import learn_job
from modalloy.machine.imports import require
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.runs.saving import save_run
from modalloy.table.split import Parts
from modalloy.table.table import Table

ROUNDS, SITES = "rounds", "sites"  # folders of a federation: the server's, and one for each site
Reach = Callable[[Mapping[str, Plant]], Sites]


# Facts of a site's end that are worth a sentence, and what did not come about there.
NOT_DONE = {
    "alone_failed": "nothing was learned from its rows alone to compare with",
    "bundle_failed": "no bundle was written",
}


def federate_here(
    job: config.Job,
    tables: Mapping[str, Table],
    out: Path,
    *,
    reach: Reach | None = None,
    sources: Mapping[str, Any] | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Run:
    """Simulate a federation of these tables in this process; the common run, with the sites' runs
    under `sites/`.

    sources: where each table comes from, as its site's run names it.
    reach: how the server reaches the plants, Flower's messages by default. FederationError where
    sites do not agree or too few can learn; RunError where the folder is used.
    """
    start = time.perf_counter()
    if len(tables) < 2:
        raise FederationError("a federation needs two sites or more; give --site NAME=TABLE twice.")
    refuse_used(out, resume)
    plants = {
        name: Plant(
            name,
            job,
            table,
            out / SITES / name / "memory",
            out / SITES / name / "run",
            quiet=quiet,
            source=(sources or {}).get(name),
        )
        for name, table in sorted(tables.items())
    }
    sites = in_process(plants) if reach is None else reach(plants)
    federation = Federation(job, sites, out / ROUNDS, tell=partial(tell, quiet))
    if not (resume and federation.resume()):
        federation.begin()
    learned_s = time.perf_counter()
    federation.run()
    learned_s = time.perf_counter() - learned_s
    found = federation.finish()
    if job.federate.compare:
        compare_central(job, plants, found, out, quiet=quiet)
    return write(federation, found, out, learned_s, time.perf_counter() - start)


def in_process(plants: Mapping[str, Plant]) -> Sites:
    """Plants of this process behind a Flower grid."""
    require("flwr", "federated", "learning between sites")
    from modalloy.federation.flower.in_process import InProcessSites

    return InProcessSites(plants)


def refuse_used(out: Path, resume: bool) -> None:
    """RunError where the folder holds a run, or the rounds of a federation nobody asks to go on."""
    if (out / "run.json").is_file():
        raise RunError(f"{out}: holds a finished run; give another directory.")
    if (out / ROUNDS).is_dir() and not resume:
        raise RunError(
            f"{out}: holds a federation that was interrupted; go on with --resume, or give another "
            "directory."
        )


def tell(quiet: bool, text: str) -> None:
    """Say something at the terminal."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def compare_central(
    job: config.Job,
    plants: Mapping[str, Plant],
    found: dict[str, dict[str, Any]],
    out: Path,
    *,
    quiet: bool,
) -> None:
    """Train one network on all rows in one table, and add its figures on each site's test rows."""
    opened = {s: p.ready() for s, p in plants.items()}
    parts = {s: some for s, (_, _, some) in opened.items()}
    table, whole = pooled(job, {s: p.table for s, p in plants.items()}, parts)
    own = {"folds": 0, "refit": False}
    job = job.model_copy(update={"train": job.train.model_copy(update=own), "allow_outside": True})
    learned = learn_job(job, table, whole, out=out / ROUNDS / "central", quiet=quiet)
    for site, plant in plants.items():
        test = parts[site].test
        if not len(test) or site not in found:
            continue
        loader = Loader(plant.table, job, learned.loader.readers, learned.loader.targets)
        central = network_answers(learned.model, loader, test)
        found[site]["central"] = told(loader, test, central)
        model, known, _ = opened[site]
        common = network_answers(model, known, test)
        found[site]["behind"] = gains(known, test, central, common, names_in(learned.loader))


def write(
    federation: Federation,
    found: Mapping[str, dict[str, Any]],
    out: Path,
    learned_s: float,
    seconds: float,
) -> Run:
    """The common run, its notes and the page."""
    job, model = federation.job, federation.model
    assert model is not None
    take_weights(model, federation.best)
    adapted = end_adapted(model)
    for site, own in found.items():
        for fact, what in NOT_DONE.items():
            if own.get(fact):
                federation.note(f"{site}: {what}: {own[fact]}")
    note = {
        "sites": {s: {**federation.rows[s], **own} for s, own in found.items()},
        "rounds": federation.history,
        "best": federation.best_round,
        "said": federation.said,
        "bytes": {"up": federation.up, "down": federation.down},
        "seconds": {"rounds": learned_s, "all": seconds},
        "weights": int(sum(x.size for x in federation.best.values())),
        "options": job.federate.model_dump(mode="json"),
        "privacy": federation.privacy,
    }
    notes: dict[str, Any] = {
        "federated": note,
        "seconds": {"training": learned_s},
        "findings": [
            finding("note", "federate", text).as_dict()
            for text in [*federation.said, *say_privacy(federation.privacy)]
        ],
    }
    if adapted is not None:
        notes["adapted"] = adapted
    with claim(out, resume=True):
        save_prints(out, Parts(*(np.zeros(0, np.uint64) for _ in range(4))))
        run = save_run(out, job, model.readers, model.targets, model, notes, decimal=".")
    write_page(run)
    return run
