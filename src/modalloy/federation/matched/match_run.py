"""The whole way of split training, simulated in this process: rows are matched, sites learn, each
writes its run."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from modalloy.errors import FederationError, RunError
from modalloy.federation.federate_run import SITES, tell
from modalloy.federation.matched.compare import compare
from modalloy.federation.matched.page import write_page
from modalloy.federation.matched.site import MatchedSite
from modalloy.federation.matched.split_server import SplitServer
from modalloy.federation.sites import Sites
from modalloy.job import config
from modalloy.machine.imports import require
from modalloy.runs.run import Run, load_run
from modalloy.table.table import Table

Reach = Callable[[Mapping[str, MatchedSite]], Sites]


def match_here(
    job: config.Job,
    tables: Mapping[str, Table],
    out: Path,
    *,
    reach: Reach | None = None,
    quiet: bool = False,
) -> Run:
    """Learn from the same parts at several sites; the run of the site with the answers.

    It answers rows with the other sites' summaries or without them. Their own runs, which make
    these summaries, lie in `sites/SITE/run`. reach: how the server reaches sites, Flower's messages
    by default. FederationError where rows cannot be matched or a site is lost, RunError where the
    folder is used.
    """
    start = time.perf_counter()
    if len(tables) < 2:
        raise FederationError("split training needs two sites; give --site NAME=TABLE twice.")
    if (out / "run.json").is_file():
        raise RunError(f"{out}: holds a finished run; give another directory.")

    sites = {n: MatchedSite(n, job, t, out, quiet=quiet) for n, t in sorted(tables.items())}
    for name, site in sites.items():
        site.out = out if site.brings.labels else out / SITES / name / "run"
        if (site.out / "run.json").is_file():
            raise RunError(f"{site.out}: holds a finished run; give another directory.")
    server = SplitServer(job, (reach or in_process)(sites), partial(tell, quiet))
    server.begin()
    server.run()
    server.settle()
    seconds = time.perf_counter() - start
    if job.federate.compare:
        sites[server.label].figures |= compare(job, sites, server.label, quiet=quiet)
    server.finish(seconds)
    run = load_run(out)
    write_page(run)
    return run


def in_process(sites: Mapping[str, MatchedSite]) -> Sites:
    """Sites of this process behind a Flower grid."""
    require("flwr", "federated", "learning between sites")
    from modalloy.federation.flower.in_process import InProcessSites

    return InProcessSites(sites)
