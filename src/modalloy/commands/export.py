"""`modalloy export`: writes a bundle of a run, after it has been tried against the run."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

import modalloy
from modalloy.commands.arguments import Adapter, RunFolder, Sheet
from modalloy.commands.terminal import take_cores


def export(
    run: RunFolder,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="BUNDLE", help="File that ends in .zip, or a folder."),
    ],
    backend: Annotated[
        str, typer.Option(help="onnx, openvino (beside onnx), or torch (needs torch to answer).")
    ] = "onnx",
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY.PEM", help="Ed25519 private key to sign it with.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="Write a model server's folder, too: openvino or triton.")
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Rows to try it on; else the run's own.")
    ] = None,
    sheet: Sheet = None,
    adapter: Adapter = None,
    without_rows: Annotated[
        bool,
        typer.Option("--without-rows", help="Keep no rows; other machines then check nothing."),
    ] = False,
) -> None:
    """Write a run as one file that answers without torch.

    It is written only if it decides as the run does; else a page shows the rows that differ.
    """
    from modalloy.bundle.bundled import say_parity

    take_cores()
    given: dict[str, Any] = {"sign": sign, "table": table, "sheet": sheet, "adapter": adapter}
    asked = {"backend": cast("Any", backend), "server": cast("Any", server)}
    made = modalloy.export(run, out, **asked, **given, without_rows=without_rows)
    for line in say_parity(made):
        typer.echo(line)
    typer.echo(f"The bundle is {made.path}; `modalloy predict {made.path} TABLE` answers with it.")
