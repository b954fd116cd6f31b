"""A run directory: the job, the readers, the weights and the report of one trained model."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalloy.answer.stage import Stage, stages_from_state
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.readers.build import from_state, targets_from_state
from modalloy.readers.reader import Reader
from modalloy.runs.migrate import RawRun, migrate
from modalloy.runs.parts import CHECKPOINTS, PARTS
from modalloy.runs.rows import load_prints
from modalloy.runs.seal import FORMAT, Parent, Seal, find_sealed, read_json, read_seal
from modalloy.runs.written_job import job_from, read_written
from modalloy.table.split import Parts

if TYPE_CHECKING:
    from modalloy.model.body import Body
    from modalloy.model.model import Model

PRETRAINED = "pretrained"  # the kind of a run that learned without labels
KINDS = ("model", PRETRAINED)
PRETEXTS = "pretexts.safetensors"  # the part with what only pretraining needed


@dataclass(frozen=True)
class Run:
    """A finished training on disk; `model()` builds the network and reads its weights.

    decimal: the sign before the fraction of numbers written as text in the training table; None
    where an older version did not keep it. stages: task -> what its answers go through. format:
    that of its files. parent: the run that it was made from, by another verb than `train`. sealed:
    sha256 of each of its parts. identity: names the run as a whole, for its children; empty in a
    process that only took part in its training. adapter: that it answers with, "" for none; base:
    then the same run without it, and files: parts that are the adapter's own, by their names.
    compressed: what was done to the model's layers after its job had built them, in order.
    """

    path: Path
    job: config.Job
    readers: Mapping[str, Reader]
    targets: Mapping[str, Any]
    trunks: dict[str, dict[str, Any]]
    notes: dict[str, Any]
    decimal: str | None = None
    stages: Mapping[str, Stage] = field(default_factory=dict)
    format: int = FORMAT
    kind: str = "model"
    parent: Parent | None = None
    sealed: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    adapter: str = ""
    base: "Run | None" = None
    files: Mapping[str, str] = field(default_factory=dict)
    compressed: Sequence[dict[str, Any]] = ()

    def model(self) -> "Model":
        """The trained model in evaluation mode, on this machine's accelerator if it has one.

        Pretrained packages and folders are not needed.
        """
        from safetensors.torch import load_file

        from modalloy.model.compressed.rebuild import rebuild
        from modalloy.model.device import placed
        from modalloy.model.model import Model

        refuse_pretrained(self)
        model = Model(self.job, self.readers, self.targets, pretrained=False, trunks=self.trunks)
        rebuild(model, self.compressed)
        try:
            model.load_state_dict(load_file(self.path / "model.safetensors"))
        except (RuntimeError, OSError) as error:
            raise RunError(
                f"{self.path}/model.safetensors does not fit its job: {error}"
            ) from error
        if self.adapter:
            from modalloy.model.adapters.attach import merge
            from modalloy.model.adapters.file import take_adapter

            data = self.part(f"adapter.{self.adapter}.safetensors")
            take_adapter(model, data, base=self.sealed["model.safetensors"])
            merge(model)
        return placed(model).eval()

    def body(self) -> "Body":
        """The encoders and the fusion alone, as `model` has them, of a run of any kind."""
        if self.kind != PRETRAINED:
            return self.model()
        from safetensors.torch import load_file

        from modalloy.model.body import Body
        from modalloy.model.compressed.rebuild import rebuild
        from modalloy.model.device import placed

        body = Body(self.job, self.readers, pretrained=False, trunks=self.trunks)
        rebuild(body, self.compressed)
        body.load_state_dict(load_file(self.path / "model.safetensors"))
        return placed(body).eval()

    def prints(self) -> Parts:
        """Fingerprints of the rows of each part when the model was trained, in their order."""
        found = load_prints(self.path)
        assert found is not None, "load_run has looked"
        return found

    @property
    def hidden(self) -> frozenset[str]:
        """Columns that are not read any more, since they have gone wrong."""
        return frozenset(self.notes.get("hidden", ()))

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that this run holds beside those that every run has."""
        return tuple(sorted(self.sealed.keys() - set(PARTS)))

    def part(self, name: str) -> bytes:
        """What a part holds; RunError where the run has none of this name or it was changed."""
        if name not in self.sealed:
            has = f"it has {', '.join(self.parts)}" if self.parts else "it has none"
            raise RunError(f"{self.path}: has no part '{name}'; {has}.")
        try:
            data = (self.path / self.files.get(name, name)).read_bytes()
        except OSError as error:
            raise RunError(f"{self.path}: {name} cannot be read ({error.strerror}).") from error
        if hashlib.sha256(data).hexdigest() != self.sealed[name]:
            raise RunError(
                f"{self.path}: {name} is not the file that was sealed (its sha256 differs); load "
                "the run again, or restore the file."
            )
        return data

    def as_parent(self, verb: str) -> Parent:
        """What a run that `verb` makes from this one says of it."""
        return Parent(self.identity, verb, self.path.resolve().name)


