"""`modalloy compress`: searches for the fastest bundle of a run that keeps its promise."""

from pathlib import Path
from typing import Annotated, Any

import typer

import modalloy
from modalloy.commands.arguments import Adapter, RunFolder, Sheet
from modalloy.commands.terminal import take_cores


def compress(
    run: RunFolder,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="BUNDLE", help="File (.zip) or folder to write."),
    ],
    table: Annotated[
        str | None, typer.Option("--table", help="Labelled rows to guard by; else the run's own.")
    ] = None,
    profile: Annotated[
        str, typer.Option(help="latency, throughput, size, or exact: same decisions.")
    ] = "latency",
    max_loss: Annotated[float, typer.Option(help="Points that a task may lose.")] = 0.5,
    minutes: Annotated[
        float | None, typer.Option(help="After which nothing new begins; tries smaller networks.")
    ] = None,
    sign: Annotated[
        Path | None, typer.Option("--sign", metavar="KEY", help="Ed25519 private key (PEM).")
    ] = None,
    sheet: Sheet = None,
    adapter: Adapter = None,
) -> None:
    """Search for the fastest bundle that keeps a promise.

    Every engine and number type that is here is built, timed beside the run and judged on
    held-back rows; BUNDLE.compress.html shows every one with its verdict.
    """
    from modalloy.deploy.compressed_page import pages_of
    from modalloy.deploy.compressed_report import say_changes

    take_cores()
    asked: dict[str, Any] = {"profile": profile, "max_loss": max_loss, "minutes": minutes}
    made = modalloy.compress(
        run, out=out, table=table, sheet=sheet, sign=sign, adapter=adapter, **asked
    )
    typer.echo(say_changes(made))
    typer.echo(
        f"\nThe bundle is {made.path}; `modalloy predict {made.path} TABLE` answers with it."
    )
    typer.echo(f"Every candidate is on {pages_of(made.path)[0]}; open it in a browser.")
