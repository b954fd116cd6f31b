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

RECORDS = "records"  # where a search keeps them in its folder
LARGEST_BYTES = 1_000_000

Source = str | Path | Mapping[str, Any] | Design


def load_design(source: Source, changes: Mapping[str, Any] | None = None) -> Design:
    """What is asked: of a design file, a mapping, or a twin's file or name or the folder of a run,
    which ask nothing yet.

    changes: options that replace the source's own. Relative paths of a twin and of a run start at
    the design file's folder. JobError with one line a fault.
    """
    if isinstance(source, Design):
        source = source.model_dump(mode="json", exclude_unset=True)
    page, name, folder = opened(source)
    data = page.data
    if isinstance(data, dict):
        asks = not isinstance(source, str | Path) or {"twin", "run"} & {*data}
        data = rooted(data, folder) if asks else {"twin": str(source)}
        data = data | dict(changes or {})
    found = validate_as(Design, data, schema_of_design())
    faults = page.faults + ([] if isinstance(found, Design) else list(found))
    if faults or not isinstance(found, Design):
        raise JobError(told(faults, page, name))
    return found


def rooted(data: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Options with the paths of a twin and of a run from the root."""
    if folder is None:
        return data
    paths = {n: data[n] for n in ("twin", "run") if data.get(n) is not None}
    return data | {
        n: str((folder / str(path)).absolute()) for n, path in paths.items() if path not in SHIPPED
    }


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
    if path.is_dir():
        if (path / RECORDS).is_dir():
            raise JobError(
                f"{path}: holds a finished search; ask what of a design would have to change with "
                "near, or with a run and an image or a text."
            )
        return Page({"run": str(path)}), str(path), None
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise JobError(f"{path}: is too large for a design file.")
        page = read_page(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise JobError(
            f"{path}: cannot be read ({error.strerror}); give a design file, a twin's file, a "
            f"run's folder, or {' or '.join(SHIPPED)}."
        ) from error
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: is no text in UTF-8, so no design file.") from error
    if page.data is None:
        raise JobError(told(page.faults or [Fault((), "is empty.")], page, str(path)))
    return page, str(path), path.parent