def load_run(path: str | Path, *, adapter: str | None = None, pretrained: bool = False) -> Run:
    """Read a run of this or an older format, as it was made: no rule of today is applied to it.

    adapter: that it answers with; `none` for none of them, and for None the one that the run was
    made to answer with, if any. pretrained: a run that answers nothing, since it learned without
    labels, will do too. RunError when a file is missing or is not the one that was written, where a
    newer version made the run, and where it holds no such adapter.
    """
    from modalloy.runs.adapters import with_adapter

    run = load_plain(Path(path))
    if not pretrained:
        refuse_pretrained(run)
    return with_adapter(run, adapter)


def refuse_pretrained(run: Run) -> None:
    """RunError for a run that learned without labels where answers are asked for."""
    if run.kind == PRETRAINED:
        raise RunError(
            f"{run.path}: was pretrained without labels and answers nothing yet; train from it, "
            f"with `train: {{start: {run.path}}}` in a job."
        )


def load_plain(path: Path) -> Run:
    """The run as it is without any of its adapters."""
    if path.is_file() or (path / "manifest.json").is_file():
        raise RunError(
            f"{path}: is no run directory but a bundle, or another file. A bundle answers and can "
            "be evaluated on a table; whatever learns on or looks inside needs the run that it was "
            "exported from."
        )
    if not path.is_dir():
        raise RunError(f"{path}: no such run directory.")
    if not (path / "run.json").is_file():
        unfinished = (path / CHECKPOINTS).is_dir()
        raise RunError(
            f"{path}: "
            + (
                "this training has not finished; go on with `modalloy train JOB -o RUN --resume`."
                if unfinished
                else "not a run directory, it holds no run.json."
            )
        )
    seal = find_parts(path)
    written, schema = read_written(path / "job.yaml"), read_json(path / "schema.json")
    raw = migrate(RawRun(seal.data, written, schema))
    if raw.seal["kind"] not in KINDS:
        raise RunError(
            f"{path}: is a run of kind {raw.seal['kind']!r}, which this version does not know; "
            "upgrade modalloy."
        )
    job = job_from(raw.job, path / "job.yaml")
    return Run(
        path,
        job,
        from_state(raw.schema["readers"]),
        targets_from_state(raw.schema["targets"], job),
        raw.schema["trunks"],
        raw.seal["notes"],
        raw.schema["decimal"],
        stages_from_state(raw.schema["stages"]),
        seal.format,
        raw.seal["kind"],
        None if raw.seal["parent"] is None else Parent(**raw.seal["parent"]),
        seal.sha256,
        seal.identity,
        compressed=raw.schema.get("compressed", []),
    )


def find_parts(path: Path) -> Seal:
    """The seal of a run of which every part is the one that was sealed, or RunError."""
    seal = read_seal(path)
    try:
        for name in dict.fromkeys([*PARTS, *seal.sha256]):
            find_sealed(path, name, seal.sha256.get(name))
    except RunError:
        if read_seal(path).identity == seal.identity:
            raise
        return find_parts(path)  # sealed anew meanwhile, by another process
    return seal
