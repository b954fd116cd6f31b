"""`modalloy serve`: answers rows over HTTP, and makes the tokens for it."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import Live, RunOrBundle, Trust
from modalloy.commands.terminal import take_cores

TokenFor = Annotated[
    str | None,
    typer.Option("--token", metavar="ROLE", help="Make a token: read, predict, label or admin."),
]
Revoke = Annotated[
    str | None, typer.Option("--revoke", metavar="NAME", help="Let a token be of no use any more.")
]


Host = Annotated[
    str, typer.Option("--host", help="Address; others than this machine's need a token.")
]
Port = Annotated[int, typer.Option("--port", help="Port; 0 for any that is free.")]
KeepNothing = Annotated[
    bool, typer.Option("--keep-nothing", help="Keep no rows, answers and labels.")
]
Unit = Annotated[
    Path | None,
    typer.Option("--unit", metavar="DIR", help="Write systemd's files for it, serve nothing."),
]
AuditCells = Annotated[bool, typer.Option("--audit-cells", help="Write cells into the audit log.")]
Batch = Annotated[int, typer.Option("--batch", help="Rows answered together at most.")]
Deadline = Annotated[float, typer.Option("--deadline", help="Seconds to an answer.")]
Rows = Annotated[int, typer.Option("--rows", help="Rows of one request.")]
BodyMb = Annotated[float, typer.Option("--body-mb", help="Size of one request.")]
Rate = Annotated[float, typer.Option("--rate", help="Requests a second of one client.")]
Certificate = Annotated[
    Path | None, typer.Option("--certificate", metavar="PEM", help="To answer by HTTPS.")
]
Key = Annotated[
    Path | None, typer.Option("--key", metavar="PEM", help="Private key of the certificate.")
]
Follow = Annotated[
    Path | None,
    typer.Option("--follow", metavar="DIR", help="Answer files of this folder, too."),
]
Mqtt = Annotated[
    str | None,
    typer.Option("--mqtt", metavar="URL", help="Answer messages, too: mqtt://host/topic."),
]
MqttPassword = Annotated[
    Path | None, typer.Option("--mqtt-password", metavar="FILE", help="The broker's password.")
]


def serve(
    run: RunOrBundle,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    live: Live = None,
    token: TokenFor = None,
    revoke: Revoke = None,
    keep_nothing: KeepNothing = False,
    unit: Unit = None,
    audit_cells: AuditCells = False,
    batch: Batch = 64,
    deadline: Deadline = 30.0,
    rows: Rows = 1000,
    body_mb: BodyMb = 32.0,
    rate: Rate = 2000.0,
    certificate: Certificate = None,
    key: Key = None,
    trust: Trust = None,
    follow: Follow = None,
    mqtt: Mqtt = None,
    mqtt_password: MqttPassword = None,
) -> None:
    """Answer rows over HTTP, on this machine alone unless told otherwise.

    With --token or --revoke nothing is served: a token is made and shown once, or removed. With
    --unit a folder gets the files by which systemd serves it, and refreshes it where that is due.
    """
    if token is not None or revoke is not None:
        change_tokens(run, live, token, revoke)
        return
    if unit is not None:
        tell_units(run, live, unit, ["--host", host, "--port", str(port)])
        return
    take_cores(run)
    limits = {"batch": batch, "deadline_s": deadline, "rows": rows, "body_mb": body_mb}
    modalloy.serve(
        run,
        host=host,
        port=port,
        live=live,
        keep_rows=not keep_nothing,
        audit_cells=audit_cells,
        limits=limits | {"rate": rate},
        certificate=certificate,
        key=key,
        trust=trust,
        follow=follow,
        mqtt=mqtt,
        mqtt_password=mqtt_password,
        tell=typer.echo,
    )


def change_tokens(run: Path, live: Path | None, role: str | None, revoked: str | None) -> None:
    """Make a token and show it, or remove one."""
    from modalloy.serving.tokens import make_token, revoke_token

    if role is not None:
        name, text = make_token(run, live, role)
        typer.echo(text)
        typer.echo(f"It is called {name}, and shown this once: only its hash is kept.", err=True)
    if revoked is not None:
        revoke_token(run, live, revoked)
        typer.echo(f"The token {revoked} is of no use any more.")


def tell_units(run: Path, live: Path | None, folder: Path, serving: list[str]) -> None:
    """Write the files for systemd, and say how they come to work."""
    from modalloy.deployment.deployment import Deployment
    from modalloy.watching.unit_files import write_units

    place = Deployment.of(run, live).path
    command = shutil.which("modalloy") or str(Path(sys.executable).with_name("modalloy"))
    made = write_units(run, place, folder, command=command, serving=serving)
    for path in made:
        typer.echo(str(path))
    typer.echo("Put them into /etc/systemd/system, then: systemctl enable --now NAME, of each.")
