"""Rows of a request as cells that a run can read, each checked by what its column holds.

Nothing of a cell depends on the rows beside it, so that rows of several requests may be answered
together and each is answered as it would be alone.
"""

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from starlette.requests import Request

from modalloy.checks.finding import some
from modalloy.errors import RequestError
from modalloy.job.options import did_you_mean
from modalloy.serving.limits import Limits
from modalloy.serving.media_cells import article, called, check_file, file_of
from modalloy.serving.plain import named
from modalloy.serving.schema import MEDIA, Column

Row = dict[str, Any]
LARGE = 1 << 20  # bytes of a body that would hold other requests up
DIGITS = 400  # of a whole number
LONGEST = 200  # letters of a key
LARGEST = 2**63  # whole numbers from here on are no cells of a table
T = TypeVar("T")


def read_json(data: bytes) -> Any:
    """What a body of JSON holds; RequestError (400) where it is none, says a key twice, or holds
    half a letter (a lone surrogate), which nothing can write down.
    """
    try:
        found = json.loads(
            data, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_whole
        )
        if b"\\u" in data:
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        what = f"the body is no JSON: it is not UTF-8 from byte {error.start} on."
        raise RequestError(what, 400) from error
    except UnicodeEncodeError as error:
        what = "the body holds half a letter, one of \\ud800 to \\udfff alone; write whole ones."
        raise RequestError(what, 400) from error
    except RecursionError as error:
        raise RequestError("the body is no JSON: it is nested too deeply.", 400) from error
    except ValueError as error:
        raise RequestError(f"the body is no JSON: {error!s:.120}.", 400) from error
    return found


async def json_of(request: Request) -> Any:
    """What the body of a request holds; large ones are read on a thread of their own."""
    data = await request.body()
    return await read_aside(lambda: read_json(data), len(data))


async def read_aside(read: Callable[[], T], size: int) -> T:
    """What `read` makes of so many bytes; a large body holds no other request up."""
    return read() if size < LARGE else await asyncio.to_thread(read)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r:.60} stands twice in one object")
        found[name] = value
    return found


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a number of {len(text)} digits is more than any table holds")
    return int(text)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON; write null where there is none")


class Sent(NamedTuple):
    """Rows of a request. keys: by what the client knows each of them; None where it did not say."""

    rows: list[Any]
    keys: list[str | int] | None = None


def rows_in(body: Any, columns: Mapping[str, Column], limits: Limits) -> Sent:
    """The rows of a body: `{"rows": [...]}`, with `"key"` where the client's own name of each row
    is to be handed back; RequestError for anything else, no row, or too many.
    """
    if not isinstance(body, dict) or "rows" not in body:
        raise RequestError('the body has no rows; send {"rows": [{"column": cell, ...}, ...]}.')
    if unknown := [k for k in body if k not in ("rows", "key")]:
        raise RequestError(f"the body has {named(unknown)} beside rows and key; leave it out.")
    rows = body["rows"]
    if not isinstance(rows, list):
        raise RequestError(f"rows is {called(rows)}, not a list of rows.")
    refuse_count(len(rows), limits)
    return keyed(rows, body.get("key"), columns)


def keyed(rows: list[Any], key: Any, columns: Mapping[str, Column]) -> Sent:
    """Rows without what is the client's alone. key: the name in each row of what is handed back,
    None for nothing; it may be a column that the model reads.
    """
    if key is None:
        return Sent(rows)
    if not isinstance(key, str) or not key:
        raise RequestError(f"key is {called(key)}, not the name of what each row is known by.")
    keys = []
    for at, row in enumerate(rows):
        if not isinstance(row, Mapping) or key not in row:
            raise RequestError(f"row {at}: has no '{key:.60}', which is to be handed back.")
        own = row[key]
        if not isinstance(own, str | int) or isinstance(own, bool) or len(str(own)) > LONGEST:
            raise RequestError(
                f"row {at}, '{key:.60}': is no text or whole number of at most {LONGEST} letters, "
                "so it is no key."
            )
        keys.append(own)
    left = rows if key in columns else [{k: v for k, v in r.items() if k != key} for r in rows]
    return Sent(left, keys)


def refuse_count(rows: int, limits: Limits) -> None:
    """RequestError for no row, or more than one request may hold (413)."""
    if not rows:
        raise RequestError("rows is empty; send one row at least.")
    if rows > limits.rows:
        raise RequestError(
            f"{rows} rows are more than the {limits.rows} of one request; send them in parts, or "
            "as a table to /batch.",
            413,
        )


