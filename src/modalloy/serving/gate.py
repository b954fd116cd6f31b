"""The gate in front of every route: who may ask, how much, how fast; and what is written down."""

import asyncio
import logging
import secrets
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modalloy.errors import RequestError
from modalloy.serving.access import (
    Body,
    Rule,
    body_kind,
    refuse_foreign_host,
    refuse_foreign_page,
    rule_for,
)
from modalloy.serving.language import LANGUAGES, TAGS, Language, language_of
from modalloy.serving.plain import as_json, whole
from modalloy.serving.rate import Rate
from modalloy.serving.refusals import refusal_in
from modalloy.serving.service import Service
from modalloy.serving.tokens import Tokens, bearer, refuse_role

STRANGERS = 2.0  # refused tokens a second of one address; more are told to slow down
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
log = logging.getLogger("modalloy.serving")


@dataclass
class Asked:
    """A request on its way. at: when it began, in seconds since 1970; began: the same by a clock
    that is never set. who: the name of its token. size: bytes of its body that have come. facts:
    what a route adds to the line in the audit log.
    """

    id: str
    at: float
    began: float = field(default_factory=time.perf_counter)
    rule: Rule | None = None
    who: str = ""
    language: Language = LANGUAGES[0]
    body: Body | None = None
    size: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


