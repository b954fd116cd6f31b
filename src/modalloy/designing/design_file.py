"""Loading design files; all faults come in one error, with file and line."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modalloy.designing.asked import Design
from modalloy.errors import JobError
from modalloy.job.faults import Fault, validate_as
from modalloy.job.job_file import told
from modalloy.job.lined_yaml import read_page
from modalloy.job.page import Page
from modalloy.twin.twin_file import SHIPPED

LARGEST_BYTES = 1_000_000

Source = str | Path | Mapping[str, Any] | Design


def load_design(source: Source, changes: Mapping[str, Any] | None = None) -> Design:
    """What is asked: of a design file, a mapping, or a twin's file or name, which asks nothing yet.

    changes: options that replace the source's own. A relative path of a twin starts at the design
    file's folder. JobError with one line a fault.
    """
    if isinstance(source, Design):
        source = source.model_dump(mode="json", exclude_unset=True)
    page, name, folder = opened(source)
    data = page.data
    if isinstance(data, dict) and "twin" not in data:
        if not isinstance(source, str | Path):
            raise JobError("design: says no twin; give one, such as twin: bracket.")
        data = {"twin": str(source)}
    elif isinstance(data, dict) and folder is not None and data["twin"] not in SHIPPED:
        data = data | {"twin": str((folder / str(data["twin"])).absolute())}
    if isinstance(data, dict):
        data = data | dict(changes or {})
    found = validate_as(Design, data, schema_of_design())
    faults = page.faults + ([] if isinstance(found, Design) else list(found))
    if faults or not isinstance(found, Design):
        raise JobError(told(faults, page, name))
    return found


@functools.cache
def schema_of_design() -> dict[str, Any]:
    """JSON schema of a design file."""
    return Design.model_json_schema()


def opened(source: str | Path | Mapping[str, Any]) -> tuple[Page, str, Path | None]:
    """What a source holds, the name that faults give it, and where its paths start."""
    if isinstance(source, Mapping):
        return Page(dict(source)), "design", None
    if str(source) in SHIPPED:
        return Page({"twin": str(source)}), str(source), None
    path = Path(source)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise JobError(f"{path}: is too large for a design file.")
        page = read_page(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise JobError(
            f"{path}: cannot be read ({error.strerror}); give a design file, a twin's file, or "
            f"{' or '.join(SHIPPED)}."
        ) from error
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: is no text in UTF-8, so no design file.") from error
    if page.data is None:
        raise JobError(told(page.faults or [Fault((), "is empty.")], page, str(path)))
    return page, str(path), path.parent
