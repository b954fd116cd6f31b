"""How much a request may hold, and how long it may wait."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from modalloy.errors import JobError
from modalloy.job.options import did_you_mean


@dataclass(frozen=True)
class Limits:
    """Bounds of a service; JobError for one that lets nothing through.

    body_mb: of a request. rows: of a JSON or multipart request. upload_mb: of a table for `/batch`.
    upload_rows: of such a table. letters: of a text. megapixels: of a picture. seconds: of a
    recording. waiting: rows that wait to be answered.
    batch: rows that are answered together. deadline_s: from the last byte of a request to its
    answer.
    headers_s: for the heading of a request to arrive. body_s: for its bytes, and for a client to
    take what is sent to it. connections: that are open at once. rate: requests a second of one
    client, which may come twice as fast for a second.
    """

    body_mb: float = 32.0
    rows: int = 1000
    upload_mb: float = 1024.0
    upload_rows: int = 1_000_000
    letters: int = 100_000
    megapixels: float = 40.0
    seconds: float = 600.0
    waiting: int = 4096
    batch: int = 64
    deadline_s: float = 30.0
    headers_s: float = 10.0
    body_s: float = 60.0
    connections: int = 1000
    rate: float = 2000.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise JobError(f"serve: {name} is {value:g}; give more than 0.")

    @property
    def body_bytes(self) -> int:
        """The largest body of most routes."""
        return int(self.body_mb * 2**20)

    @property
    def upload_bytes(self) -> int:
        """The largest body of `/batch`."""
        return int(self.upload_mb * 2**20)


def limits_of(given: Mapping[str, float]) -> Limits:
    """The usual bounds but for those given; JobError for one that there is not."""
    known = {f.name: f.type for f in fields(Limits)}
    for name in given:
        if name not in known:
            raise JobError(f"serve: there is no limit '{name}'.{did_you_mean(name, known)}")
    read: dict[str, Any] = {n: int(v) if known[n] is int else v for n, v in given.items()}
    return Limits(**read)
