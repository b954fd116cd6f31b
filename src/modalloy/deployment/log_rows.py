"""What goes into a row log and comes out: answered requests, labels, and frames of them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from modalloy.deployment.kept_cells import from_json

if TYPE_CHECKING:
    import pandas as pd

LOGGED = ("row_id", "at", "version", "request", "source")


class Given(NamedTuple):
    """A right answer as somebody gives it to a row of the log, by the row's name."""

    row: str
    task: str
    label: Any
    source: str


class Label(NamedTuple):
    """A right answer that somebody gave to a row. number: of the label, in the order they came."""

    number: int
    row_id: str
    task: str
    label: Any
    source: str
    at: float


class Entry(NamedTuple):
    """Rows of one request with their answers; as the arguments of `RowLog.add`."""

    rows: Sequence[Mapping[str, Any]]
    answers: "pd.DataFrame"
    version: int
    request: str
    source: str
    at: float


def row_name(source: str, request: str, place: int) -> str:
    """The name of a row: the same for the same place in the same request of the same source."""
    whole = json.dumps([source, request, place])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def from_json_row(kept: str) -> dict[str, Any]:
    """The cells of a row by column."""
    return {name: from_json(cell) for name, cell in json.loads(kept)["fields"].items()}


def as_frame(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> "pd.DataFrame":
    """Records as a frame with these columns, each once; what a record lacks is None, so that whole
    numbers beside it stay whole."""
    import pandas as pd

    once = dict.fromkeys(columns)  # a log names them once a row
    cells = {c: pd.Series([r.get(c) for r in records], dtype=object) for c in once}
    return pd.DataFrame({c: x if x.isna().any() else x.infer_objects() for c, x in cells.items()})


def moment(at: float) -> Any:
    """Seconds since 1970 as a time without a zone, in UTC."""
    import pandas as pd

    return pd.Timestamp(at, unit="s")
