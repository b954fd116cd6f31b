"""The seventeen shared sets on disk, and the job files that were set by hand for them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modalloy.job.config import Job

BENCH = Path(__file__).parent
JOBS = BENCH / "scoreboard" / "jobs"


def default_data() -> Path:
    """The folder in MODALLOY_SHARED, or shared/data beside the repository."""
    return Path(os.environ.get("MODALLOY_SHARED", BENCH.parent.parent / "shared" / "data"))


def job_files(name: str) -> list[Path]:
    """The job file of a set, or one for each of its folds."""
    single = JOBS / f"{name}.yaml"
    return [single] if single.is_file() else sorted(JOBS.glob(f"{name}_fold*.yaml"))


def open_job(path: Path, data: Path) -> "Job":
    """The job of a file, its table in the data folder."""
    from modalloy.job.job_file import load_job

    job = load_job(path)
    return job.model_copy(update={"table": str(data / Path(job.table).relative_to(path.parent))})


def cheap_job(name: str, data: Path) -> dict[str, Any]:
    """The job of a set by hand, its table in the data folder, as YAML would hold it; pretrained
    encoders stay frozen and see each cell once."""
    from modalloy.job.job_file import load_job

    path = job_files(name)[0]
    found = load_job(path)
    plain: dict[str, Any] = found.model_dump(mode="json", by_alias=True, exclude_none=True)
    plain["table"] = str(data / Path(found.table).relative_to(path.parent))
    for column in plain["columns"].values():
        if column.get("encoder", "scratch") != "scratch":
            column["tune"] = "frozen"
            column |= {"augment": "none"} if "augment" in column else {}
            column |= {"all_views": False} if "all_views" in column else {}
    for option in ("encoder_lr", "frozen_first", "freeze_epochs"):
        plain["train"].pop(option, None)
    return plain
