"""What split training is compared with, where all tables are here: one table with all columns, and
each site's columns alone."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.network import answer_rows
from modalloy.federation.matched.site import MatchedSite
from modalloy.federation.own_rows import answers_in, cells_of, column_of, numbers_in
from modalloy.federation.site_run import gains, names_in, network_answers, told
from modalloy.job import config
from modalloy.job.federated import Federate
from modalloy.job.inputs import input_columns, kept_together
from modalloy.learn.training import Learned, learn_job
from modalloy.table.open_table import open_table
from modalloy.table.table import Table


def joined(job: config.Job, sites: Mapping[str, MatchedSite], label: str) -> Table:
    """The common rows with every site's columns, in the common order; files by whole paths."""
    side = sites[label].above()
    tables = {label: side.table}
    for name, site in sites.items():
        if site.features is not None:
            tables[name] = site.features.table
    wanted = {c for some in input_columns(job).values() for c in some}
    wanted |= {*answers_in(job), *kept_together(job)}
    cells, numbers = {}, numbers_in(job)
    for column in sorted(wanted):
        owner = next(n for n, t in tables.items() if has(sites[n], column))
        table = tables[owner]
        cells[column] = column_of(cells_of(table, column, number=column in numbers))
    return open_table(pa.table(cells), allow_outside=True)


def has(site: MatchedSite, column: str) -> bool:
    """Whether a site's own table has a column."""
    return column not in site.absent and column in site.table.columns


def compare(
    job: config.Job, sites: Mapping[str, MatchedSite], label: str, *, quiet: bool
) -> dict[str, Any]:
    """Figures on the same test rows of networks that learned from one table of all columns
    (`joined`) and from each site's columns alone, with the answers; `behind`: what split training
    gains over the first, `gain`: over the site with the answers alone."""
    side, loader = sites[label].above(), sites[label].settled
    assert loader is not None, "the server settles first"
    test = side.parts.test
    if not len(test):
        return {}
    table = joined(job, sites, label)
    split = answer_rows(side.model, loader, test).seen[EVERYTHING]
    found: dict[str, Any] = {"alone": {}}
    ways = {"": tuple(input_columns(job))} | {n: s.brings.inputs for n, s in sites.items()}
    for name, inputs in ways.items():
        if not inputs:
            continue
        learned = learn_from(job, table, sites[label], inputs, quiet=quiet)
        said = network_answers(learned.model, learned.loader, test)
        figures = told(learned.loader, test, said)
        paired = (loader, test, said, split, names_in(learned.loader))
        if not name:
            found |= {"joined": figures, "behind": gains(*paired)}
        else:
            found["alone"][name] = figures
            if name == label:
                found["gain"] = gains(*paired)
    return found


def learn_from(
    job: config.Job,
    table: Table,
    site: MatchedSite,
    inputs: tuple[str, ...],
    *,
    quiet: bool,
) -> Learned:
    """A network that learned from some inputs of the joined table, on the same parts."""
    gone = set(input_columns(job)) - set(inputs)
    settings = job.train.model_copy(
        update={"folds": 0, "refit": False, "epochs": site.above().way.epochs}
    )
    job = job.model_copy(
        update={
            "columns": {n: o for n, o in job.columns.items() if n not in gone},
            "train": settings,
            "federate": Federate(),
            "allow_outside": True,
        }
    )
    folder = Path(tempfile.mkdtemp(prefix="modalloy-joined-"))
    try:
        return learn_job(job, table, site.above().whole, out=folder, quiet=quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
