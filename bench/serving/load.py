"""Requests at a server by so many clients at a time: how many a second, how long each takes."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Load(NamedTuple):
    """What came of it. failed: requests that had no answer of 200. versions: that answered."""

    requests: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    versions: list[int]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return (self.requests - self.failed) / self.seconds


async def load(
    port: int, path: str, bodies: Sequence[bytes], clients: int, seconds: float, most: int
) -> Load:
    """Each client asks, waits for the answer, and asks again, over one connection."""
    took: list[float] = []
    failed, versions, asked = 0, set(), 0
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal failed, asked
        reader = writer = None
        at = number
        while time.perf_counter() < end and asked < most:
            asked += 1
            body = bodies[at % len(bodies)]
            at += clients
            start = time.perf_counter()
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                assert reader is not None
                status, said = await ask(reader, writer, path, body)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                failed, writer = failed + 1, None
                continue
            took.append(time.perf_counter() - start)
            if status != 200:
                failed += 1
            elif b'"version"' in said:
                versions.add(json.loads(said)["version"])

    start = time.perf_counter()
    await asyncio.gather(*(client(n) for n in range(clients)))
    taken_ms = 1e3 * np.array(took or [np.nan])
    p50, p99 = np.percentile(taken_ms, [50, 99])
    spent = time.perf_counter() - start
    return Load(asked, failed, spent, float(p50), float(p99), sorted(versions))


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes
) -> tuple[int, bytes]:
    """One request; its status and what it says."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    told = await reader.readuntil(b"\r\n\r\n")
    status = int(told.split(b" ", 2)[1])
    lengths = [line for line in told.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return status, await reader.readexactly(int(lengths[0].split(b":")[1]))


def main() -> None:
    """Asked as `python -m bench.serving.load`, with what to do as JSON; prints a `Load` as JSON."""
    given: dict[str, Any] = json.loads(sys.stdin.read())
    bodies = [json.dumps(body).encode() for body in given.pop("bodies")]
    found = asyncio.run(load(bodies=bodies, **given))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
