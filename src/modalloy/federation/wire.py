"""What travels between sites and their server: one message as bytes, and what of it is refused.

A message is its header as JSON and named arrays, deflated where that makes it shorter. It bears the
version of its form and the job's fingerprint, so that neither end reads what was meant for another.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modalloy.errors import FederationError
from modalloy.job import config

FORM = 1  # of messages
MAGIC = b"MDLY"
LARGEST = 8 << 30  # bytes of one message, once inflated
PLAIN = "biuf"  # kinds of numbers that may travel
SAMPLE, WORTH = 1 << 16, 0.85  # bytes that are tried, and how short they must become
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Message:
    """kind: what is asked or answered. facts: JSON. arrays: named, of plain number types."""

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)


def fingerprint(job: config.Job) -> str:
    """What every site's job must have in common: not where its table is, nor how it splits it, nor
    its units, which sites compare by themselves."""
    import hashlib

    own = {"table", "sheet", "split", "allow_leak", "allow_outside", "unreadable", "refresh"}
    data = job.model_dump(mode="json", exclude=own)
    for options in (*data["columns"].values(), *data["tasks"].values()):
        options.pop("unit", None)  # sites compare units, so that a conflict is told by its name
    data["federate"] = {k: v for k, v in data["federate"].items() if k != "columns"}
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def pack(message: Message, job: str) -> bytes:
    """The bytes of a message. job: its fingerprint."""
    shapes, blobs = {}, []
    for name, x in message.arrays.items():
        x = np.asarray(x, order="C")
        shapes[name] = [x.dtype.str, list(x.shape)]
        blobs.append(x.tobytes())
    header = json.dumps(
        {
            "form": FORM,
            "job": job,
            "kind": message.kind,
            "facts": message.facts,
            "arrays": shapes,
        },
        allow_nan=False,
    ).encode()
    body = len(header).to_bytes(8, "little") + header + b"".join(blobs)
    end = body[-SAMPLE:]  # weights as they are hardly become shorter, and take long to try
    worth = len(body) < SAMPLE or len(zlib.compress(end, 1)) < WORTH * len(end)
    short = zlib.compress(body, 1) if worth else body
    deflated = len(short) < len(body)
    return MAGIC + bytes([FORM, deflated]) + (short if deflated else body)


def unpack(data: bytes, job: str) -> Message:
    """The message of these bytes; FederationError where they are none, or of another form or job.

    Numbers that are not finite are refused: nothing can be learned from a sum that has them.
    """
    if data[: len(MAGIC)] != MAGIC or len(data) < 6:
        raise FederationError("what arrived is no message of a federation; look at the address.")
    if data[4] != FORM:
        raise FederationError(
            f"a message has form {data[4]} and this version of modalloy reads form {FORM}; install "
            "the same version at the server and at every site."
        )
    try:
        body = inflate(data[6:]) if data[5] else data[6:]
        size = int.from_bytes(body[:8], "little")
        header = json.loads(body[8 : 8 + size])
        arrays, at = {}, 8 + size
        for name, (kind, shape) in header["arrays"].items():
            if np.dtype(kind).kind not in PLAIN:
                raise ValueError(f"'{name}' is of type {kind}")
            x = np.frombuffer(body, np.dtype(kind), int(np.prod(shape)), at).reshape(shape)
            arrays[name], at = x, at + x.nbytes
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise FederationError(
            f"a message is broken ({error}); it will be asked for again."
        ) from error
    if header["job"] != job:
        raise FederationError(
            f"a message belongs to job {header['job']} and this is job {job}; give the server and "
            "every site the same columns, tasks, train and federate sections."
        )
    for name, x in arrays.items():
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            raise FederationError(f"'{name}' of a message holds NaN or infinity.")
    return Message(header["kind"], header["facts"], arrays)


def inflate(data: bytes) -> bytes:
    """Bytes as they were before they were deflated, as far as that is not absurdly many."""
    decoder = zlib.decompressobj()
    body = decoder.decompress(data, LARGEST)
    if decoder.unconsumed_tail:
        raise ValueError(f"it is larger than {LARGEST >> 30} GiB")
    if not decoder.eof:
        raise ValueError("it is cut off")
    return body


def part_of(message: Message, part: str) -> Arrays:
    """The arrays of a message under one letter: w of weights, k of controls."""
    return {n[2:]: x for n, x in message.arrays.items() if n.startswith(f"{part}/")}
