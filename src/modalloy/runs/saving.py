"""Writes a sealed run; killed anywhere, the directory holds the older run or the new one."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalloy import __version__
from modalloy.answer.stage import Stage, stages_to_state
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.job.job_file import save_job
from modalloy.machine.files import locked, write_safely
from modalloy.readers.build import to_state
from modalloy.readers.reader import Reader
from modalloy.runs.adapters import adapter_parts, with_adapter
from modalloy.runs.parts import PARTS, ROWS, refuse_name
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.runs.seal import (
    FORMAT,
    Parent,
    digest,
    put_in_place,
    read_seal,
    stage,
    staged,
    write_seal,
)

if TYPE_CHECKING:
    from modalloy.model.body import Body
    from modalloy.model.model import Model

ADAPTERS = re.compile(r"adapter\.")  # how the names of their parts begin
PATIENCE_S = 30.0  # while another process seals the same run


def save_run(
    path: Path,
    job: config.Job,
    readers: Mapping[str, Reader],
    targets: Mapping[str, Any],
    model: "Body",
    notes: dict[str, Any],
    *,
    decimal: str,
    stages: Mapping[str, Stage] | None = None,
    parent: Parent | None = None,
    parts: Mapping[str, bytes] | None = None,
    kind: str = "model",
) -> Run:
    """Write a run, or replace one that an interrupted training left.

    All files are written beside those that they replace, then `run.json` seals them by their
    hashes, then they take their places. A process that is killed anywhere in between leaves the
    older run (or none yet) until `run.json` is written, and from then on the new one, which
    `load_run` puts in place. `save_prints` comes before. notes: JSON facts about the training
    (seconds, precision, epochs). stages: task -> what its answers go through. parent: the run that
    it was made from, and the verb. parts: free parts by their names, such as `index.bin`; RunError
    for a name that no part can have. kind: `pretrained` where the model has no tasks.
    """
    made = Run(path, job, readers, targets, model.trunk_configs(), notes, decimal, stages or {})
    made = replace(made, kind=kind, compressed=model.compressed)
    return write_run(made, weights_of(model), parent=parent, parts=parts)


def derive_run(
    run: Run,
    path: Path,
    verb: str,
    *,
    job: config.Job,
    notes: dict[str, Any],
    stages: Mapping[str, Stage],
    parts: Mapping[str, bytes],
    model: "Model | None" = None,
    readers: Mapping[str, Reader] | None = None,
    without: Collection[str] = (),
) -> Run:
    """Write a run that another verb made from this one.

    Fingerprints and the parts that are not given anew are the older run's, but for those in
    `without`. model: with the new weights; readers: as columns are read from now on; both are the
    older run's where they are not given. Of a run that answers with an adapter, everything else is
    the adapter's and is kept beside it; new weights of such a run are plain ones, and adapters of
    the older weights are left behind.
    """
    prints = run.prints()
    save_prints(path, prints)
    parent = run.as_parent(verb)
    if run.adapter and model is None:
        own = run.base
        assert own is not None, "a run with an adapter knows the one without"
        named = adapter_parts(
            own, run.adapter, parts, stages=stages, notes=notes, without=run_without(run, without)
        )
        kept = {name: own.part(name) for name in own.parts}
        made = replace(own, path=path, job=job, notes={**own.notes, "adapter": run.adapter})
        weights = own.part("model.safetensors")
        made = write_run(made, weights, parent=parent, parts=kept | named)
        return with_adapter(made, run.adapter)
    gone = [p for p in run.parts if p in without or (model is not None and ADAPTERS.match(p))]
    kept = {name: run.part(name) for name in run.parts if name not in gone}
    told = {k: v for k, v in notes.items() if model is None or k != "adapter"}
    made = replace(
        run, path=path, job=job, notes=told, stages=stages, adapter="", base=None, files={}
    )
    if readers is not None:
        made = replace(made, readers=readers)
    if model is not None:
        made = replace(made, compressed=model.compressed)
    weights = run.part("model.safetensors") if model is None else weights_of(model)
    return write_run(made, weights, parent=parent, parts=kept | dict(parts))


def run_without(run: Run, without: Collection[str]) -> set[str]:
    """Parts of the plain run that an adapter does without, and these."""
    assert run.base is not None
    return {p for p in run.base.sealed if p not in run.sealed} | {*without}


def weights_of(model: "Body") -> bytes:
    """All weights of a model as a run keeps them."""
    from safetensors.torch import save

    return save({n: t.detach().cpu().contiguous() for n, t in model.state_dict().items()})


def write_run(
    run: Run, weights: bytes, *, parent: Parent | None, parts: Mapping[str, bytes] | None
) -> Run:
    """Write what a run says of itself, its weights and its parts, and seal it; see `save_run`."""
    path, free = run.path, parts or {}
    for name in free:
        refuse_name(name)
    schema: dict[str, Any] = {
        "readers": to_state(run.readers),
        "targets": to_state(run.targets),
        "trunks": run.trunks,
        "decimal": run.decimal,
        "stages": stages_to_state(run.stages),
    }
    if run.compressed:
        schema["compressed"] = list(run.compressed)
    with sealing(path):
        save_job(run.job, staged(path, "job.yaml"))
        write_safely(staged(path, "schema.json"), json.dumps(schema, allow_nan=False).encode())
        write_safely(staged(path, "model.safetensors"), weights)
        for name, data in free.items():
            stage(path, name, data)
        sealed = {ROWS: path / ROWS} | {n: staged(path, n) for n in (*PARTS, *free) if n != ROWS}
        older = set(read_seal(path).sha256) if (path / "run.json").is_file() else set()
        data = {
            "format": FORMAT,
            "kind": run.kind,
            "modalloy": __version__,
            "parent": None if parent is None else parent._asdict(),
            "sha256": {name: digest(sealed[name]) for name in (*PARTS, *free)},
            "notes": run.notes,
        }
        seal = write_seal(path, data)
        for name, sha256 in seal.sha256.items():
            put_in_place(path, name, sha256)
        for name in older - set(seal.sha256):  # they were of the older model
            (path / name).unlink(missing_ok=True)
    told = {"sealed": seal.sha256, "identity": seal.identity}
    return replace(run, format=FORMAT, parent=parent, **told)


def add_part(run: Run, name: str, data: bytes) -> Run:
    """Add a free part to a finished run, or replace it; the run with it, under a new identity.

    Killed anywhere, the directory holds the older run or the new one, which `load_run` puts in
    place. RunError for a name that no part can have, where the run cannot be written, and where its
    directory no longer holds the run that was loaded.
    """
    refuse_name(name)
    if run.base is not None:
        return with_adapter(add_part(run.base, name, data), run.adapter)
    with sealing(run.path):
        seal = read_seal(run.path)
        if seal.identity != run.identity:
            raise RunError(
                f"{run.path}: has changed since it was loaded; load it again and then add '{name}'."
            )
        sealed = {**seal.sha256, name: stage(run.path, name, data)}
        seal = write_seal(run.path, {**seal.data, "sha256": sealed})
        put_in_place(run.path, name, sealed[name])
    return replace(run, sealed=sealed, identity=seal.identity)


@contextmanager
def sealing(path: Path) -> Iterator[None]:
    """Hold a run while it is sealed anew: one process at a time."""
    refusal = f"{path}: another process is writing this run; try again when it has ended."
    with locked(path / "run.lock", refusal, patience_s=PATIENCE_S):
        yield
