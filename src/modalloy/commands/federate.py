"""`modalloy federate`: one model from sites that keep their rows."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import JobFile
from modalloy.commands.terminal import take_cores
from modalloy.errors import JobError


def federate(
    job: JobFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Folder to write.")],
    sites: Annotated[
        list[str] | None,
        typer.Option("--site", metavar="NAME=TABLE", help="A site to simulate; once a site."),
    ] = None,
    superlink: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where sites on other machines join instead."),
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With ca.pem, server.pem, server.key; made if empty."),
    ] = None,
    count: Annotated[int, typer.Option(help="Sites to wait for, with --superlink.")] = 2,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long for them.")] = 600.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was killed.")] = False,
) -> None:
    """Learn one model from sites that keep their rows.

    What they learned travels, by the job's `federate` section. The page is RUN/federate.html: each
    site alone, federated and central, rounds, bytes and seconds.
    """
    from modalloy.federation.matched.page import in_words as split_in_words
    from modalloy.federation.page import PAGE, in_words

    take_cores()
    given = {"superlink": superlink, "certificates": certificates, "count": count, "wait_s": wait}
    made = modalloy.federate(
        job, out=out, sites=tables(sites) if sites else None, resume=resume, **given
    )
    typer.echo(split_in_words(made) if "matched" in made.notes else in_words(made))
    typer.echo(f"\nThe run is {made.path}, its page {made.path / PAGE}.")


def tables(given: list[str]) -> dict[str, str]:
    """Tables by site from `NAME=TABLE`; a sentence where one is not written so, or a name twice."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, table = text.partition("=")
        if not equals or not name.strip() or not table.strip():
            raise JobError(f"--site: write NAME=TABLE such as A=a.parquet, not '{text}'.")
        if name.strip() in found:
            raise JobError(f"--site: two sites are named '{name.strip()}'.")
        found[name.strip()] = table.strip()
    return found
