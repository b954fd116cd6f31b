"""Serves a run or bundle: a deployment beside it, an app in front of it, a server around that."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from modalloy.deployment.deployment import Deployment
from modalloy.errors import JobError, RunError
from modalloy.machine.files import locked
from modalloy.serving.app import build_app
from modalloy.serving.limits import Limits
from modalloy.serving.patience import HEADING, patient_protocol
from modalloy.serving.refreshing import refreshing
from modalloy.serving.service import Beside, Service
from modalloy.serving.sources import Sources
from modalloy.serving.tokens import Tokens

LOCK = "serving.lock"
GRACE_S = 30  # that requests may take once the service is told to end


def serve_run(
    model: Path,
    live: Path | None,
    *,
    host: str,
    port: int,
    limits: Limits,
    keep_rows: bool,
    audit_cells: bool,
    certificate: Path | None,
    key: Path | None,
    trust: Path | None,
    sources: Sources = Sources(),  # noqa: B008 it is a tuple
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Serve until the process is told to end; see `verbs.serve`. tell: says where it answers, and
    what is wrong with followed files.
    """
    sources.check()
    deployment = Deployment.of(model, live)
    tokens = Tokens(deployment.path)
    loopback = is_loopback(host)
    refuse_open(tokens, host, loopback=loopback)
    refuse_half(certificate, key)
    refusal = f"{deployment.path}: is served by another process already; end it, or give --live."
    with locked(deployment.path / LOCK, refusal), listening(host, port) as listener:
        given = {"keep_rows": keep_rows, "audit_cells": audit_cells, "trust": trust}
        beside: list[Beside] = [*sources.followers(deployment.path, tell)]
        beside += refreshing(deployment, model, tell, keep_rows=keep_rows)
        service = Service(deployment, limits, **given, beside=beside)
        app = build_app(service, tokens, loopback=loopback)
        config = uvicorn.Config(
            app,
            log_level=logging.WARNING,
            access_log=False,
            lifespan="on",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
            http=patient_protocol(limits),
            h11_max_incomplete_event_size=HEADING,
            ws="none",
            ssl_certfile=None if certificate is None else str(certificate),
            ssl_keyfile=None if key is None else str(key),
        )
        for line in sources.told():
            tell(line)
        for line in welcome(service, listener, host, secure=certificate is not None):
            tell(line)
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def welcome(service: Service, listener: socket.socket, host: str, *, secure: bool) -> list[str]:
    """What a person is told when the service begins."""
    port, scheme = listener.getsockname()[1], "https" if secure else "http"
    name = f"[{host}]" if ":" in host else host
    version = service.model.version
    lines = [f"{service.model.name}, version {version.number}, answers at {scheme}://{name}:{port}"]
    if not secure and not is_loopback(host):
        lines.append(
            "Without --certificate tokens and rows cross the network as they are; give one, or put "
            "a proxy that speaks TLS in front."
        )
    if service.rows is not None:
        kept = service.deployment.path
        lines.append(f"Rows and answers are kept in {kept}; --keep-nothing leaves them out.")
    return lines


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open(tokens: Tokens, host: str, *, loopback: bool) -> None:
    """JobError for an address that others reach, while nobody needs a token."""
    if not loopback and not tokens.all():
        raise JobError(
            f"serve: {host} is reached by other machines, and there is no token yet. Make one with "
            "`modalloy serve RUN --token predict`, or serve at 127.0.0.1."
        )


def refuse_half(certificate: Path | None, key: Path | None) -> None:
    """JobError for a certificate without its key, and the other way round, and for no such file."""
    if (certificate is None) != (key is None):
        raise JobError("serve: --certificate and --key go together; give both.")
    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise JobError(f"serve: {path}: no such file.")


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; RunError where the address is taken or not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, each connection sends at once: otherwise answers wait 40 ms for an
    # acknowledgement of their heading.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:  # a port beyond 65535 overflows
        listener.close()
        why = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise RunError(
            f"serve: {host} port {port} cannot be had ({why}); give another --port or --host."
        ) from error
    return listener
