"""Bearer tokens of a deployment: made once, shown once, kept as hashes."""

import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from modalloy.deployment.deployment import Deployment
from modalloy.errors import JobError, RequestError, RunError
from modalloy.machine.files import locked, write_safely

Role = Literal["read", "predict", "label", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may
FILE = "tokens.json"
BYTES = 32  # of chance in a token; so many need no slow hash


class Token(NamedTuple):
    """A token as it is kept. name: how logs call it. sha256: of the token itself."""

    name: str
    role: Role
    sha256: str
    at: float


class Tokens:
    """The tokens in a deployment's folder; read anew when the file has changed."""

    def __init__(self, live: Path) -> None:
        self.path = live / FILE
        self._seen: tuple[int, int] | None = None
        self._kept: list[Token] = []

    def all(self) -> list[Token]:
        """Every token; RunError where the file is damaged."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return []
        now = (stat.st_mtime_ns, stat.st_ino)
        if now != self._seen:
            self._kept, self._seen = self._read(), now
        return self._kept

    def add(self, role: str) -> tuple[Token, str]:
        """A new token and its text, which is kept nowhere."""
        if role not in ROLES:
            raise JobError(f"serve: '{role}' is no role; a token is for {', '.join(ROLES)}.")
        text = f"ma_{secrets.token_urlsafe(BYTES)}"
        with self._held():
            kept = self._read() if self.path.exists() else []
            name = f"{role}-{secrets.token_hex(3)}"
            made = Token(name, role, hash_of(text), time.time())
            self._write([*kept, made])
        return made, text

    def remove(self, name: str) -> Token:
        """Let a token be of no use any more; RunError for one that there is not."""
        with self._held():
            kept = self._read() if self.path.exists() else []
            gone = [t for t in kept if t.name == name]
            if not gone:
                has = ", ".join(t.name for t in kept) or "none"
                raise RunError(f"{self.path}: has no token '{name}'; it has {has}.")
            self._write([t for t in kept if t.name != name])
        return gone[0]

    def of(self, text: str) -> Token | None:
        """The token of this text. Every kept one is compared, in the same time whichever fits."""
        given, found = hash_of(text), None
        for token in self.all():
            if hmac.compare_digest(token.sha256, given):
                found = token
        return found

    def _held(self) -> Any:
        refusal = f"{self.path}: another process is writing it; try again."
        return locked(self.path.with_name(FILE + ".lock"), refusal, patience_s=5.0)

    def _read(self) -> list[Token]:
        try:
            return [Token(**one) for one in json.loads(self.path.read_bytes())["tokens"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.path}: cannot be read as a file of tokens; remove it and make new ones."
            ) from error

    def _write(self, tokens: list[Token]) -> None:
        data = {"tokens": [t._asdict() for t in tokens]}
        self.path.touch(mode=0o600)
        write_safely(self.path, json.dumps(data, indent=1).encode())
        self.path.chmod(0o600)


def make_token(model: Path, live: Path | None, role: str) -> tuple[str, str]:
    """Name and text of a new token for the deployment of a run or bundle, made if need be."""
    made, text = Tokens(Deployment.of(model, live).path).add(role)
    return made.name, text


def revoke_token(model: Path, live: Path | None, name: str) -> None:
    """Let a token of a deployment be of no use any more, in a running service too."""
    Tokens(Deployment.of(model, live).path).remove(name)


def hash_of(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def bearer(header: str | None) -> str:
    """The token in an Authorization header; RequestError (401) without one."""
    kind, _, text = (header or "").partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise RequestError("send a token, as in 'Authorization: Bearer TOKEN'.", 401)
    return text.strip()


def refuse_role(token: Token, needed: Role) -> None:
    """RequestError (403) for a token whose role may not do this."""
    if ROLES.index(token.role) < ROLES.index(needed):
        raise RequestError(
            f"this token is for '{token.role}'; what you ask for needs '{needed}'.", 403
        )
