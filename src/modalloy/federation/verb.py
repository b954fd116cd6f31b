"""The verbs `federate` and `site`: sites that keep their rows learn one model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalloy.errors import JobError
from modalloy.federation.refusals import refuse_names, refuse_strangers, refuse_unused
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.machine.imports import require
from modalloy.table.open_table import open_table
from modalloy.tasks.custom import check_kits

if TYPE_CHECKING:
    from modalloy.runs.run import Run


def federate(
    job: config.Job | Mapping[str, Any] | str | Path,
    *,
    out: str | Path,
    sites: Mapping[str, Any] | None = None,
    superlink: str | None = None,
    certificates: str | Path | None = None,
    count: int = 2,
    wait_s: float = 600.0,
    resume: bool = False,
    quiet: bool = False,
) -> "Run":
    """One model from sites that keep their rows, by the job's `federate` section.

    sites: name -> whatever `open_table` opens; all are simulated in this process, and the same run
    comes out each time. Each gets a run of its own under `out/sites/NAME/run`, with its report.
    superlink: HOST:PORT where sites on other machines join with `modalloy site`, in place of
    `sites`; certificates: folder with `ca.pem`, `server.pem` and `server.key`, made when it is
    empty. count: sites to wait for, at most wait_s seconds. resume: go on where a killed federation
    was.

    The run holds the common model; its page is `out/federate.html`. FederationError where sites do
    not agree or too few can learn; RunError where the folder is used.
    """
    require("flwr", "federated", "learning between sites")
    if (sites is None) is (superlink is None):
        raise JobError(
            "federate: give the sites' tables (--site NAME=TABLE), or --superlink HOST:PORT for "
            "sites on other machines."
        )
    source = None if isinstance(job, config.Job) else job
    loaded = load_job(job)
    check_kits(loaded, source=source)
    if sites is not None:
        return here(loaded, sites, Path(out), resume=resume, quiet=quiet)
    refuse_matched(loaded)
    refuse_unused(loaded)
    if not isinstance(source, str | Path) or certificates is None or superlink is None:
        raise JobError(
            "federate: with --superlink the job must be a file, which sites have too, and "
            "--certificates a folder for the server's certificate."
        )
    from modalloy.federation.between import federate_between

    return federate_between(
        Path(source),
        Path(out),
        address=superlink,
        certificates=Path(certificates),
        sites=count,
        timeout_s=wait_s,
        resume=resume,
    )


def here(
    job: config.Job, sites: Mapping[str, Any], out: Path, *, resume: bool, quiet: bool
) -> "Run":
    """All sites in this process: rounds, or split training where they know the same parts."""
    refuse_names(sites, dots=job.federate.matched is None)
    refuse_strangers(job, sites)
    tables = {name: open_table(t, allow_outside=job.allow_outside) for name, t in sites.items()}
    if job.federate.matched is None:
        refuse_unused(job)
        from modalloy.federation.federate_run import federate_here

        sources = {name: whole(t) for name, t in sites.items()}
        return federate_here(job, tables, out, sources=sources, resume=resume, quiet=quiet)
    if resume:
        raise JobError(
            "federate.matched: split training keeps nothing to go on from; start it again in "
            "another folder, without --resume."
        )
    from modalloy.federation.matched.match_run import match_here

    return match_here(job, tables, out, quiet=quiet)


def whole(table: Any) -> Any:
    """A table's file by its whole path; anything else as it is."""
    known = isinstance(table, str | Path) and Path(table).exists()
    return str(Path(table).resolve()) if known else table


def refuse_matched(job: config.Job) -> None:
    """JobError for split training between machines."""
    if job.federate.matched is not None:
        raise JobError(
            "federate.matched: split training asks each site in every step, and sites on other "
            "machines start a process for each message; give the sites' tables (--site NAME=TABLE)."
        )


def site(
    job: str | Path,
    *,
    table: Any,
    name: str,
    join: str | None = None,
    ca: str | Path | None = None,
    key: str | Path | None = None,
    folder: str | Path | None = None,
    wait_s: float = 600.0,
) -> "Path | dict[str, Any] | None":
    """A plant's end of a federation: it answers the server at `join` until all rounds are done.

    name: what the server calls this site. ca: the certificate that vouches for the server. key:
    this site's private key, where the server knows its public one. folder: what the site must not
    forget, and its run, `NAME.site` otherwise.

    Answers where the site's run is, None where it has no rows to make one of. Without `join`
    nothing is sent: the answer is all that this site would tell of its columns.
    """
    given = load_job(job)
    refuse_names([name])
    refuse_matched(given)
    refuse_unused(given)
    if join is None:
        from modalloy.federation.own_rows import as_the_job, unlike_names
        from modalloy.federation.proposal import propose
        from modalloy.table.split import split_job

        opened = open_table(table, allow_outside=given.allow_outside)
        whole, absent = as_the_job(opened, given, name)
        told = propose(given, whole, split_job(whole, given), absent)
        return {**told, "absent": absent, "said": unlike_names(absent, opened, given)}
    require("flwr", "federated", "learning between sites")
    if ca is None:
        raise JobError(
            "site: --ca is needed: the certificate file that the server's side gave you."
        )
    from modalloy.federation.between import join as take_part

    place = Path(folder) if folder is not None else Path(f"{name}.site")
    return take_part(
        Path(job),
        str(table),
        name,
        place,
        address=join,
        ca=Path(ca),
        key=None if key is None else Path(key),
        timeout_s=wait_s,
    )
