"""Our bytes in Flower's records, and back."""

from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

KEY = "modalloy"


def carry(data: bytes) -> RecordDict:
    """A record that carries bytes, as an array: Flower sends a large one in pieces."""
    array = Array(dtype="uint8", shape=(len(data),), stype="bytes", data=data)
    return RecordDict({KEY: ArrayRecord({"data": array})})


def carried(content: RecordDict) -> bytes:
    """The bytes that a record carries."""
    return content.array_records[KEY]["data"].data


def say(facts: dict[str, Any]) -> RecordDict:
    """A record of a few texts and numbers."""
    return RecordDict({KEY: ConfigRecord(facts)})


def said(content: RecordDict) -> dict[str, Any]:
    """The facts of a record that `say` made; none where it carries bytes."""
    return dict(content.config_records.get(KEY, {}))
