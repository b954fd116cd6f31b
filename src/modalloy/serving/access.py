"""The one table of routes: what each needs of who asks. What is not listed is denied."""

import re
from typing import Literal, NamedTuple

from modalloy.errors import RequestError
from modalloy.serving.tokens import Role

Body = Literal["json", "form", "csv", "parquet"]
TYPES: dict[str, Body] = {
    "application/json": "json",
    "multipart/form-data": "form",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/parquet": "parquet",
}
FILES = {  # of the page, each with its type
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        ("page.js", "base.js", "ask.js", "review.js", "live.js"),
        "text/javascript",
    ),
}
LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)


class Rule(NamedTuple):
    """role: that a token needs; None for what anybody may ask. bodies: kinds that are read.
    upload: whether the body may be as large as a table. audited: whether it is written down.
    """

    method: Literal["GET", "POST"]
    path: str
    role: Role | None
    bodies: tuple[Body, ...] = ()
    upload: bool = False
    audited: bool = True

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches the paths of this route."""
        return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.path)))


ROUTES: tuple[Rule, ...] = (
    Rule("GET", "/health", None, audited=False),
    Rule("GET", "/ready", None, audited=False),
    Rule("GET", "/v2/health/live", None, audited=False),
    Rule("GET", "/v2/health/ready", None, audited=False),
    Rule("GET", "/metrics", "read", audited=False),
    Rule("GET", "/openapi.json", "read"),
    Rule("GET", "/model", "read"),
    Rule("GET", "/v2", "read"),
    Rule("GET", "/v2/models/{name}", "read"),
    Rule("GET", "/v2/models/{name}/ready", "read"),
    Rule("POST", "/predict", "predict", ("json", "form")),
    Rule("POST", "/v2/models/{name}/infer", "predict", ("json",)),
    Rule("POST", "/batch", "predict", ("csv", "parquet"), upload=True),
    Rule("POST", "/search", "predict", ("json",)),
    Rule("POST", "/explain", "predict", ("json",)),
    Rule("POST", "/feedback", "label", ("json",)),
    Rule("POST", "/rollback", "admin", ("json",)),
    # The page: its frame and files hold nothing secret; what it shows it asks for with a token.
    Rule("GET", "/", None),
    *(Rule("GET", f"/static/{name}", None, audited=False) for name in FILES),
    Rule("GET", "/page/form", "read"),
    Rule("GET", "/page/live", "read", audited=False),
    Rule("GET", "/page/queue", "label"),
    Rule("POST", "/page/answer", "predict", ("json",)),
    Rule("POST", "/page/why", "predict", ("json",)),
    Rule("POST", "/page/alike", "predict", ("json",)),
    Rule("POST", "/page/report", "read"),
    Rule("GET", "/page/report/{ticket}", None),
)
PATTERNS = tuple((rule, rule.pattern) for rule in ROUTES)


def rule_for(method: str, path: str) -> Rule:
    """What a request needs; RequestError: 404 for a path of no route, 405 for another method."""
    found = [rule for rule, pattern in PATTERNS if pattern.fullmatch(path)]
    if not found:
        raise RequestError("there is no such route; /openapi.json lists them.", 404)
    for rule in found:
        if rule.method == method:
            return rule
    methods = ", ".join(rule.method for rule in found)
    raise RequestError(f"this route takes {methods} alone.", 405)


def body_kind(rule: Rule, content_type: str | None) -> Body | None:
    """What the body of a request is; RequestError (415) for a kind that the route does not read.

    A page of another site cannot send JSON or a table without asking first, which no route allows.
    """
    if not rule.bodies:
        return None
    kind = TYPES.get((content_type or "").partition(";")[0].strip().lower())
    if kind not in rule.bodies:
        names = " or ".join(name for name, body in TYPES.items() if body in rule.bodies)
        raise RequestError(f"send {names}, and say so in the header Content-Type.", 415)
    return kind


def refuse_foreign_host(host: str | None) -> None:
    """RequestError (421) where a request to this machine alone was meant for another name: a name
    that some site has let lead here.
    """
    if LOCAL.fullmatch(host or "") is None:
        raise RequestError("this service answers on this machine alone; ask 127.0.0.1.", 421)


def refuse_foreign_page(host: str | None, origin: str | None, site: str | None) -> None:
    """RequestError (403) for what a browser sends for a page of another origin."""
    foreign = origin is not None and origin.partition("://")[2] != (host or "")
    if foreign or site in ("cross-site", "same-site"):
        raise RequestError("a page of another origin may not send this.", 403)
