"""A run directory: the job, the readers, the weights and the report of one trained model."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from modalloy import __version__
from modalloy.answer.stage import Stage, stages_from_state, stages_to_state
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.job.job_file import load_job, save_job
from modalloy.machine.files import write_safely
from modalloy.readers.build import from_state, targets_from_state, to_state
from modalloy.readers.reader import Reader
from modalloy.table.split import Parts

if TYPE_CHECKING:
    from modalloy.model.model import Model

ROWS = "rows.safetensors"  # fingerprints of the rows of each part
PAGE = "report.html"  # the run's own report; report.json and card.md say the same
STAGED = ".next"  # ends the name of a file that is to replace another one
PARTS = ("job.yaml", "schema.json", ROWS, "model.safetensors")


@dataclass(frozen=True)
class Run:
    """A finished training on disk; `model()` builds the network and reads its weights.

    decimal: the sign before the fraction of numbers written as text in the training table; None
    where an older version did not keep it. stages: task -> what its answers go through afterwards.
    """

    path: Path
    job: config.Job
    readers: Mapping[str, Reader]
    targets: Mapping[str, Any]
    trunks: dict[str, dict[str, Any]]
    notes: dict[str, Any]
    decimal: str | None = None
    stages: Mapping[str, Stage] = field(default_factory=dict)

    def model(self) -> "Model":
        """The trained model in evaluation mode, on this machine's accelerator if it has one.

        Pretrained packages and folders are not needed.
        """
        from safetensors.torch import load_file

        from modalloy.model.device import placed
        from modalloy.model.model import Model

        model = Model(self.job, self.readers, self.targets, pretrained=False, trunks=self.trunks)
        try:
            model.load_state_dict(load_file(self.path / "model.safetensors"))
        except (RuntimeError, OSError) as error:
            raise RunError(
                f"{self.path}/model.safetensors does not fit its job: {error}"
            ) from error
        return placed(model).eval()

    def prints(self) -> Parts:
        """Fingerprints of the rows of each part when the model was trained, in their order."""
        found = load_prints(self.path)
        assert found is not None, "load_run has looked"
        return found


def save_prints(path: Path, prints: Parts) -> None:
    """Write the fingerprints of the rows of each part into a run directory."""
    from safetensors.numpy import save

    named = prints._asdict()
    if not len(prints.calibration):  # most runs have none, and older versions know none
        del named["calibration"]
    write_safely(path / ROWS, save(named))


def load_prints(path: Path) -> Parts | None:
    """What `save_prints` wrote, None where there is nothing; RunError where it is damaged."""
    from safetensors.numpy import load_file

    if not (path / ROWS).is_file():
        return None
    try:
        return Parts(**load_file(path / ROWS))
    except (SafetensorError, OSError, TypeError) as error:
        raise RunError(f"{path}/{ROWS} cannot be read: {error}") from error


def save_run(
    path: Path,
    job: config.Job,
    readers: Mapping[str, Reader],
    targets: Mapping[str, Any],
    model: "Model",
    notes: dict[str, Any],
    *,
    decimal: str,
    stages: Mapping[str, Stage] | None = None,
) -> Run:
    """Write a run, or replace one that an interrupted training left.

    All files are written beside those that they replace, then `run.json` seals them by their
    hashes, then they take their places. A process that is killed anywhere in between leaves the
    older run (or none yet) until `run.json` is written, and from then on the new one, which
    `load_run` puts in place. `save_prints` comes before. notes: JSON facts about the training
    (seconds, precision, epochs).
    """
    from safetensors.torch import save

    schema: dict[str, Any] = {
        "readers": to_state(readers),
        "targets": to_state(targets),
        "trunks": model.trunk_configs(),
        "decimal": decimal,
        **({"stages": stages_to_state(stages)} if stages else {}),
    }
    weights = {n: t.detach().cpu().contiguous() for n, t in model.state_dict().items()}
    save_job(job, staged(path, "job.yaml"))
    write_safely(staged(path, "schema.json"), json.dumps(schema, allow_nan=False).encode())
    write_safely(staged(path, "model.safetensors"), save(weights))
    sealed = {ROWS: path / ROWS} | {n: staged(path, n) for n in PARTS if n != ROWS}
    seal = {
        "modalloy": __version__,
        "sha256": {name: digest(sealed[name]) for name in PARTS},
        "notes": notes,
    }
    write_safely(path / "run.json", json.dumps(seal, indent=1).encode())
    for name in PARTS:
        put_in_place(path, name, seal["sha256"][name])
    return Run(path, job, readers, targets, schema["trunks"], notes, decimal, stages or {})


def staged(path: Path, name: str) -> Path:
    """Where a part of a run is written before it takes the place of the older one."""
    return path / (name + STAGED)


def put_in_place(path: Path, name: str, sealed: str | None) -> None:
    """Let a part that was written and sealed, but not yet in its place, take it."""
    with suppress(FileNotFoundError):  # nothing waits, or another process was quicker
        if digest(staged(path, name)) == sealed:
            os.replace(staged(path, name), path / name)


def load_run(path: str | Path) -> Run:
    """Read a run. RunError when a file is missing or is not the one that was written."""
    path = Path(path)
    if not path.is_dir():
        raise RunError(f"{path}: no such run directory.")
    seal_path = path / "run.json"
    if not seal_path.is_file():
        unfinished = (path / "checkpoints").is_dir()
        raise RunError(
            f"{path}: "
            + (
                "this training has not finished; go on with `modalloy train JOB -o RUN --resume`."
                if unfinished
                else "not a run directory, it holds no run.json."
            )
        )
    seal = read_json(seal_path)
    if not isinstance(seal.get("sha256"), dict) or not isinstance(seal.get("notes"), dict):
        raise RunError(f"{seal_path}: is not what training wrote; restore it, or train again.")
    for name in PARTS:
        find_sealed(path, name, seal["sha256"].get(name))
    schema = read_json(path / "schema.json")
    job = load_job(path / "job.yaml")
    return Run(
        path,
        job,
        from_state(schema["readers"]),
        targets_from_state(schema["targets"], job),
        schema["trunks"],
        seal["notes"],
        schema.get("decimal"),
        stages_from_state(schema.get("stages", {})),
    )


def find_sealed(path: Path, name: str, sealed: str | None) -> None:
    """See to it that a part of a run is the one that was sealed, or raise RunError."""
    refused = None
    try:
        put_in_place(path, name, sealed)
    except OSError as error:  # a run that is only read: mostly nothing is left to do
        refused = error
    found = digest(path / name) if (path / name).is_file() else None
    if found == sealed is not None:
        return
    if refused is not None:
        raise RunError(
            f"{path}: {staged(path, name).name} is to become {name}, which is not possible here "
            f"({refused.strerror}); copy this run to a place that can be written."
        ) from refused
    if found is None:
        raise RunError(f"{path}: {name} is missing, so this run cannot be used.")
    raise RunError(
        f"{path}: {name} is not the file that training wrote (its sha256 differs); restore it, or "
        "train again."
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file, or a sentence."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({error}).") from error
    if not isinstance(found, dict):
        raise RunError(f"{path}: is not what training wrote; restore it, or train again.")
    return found


def digest(path: Path) -> str:
    """sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
