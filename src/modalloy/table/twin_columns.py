"""What rows of a digital twin say of their own columns: variables, hidden parameters, outputs.

It stands in the metadata of the Parquet file, so that it goes wherever the file goes, and in the
JSON file beside it, which a program that rewrites the Parquet file leaves as it is.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modalloy.table.folders import list_tables
from modalloy.table.table import Table

KEY = b"modalloy"  # of the metadata
ENDINGS = (".parquet", ".pq")

About = Mapping[str, Mapping[str, Any]]  # column -> is, type, unit


def twin_columns(table: Table) -> About:
    """What each column of a twin's rows is; nothing for any other table.

    is: `variable`, `hidden`, `output` or `record`. Of a folder its first file tells.
    """
    path = Path(table.source)
    if path.is_dir():
        path = next(iter(list_tables(path)), path)
    if path.suffix.lower() not in ENDINGS or not path.is_file():
        return {}
    return in_metadata(path) or beside(path)


def twin_variables(table: Table) -> frozenset[str]:
    """Columns that were set in each run of a twin: causes of what it told, however much they tell
    of it."""
    return frozenset(n for n, about in twin_columns(table).items() if about.get("is") == "variable")


def in_metadata(path: Path) -> About:
    """What a Parquet file says of itself."""
    try:
        said = (pq.read_schema(path).metadata or {}).get(KEY)
    except (pa.ArrowException, OSError):
        return {}  # it has been read already, and may be gone by now
    return columns_of(said.decode(errors="replace")) if said else {}


def beside(path: Path) -> About:
    """What the JSON file beside it says."""
    try:
        return columns_of(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # there is none, or one of somebody else


def columns_of(text: str) -> About:
    """The columns that a text tells of; none where it is not of a twin's rows."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    columns = said.get("columns") if isinstance(said, dict) and "fingerprint" in said else None
    known = columns if isinstance(columns, dict) else {}
    return {name: about for name, about in known.items() if isinstance(about, dict)}
