"""The sets of the bench, each with a cheap job: encoders from nothing, a class, usual budgets."""

from pathlib import Path
from typing import Any

from modalloy.job import config
from modalloy.job.job_file import load_job

TABLES = {
    "elpv": "elpv/table.csv",
    "av_digits": "av_digits/table.csv",
    "cwru": "cwru/table.parquet",
}
SHARED: dict[str, Any] = {
    "fuse": {"type": "concat", "width": 64, "layers": 1},
    "blend": {"use": "never"},
    "calibrate": {"use": "never"},
    "unlike": {"use": "never"},
}
JOBS: dict[str, dict[str, Any]] = {
    "elpv": {
        "split": {"column": "split", "validation": 0.15},
        "columns": {
            "image": {"type": "image", "pixels": 64, "augment": "rotate"},
            "module_type": {"type": "category"},
            "mean_intensity": {"type": "number"},
            "std_intensity": {"type": "number"},
        },
        "tasks": {"defective": {"type": "classify", "target": "defective"}},
        "train": {"epochs": 15},
    },
    "av_digits": {
        "split": {"column": "split"},
        "columns": {
            "audio": {"type": "audio", "rate_hz": 8000, "seconds": 1.0},
            "image": {"type": "image", "pixels": 28},
        },
        "tasks": {"digit": {"type": "classify", "target": "digit"}},
        "train": {"epochs": 12},
    },
    "cwru": {
        "split": {"column": "split"},
        "columns": {
            name: {
                "type": "series",
                "rate_hz": 12000,
                "front": ["learned", "statistics", "spectrum"],
            }
            for name in ("vib_drive_end", "vib_fan_end")
        },
        "tasks": {"condition": {"type": "classify", "target": "condition"}},
        "train": {"epochs": 12},
    },
}


def job_of(name: str, data: Path, *, without: str | None = None, **harden: Any) -> config.Job:
    """The job of a set, its table in the data folder. without: a column that it does not read."""
    own = JOBS[name]
    columns = {n: o for n, o in own["columns"].items() if n != without}
    job = {**SHARED, **own, "columns": columns, "table": str(data / TABLES[name])}
    return load_job({**job, "harden": harden})
