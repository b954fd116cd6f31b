"""The whole way of split training, simulated in this process: rows are matched, sites learn, each
writes its run."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from modalloy.errors import FederationError, RunError
from modalloy.federation.matched.compare import compare
from modalloy.federation.matched.site import MatchedSite
from modalloy.federation.matched.split_server import SplitServer
from modalloy.federation.server import Sites
from modalloy.job import config
from modalloy.runs.run import Run, load_run
from modalloy.table.table import Table

SITES = "sites"  # folder of the runs of sites without the answers, each as SITE/run
Reach = Callable[[Mapping[str, MatchedSite]], Sites]


def match_here(
    job: config.Job, tables: Mapping[str, Table], out: Path, reach: Reach, quiet: bool = False
) -> Run:
    """Learn from the same parts at several sites; the run of the site with the answers.

    It answers rows with the other sites' summaries or without them. Their own runs, which make
    these summaries, lie in `sites/SITE/run`. reach: how the server reaches sites. FederationError
    where rows cannot be matched or a site is lost, RunError where the folder is used.
    """
    start = time.perf_counter()
    if len(tables) < 2:
        raise FederationError("split training needs two sites; give --site NAME=TABLE twice.")
    if (out / "run.json").is_file():
        raise RunError(f"{out}: holds a finished run; give another directory.")

    def tell(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    sites = {n: MatchedSite(n, job, t, out, quiet=quiet) for n, t in sorted(tables.items())}
    for name, site in sites.items():
        site.out = out if site.brings.labels else out / SITES / name / "run"
    server = SplitServer(job, reach(sites), tell)
    server.begin()
    server.run()
    found = server.settle()
    seconds = time.perf_counter() - start
    compared = {}
    if job.federate.compare:
        compared = compare(job, sites, server.label, quiet=quiet)
    figures = {**found["figures"], **compared}
    facts = {"rows_of": found["rows"], "figures": figures, "seconds": seconds}
    server.finish({**facts, "inputs": server.inputs, "options": server.options.model_dump()})
    return load_run(out)