class Gate:
    """Around an app of routes. loopback: only this machine is answered, by its own names. Where the
    deployment has tokens every route but those for anybody needs one.
    """

    def __init__(self, app: ASGIApp, service: Service, tokens: Tokens, *, loopback: bool) -> None:
        self.app, self.service, self.tokens, self.loopback = app, service, tokens, loopback
        self.rate, self.strangers = Rate(service.limits.rate), Rate(STRANGERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the app."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks by sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        asked = Asked(secrets.token_hex(8), time.time())
        asked.language = language_of(Headers(scope=scope).get("accept-language"))
        scope["asked"] = asked
        out = Out(self.service, asked, scope, send)
        try:
            self.admit(asked, scope)
            await self.app(scope, self.bounded(asked, receive), out.send)
        except RequestError as error:
            await out.refuse(error)
        except Exception as error:
            log.error("request %s: %s", asked.id, where_it_was(error))
            await out.refuse(failed(asked))

    def admit(self, asked: Asked, scope: Scope) -> None:
        """Look at everything but the body; RequestError where the request goes no further."""
        headers = Headers(scope=scope)
        client = (scope.get("client") or ("unknown",))[0]
        if self.loopback:
            refuse_foreign_host(headers.get("host"))
        try:
            asked.rule = rule = rule_for(scope["method"], scope["path"])
            if rule.role is not None and (not self.loopback or self.tokens.all()):
                self.know(asked, rule, headers.get("authorization"), client)
        except RequestError:
            self.rate.take(client)
            raise
        self.rate.take(asked.who or client)
        if rule.method == "POST":
            site = headers.get("sec-fetch-site")
            refuse_foreign_page(headers.get("host"), headers.get("origin"), site)
        asked.body = body_kind(rule, headers.get("content-type"))
        length = headers.get("content-length", "")
        if length:
            size = whole(length)
            self.refuse_size(rule, sys.maxsize if size is None else size)

    def know(self, asked: Asked, rule: Rule, header: str | None, client: str) -> None:
        """Find out whose token it is; RequestError: 401 for none that we know, 403, 429."""
        text = bearer(header)
        token = self.tokens.of(text)
        if token is None:
            self.strangers.take(client)
            raise RequestError("this token is none of this service.", 401)
        asked.who = token.name
        refuse_role(token, rule.role or "admin")

    def refuse_size(self, rule: Rule, size: int) -> None:
        """RequestError (413) for a body that is too large."""
        limits = self.service.limits
        most = limits.upload_bytes if rule.upload else limits.body_bytes if rule.bodies else 0
        if size > most:
            most_mb = f"{most / 2**20:g} MB" if most else "none"
            raise RequestError(f"the body is too large; at most {most_mb} is read here.", 413)

    def bounded(self, asked: Asked, receive: Receive) -> Receive:
        """The same messages; RequestError where the body grows too large (413) or is late (408)."""
        assert asked.rule is not None, "it was admitted"
        rule, done = asked.rule, False
        limit_s = self.service.limits.body_s
        last = time.monotonic() + limit_s

        async def some() -> Message:
            nonlocal done
            if done:  # from here on only the end of the connection is waited for
                return await receive()
            try:
                async with asyncio.timeout(max(0.0, last - time.monotonic())):
                    message = await receive()
            except TimeoutError as error:
                what = f"the body did not arrive within {limit_s:g} s."
                raise RequestError(what, 408) from error
            asked.size += len(message.get("body", b""))
            self.refuse_size(rule, asked.size)
            done = not message.get("more_body", False)
            return message

        return some


class Out:
    """What goes back: with the headers of every answer, and written down before it goes."""

    def __init__(self, service: Service, asked: Asked, scope: Scope, send: Send) -> None:
        self.service, self.asked, self.scope, self._send = service, asked, scope, send
        self.started, self.ended, self.dropped = False, False, False

    async def send(self, message: Message) -> None:
        """One message of an answer."""
        if self.dropped:
            return
        if message["type"] == "http.response.start":
            try:
                self.note(message["status"])
            except RequestError as error:
                self.dropped = True
                await self.write(error)
                return
            self.started = True
            given = {k.lower() for k, _ in message["headers"]}
            own = {**HEADERS, "x-request-id": self.asked.id}
            extra = [(k.encode(), v.encode()) for k, v in own.items() if k.encode() not in given]
            message = {**message, "headers": [*message["headers"], *extra]}
        await self._send(message)

    async def refuse(self, error: RequestError) -> None:
        """Answer with a sentence, unless an answer is on its way already."""
        if self.started or self.dropped:
            return
        try:
            self.note(error.status)
        except RequestError as full:
            error = full
        await self.write(error)

    def note(self, status: int) -> None:
        """Count and write down a request; RequestError (507) where the disk is full."""
        asked, rule = self.asked, self.asked.rule
        route = "none" if rule is None else rule.path
        took_s = time.perf_counter() - asked.began
        metrics = self.service.metrics
        metrics.requests.labels(route, str(status)).inc()
        metrics.seconds.labels(route).observe(took_s)
        if rule is not None and not rule.audited:
            return
        client = (self.scope.get("client") or ("unknown",))[0]
        line = {"at": asked.at, "request": asked.id, "who": asked.who, "client": client}
        line |= {"method": self.scope["method"], "route": route, "status": status}
        self.service.audit.write({**line, "ms": round(1000 * took_s, 3), **asked.facts})

    async def write(self, error: RequestError) -> None:
        """An error as an answer of its own."""
        status, headers, body = error_answer(error, self.asked)
        own = {**HEADERS, **headers, "x-request-id": self.asked.id}
        raw = [(k.encode(), v.encode()) for k, v in own.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})


def error_answer(error: RequestError, asked: Asked) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an error: one sentence in the language of who asked, and by which
    number to ask for it.
    """
    said = str(error)
    said += "" if said.endswith((".", "?")) else "."  # what other libraries said may stand last
    said, language = refusal_in(asked.language, said)
    body = as_json({"error": said, "request": asked.id})
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers["content-language"] = TAGS[language]
    if error.retry_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_s + 0.5)))
    if error.status == 401:
        headers["www-authenticate"] = 'Bearer realm="modalloy"'
    if error.status == 405 and asked.rule is None:
        headers["allow"] = "GET, POST"
    return error.status, headers, body


def failed(asked: Asked) -> RequestError:
    """What a client is told of a fault of ours."""
    return RequestError(f"the service failed; its log says where, under {asked.id}.", 500)


def where_it_was(error: BaseException) -> str:
    """The kind of an error and its place, without its text, which may hold cells or tokens."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__} at {places}"
