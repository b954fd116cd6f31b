"""Both ends of a federation between machines, as the processes are called that Flower starts."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from modalloy.errors import FederationError, RunError
from modalloy.federation.federate_run import ROUNDS, refuse_used, tell, write
from modalloy.federation.flower.certificates import make_site_key
from modalloy.federation.flower.orders import read_facts
from modalloy.federation.flower.site_end import ENDED
from modalloy.federation.flower.superlink import serve_federation
from modalloy.federation.flower.supernode import join_federation
from modalloy.federation.plant import Plant
from modalloy.federation.server import Federation
from modalloy.federation.sites import Sites
from modalloy.job.job_file import load_job
from modalloy.runs.run import Run, load_run
from modalloy.table.open_table import open_table

SERVER = "modalloy.federation.between:run_server"
SITE = "modalloy.federation.between:plant_of"


def federate_between(
    job: Path,
    out: Path,
    *,
    address: str,
    certificates: Path,
    sites: int,
    timeout_s: float,
    resume: bool = False,
) -> Run:
    """Serve a federation to sites on other machines until it has ended; the common run.

    address: HOST:PORT that sites call. certificates: see `serve_federation`. sites: how many to
    wait for, at most timeout_s. FederationError where they do not come or do not agree.
    """
    load_job(job)
    refuse_used(out, resume)
    arguments = {"job": str(job.resolve()), "out": str(out.resolve()), "resume": str(int(resume))}
    serve_federation(
        SERVER,
        arguments,
        address=address,
        folder=out.resolve(),
        certificates_folder=certificates.resolve(),
        sites=sites,
        timeout_s=timeout_s,
    )
    return load_run(out)


def run_server(sites: Sites, arguments: Mapping[str, str]) -> None:
    """The server's end, over the sites that have joined."""
    start = time.perf_counter()
    job, out = load_job(Path(arguments["job"])), Path(arguments["out"])
    federation = Federation(job, sites, out / ROUNDS, tell=partial(tell, False))
    if not (arguments["resume"] == "1" and federation.resume()):
        federation.begin()
    federation.run()
    learned_s = time.perf_counter() - start
    found = federation.finish()
    write(federation, found, out, learned_s, time.perf_counter() - start)


def join(
    job: Path,
    table: str,
    name: str,
    folder: Path,
    *,
    address: str,
    ca: Path,
    key: Path | None = None,
    timeout_s: float = 600.0,
) -> Path | None:
    """Take part as a site until the federation has ended; where this site's run is, None where it
    has no rows to make one of.

    folder: of this site: what it must not forget, and its run. key: made where the file is not
    there. See `join_federation`. FederationError where a key was made, which the server must know
    first; RunError where the folder's federation has ended.
    """
    arguments = {
        "job": str(job.resolve()),
        "table": str(Path(table).resolve()) if Path(table).exists() else table,
        "name": name,
        "folder": str(folder.resolve()),
    }
    folder = folder.resolve()
    refuse_ended(folder)
    if key is not None and not key.exists():
        public = make_site_key(key)
        raise FederationError(
            f"{key}: there was no key, and now there is one; give {public} to the server's "
            f"operator, as sites/{name}.pub in the certificates folder there, and start again."
        )
    plant_of(arguments)  # what is wrong with the table is said here, before anybody waits
    given = {"name": name, "address": address, "ca": ca, "folder": folder, "key": key}
    join_federation(SITE, arguments, **given, timeout_s=timeout_s)
    run = folder / "run"
    return run if (run / "run.json").is_file() else None


def refuse_ended(folder: Path) -> None:
    """RunError where a site's federation came to its end: its run is there, and its masks and noise
    are used up."""
    ended = folder / "flower" / ENDED
    if ended.is_file() and not read_facts(ended)["failed"]:
        raise RunError(
            f"{folder}: the federation of this folder has ended; give this site another folder."
        )


def plant_of(arguments: Mapping[str, str]) -> Plant:
    """The site's end that answers one message."""
    job, folder = load_job(Path(arguments["job"])), Path(arguments["folder"])
    table = open_table(arguments["table"], allow_outside=job.allow_outside)
    given = (arguments["name"], job, table, folder / "memory", folder / "run")
    return Plant(*given, source=arguments["table"])