def check_rows(rows: Sequence[Any], columns: Mapping[str, Column], limits: Limits) -> list[Row]:
    """The rows with every cell as readers take it; RequestError (422) names the first that is not.

    A row names every column that is needed, with null where it has no cell. Cells: numbers; names
    as texts, numbers, true or false; dates as texts or numbers; texts; lists of words or numbers;
    files as `file_of` takes them, or their bytes.
    """
    found = [check_row(row, columns, f"row {at}", limits) for at, row in enumerate(rows)]
    for at, row in enumerate(found):
        if all(cell is None for cell in row.values()):
            raise RequestError(f"row {at}: has no cell at all.")
    return found


def check_row(row: Any, columns: Mapping[str, Column], where: str, limits: Limits) -> Row:
    """One row."""
    if not isinstance(row, Mapping):
        raise RequestError(f"{where}: is {called(row)}, not an object with a cell for each column.")
    for name in row:
        if name not in columns:
            near = did_you_mean(str(name), list(columns))
            own = "" if near else ' If it is your own name of the row, say so: "key" beside "rows".'
            raise RequestError(f"{where}: this model reads no column '{name!s:.60}'.{near}{own}")
    lacking = [n for n, column in columns.items() if column.needed and n not in row]
    if lacking:
        raise RequestError(
            f"{where}: lacks {'column' if len(lacking) == 1 else 'the columns'} "
            f"{some(map(repr, lacking), 8)}; write null where there is no cell."
        )
    return {
        name: None if cell is None else check_cell(cell, columns[name], where, limits)
        for name, cell in row.items()
    }


def check_cell(cell: Any, column: Column, row: str, limits: Limits) -> Any:
    """One cell that is not null."""
    where = f"{row}, column '{column.name}'"
    if column.kind in MEDIA:
        if column.kind == "series" and isinstance(cell, list):
            return numbers(cell, column, where, depth=2)
        data = cell if isinstance(cell, bytes) else file_of(cell, column, where)
        return check_file(data, column, where, limits)
    match column.kind:
        case "number" if is_number(cell):
            return to_float(cell, where)
        case "category" if isinstance(cell, str | bool) or is_number(cell):
            return bounded(cell, where, limits)
        case "time" | "any" if isinstance(cell, str) or is_number(cell):
            return bounded(cell, where, limits)
        case "text" if isinstance(cell, str):
            return bounded(cell, where, limits)
        case "tokens" if isinstance(cell, list) and all(isinstance(w, str) for w in cell):
            bounded(" ".join(cell), where, limits)
            return cell
        case "vector" if isinstance(cell, list):
            return numbers(cell, column, where, depth=1)
    wanted = "a text or number" if column.kind == "any" else article(column.kind)
    raise RequestError(f"{where}: is {called(cell)}, not {wanted}.")


def numbers(cell: list[Any], column: Column, where: str, *, depth: int) -> list[Any]:
    """A list of numbers, or lists of them, one a channel; null is a gap."""
    if depth == 2 and cell and all(isinstance(x, list) for x in cell):
        found = [numbers(x, column, where, depth=1) for x in cell]
        if len({len(x) for x in found}) > 1:
            raise RequestError(f"{where}: its channels have different lengths.")
        return found
    if not all(x is None or is_number(x) for x in cell):
        odd = next(x for x in cell if not (x is None or is_number(x)))
        raise RequestError(
            f"{where}: holds {called(odd)} where {article(column.kind)} has a number."
        )
    if column.length is not None and len(cell) != column.length:
        raise RequestError(f"{where}: has {len(cell)} numbers, not {column.length}.")
    return [math.nan if x is None else to_float(x, where) for x in cell]


def is_number(cell: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def to_float(cell: float, where: str) -> float:
    """A finite number; RequestError for one that is too large to be one."""
    try:
        found = float(cell)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise RequestError(f"{where}: is too large a number.")
    return found


def bounded(cell: Any, where: str, limits: Limits) -> Any:
    """The same cell; RequestError for a whole number that no table holds, and for a text so long
    that all other requests would wait for its answer.
    """
    if isinstance(cell, str) and len(cell) > limits.letters:
        told = f"{where}: has {len(cell)} letters, more than the {limits.letters} of one text."
        raise RequestError(told)
    if is_number(cell) and not -LARGEST <= cell < LARGEST:
        raise RequestError(f"{where}: is too large a number.")
    return cell
