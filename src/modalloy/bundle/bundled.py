"""A bundle as a run: it answers like the run that it was made of, from its own graphs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modalloy.answer.stage import stages_from_state, stages_to_state
from modalloy.bundle.archive import Archive
from modalloy.bundle.golden_note import why_without
from modalloy.bundle.names import MANIFEST
from modalloy.bundle.told import JOB, ODD, ORIGIN, SCHEMA, refuse_lacking, rightly, told_by
from modalloy.errors import BundleError, JobError, RunError
from modalloy.graphs.branch import FUSION, Branch
from modalloy.graphs.devices import device_named
from modalloy.job.inputs import shared_encoders
from modalloy.job.job_file import job_data
from modalloy.machine.fingerprint import Fingerprint
from modalloy.readers.batch import TABLE, inputs_of
from modalloy.readers.build import from_state, targets_from_state, to_state
from modalloy.runs.parts import ROWS
from modalloy.runs.run import Run, load_run
from modalloy.runs.seal import FORMAT, Parent
from modalloy.runs.written_job import job_from
from modalloy.table.split import Parts

if TYPE_CHECKING:
    from modalloy.model.model import Model

ABSENT = "absent.safetensors"  # what stands for a missing cell of each media input
PARITY = "parity"  # of the manifest's notes: how each way to compute it agrees with the run
WEIGHTS = "model.safetensors"  # of a bundle that answers with torch, which has no branches


@dataclass(frozen=True)
class Bundle(Run):
    """A run whose parts lie in an archive, and whose network is graphs.

    branches: by input, fusion and heads under `FUSION`. device: that it was asked to answer on.
    machine: that it was made on, None where it does not say. golden_rows: how many it holds, None
    where it does not say. without_rows: why it holds none, in words; None where it does.
    """

    archive: Archive | None = None
    branches: Mapping[str, Branch] = field(default_factory=dict)
    device: str = "auto"
    machine: Fingerprint | None = None
    golden_rows: int | None = None
    without_rows: str | None = None

    def part(self, name: str) -> bytes:
        """What a part holds; BundleError where there is none, or another than was written."""
        assert self.archive is not None
        return self.archive.read(name)

    def absent(self) -> dict[str, np.ndarray]:
        """Media input -> the learned vector (D,) of rows without it; BundleError without one."""
        from safetensors.numpy import load

        with rightly(self.path):
            found = load(self.part(ABSENT))
        media = [n for n in inputs_of(self.readers) if n != TABLE]
        for m, name in enumerate(media):
            one = found.get(str(m))
            if one is None or one.ndim != 1 or one.dtype != np.float32:
                raise BundleError(
                    f"{self.path}: {ABSENT} lacks what stands for a missing cell of '{name}'; "
                    "export the bundle again."
                )
        return {name: found[str(m)] for m, name in enumerate(media)}

    def model(self) -> "Model":
        """BundleError: a bundle answers, and holds nothing that could learn or be looked into."""
        raise self._answers_only()

    def body(self) -> "Model":
        """BundleError, as for `model`."""
        raise self._answers_only()

    def network(self) -> "Model":
        """The network of a bundle that answers with torch, on this machine's accelerator if it has
        one; RunError where its weights do not fit.
        """
        from safetensors.torch import load

        from modalloy.model.device import placed
        from modalloy.model.model import Model

        data = self.part(WEIGHTS)
        try:
            given = (self.job, self.readers, self.targets)
            model = Model(*given, pretrained=False, trunks=self.trunks)
            model.load_state_dict(load(data))
        except (RuntimeError, *ODD) as error:
            raise RunError(f"{self.path}: {WEIGHTS} does not fit its job: {error}") from error
        return placed(model).eval()

    def prints(self) -> Parts:
        """Fingerprints of the rows of each part when the model was trained, in their order."""
        from safetensors.numpy import load

        return Parts(**load(self.part(ROWS)))

    def _answers_only(self) -> BundleError:
        return BundleError(
            f"{self.path}: is a bundle, which answers and can be evaluated on a table; whatever "
            "learns on or looks inside needs the run that it was exported from."
        )


def is_bundle(path: str | Path) -> bool:
    """Whether a path is a bundle rather than a run, by what lies there."""
    path = Path(path)
    return path.is_file() or (path / MANIFEST).is_file()


def load_bundle(path: str | Path, *, trust: Path | None = None, device: str = "auto") -> Bundle:
    """Read a bundle of this or an older format. trust: the public key that it must be signed with.

    BundleError where it is damaged, unsafe, of a newer version, not trusted, or does not say what
    answering needs, and for a device that is none; RunError where what it holds is of no use to
    this version.
    """
    device = device_named(device)
    archive = Archive.open(path, trust=trust)
    told = told_by(archive)
    raw, parent = told.raw, told.raw.seal["parent"]
    with rightly(archive.path):
        job = job_from(raw.job, archive.path / JOB)
        refuse_lacking(archive.path, "the task", set(raw.schema["targets"]), job.tasks)
        refuse_lacking(archive.path, "what the task answers,", job.tasks, raw.schema["targets"])
        readers = from_state(raw.schema["readers"])
        targets = targets_from_state(raw.schema["targets"], job)
        stages = stages_from_state(raw.schema["stages"])
        if told.branches:
            alike = shared_encoders(job)
            needed = {alike.get(n, n) for n in inputs_of(readers)} | {FUSION}
            refuse_lacking(archive.path, "the graph of", needed, told.branches)
    return Bundle(
        archive.path,
        job,
        readers,
        targets,
        raw.schema["trunks"],
        raw.seal["notes"],
        raw.schema["decimal"],
        stages,
        told.origin.format,
        "model",
        None if parent is None else Parent(**parent),
        {**told.origin.sha256, **archive.manifest.sha256},
        archive.manifest.identity,
        archive=archive,
        branches=told.branches,
        device=device,
        machine=told.machine,
        golden_rows=None if told.golden is None else told.golden.rows,
        without_rows=why_without(told.golden, archive.names, archive.path),
    )


def load_any(
    path: str | Path,
    *,
    adapter: str | None = None,
    trust: Path | None = None,
    device: str = "auto",
    pretrained: bool = False,
) -> Run:
    """A run or a bundle, whichever lies at a path; see `load_run` and `load_bundle`.

    JobError for an adapter of a bundle, which answers as its run did when it was exported, and for
    a key that a run should be signed with.
    """
    if is_bundle(path):
        if adapter is not None:
            raise JobError(
                f"{path}: is a bundle, which answers with the adapter that its run had when it was "
                "exported; leave --adapter out, or export the run with another one."
            )
        return load_bundle(path, trust=trust, device=device)
    if trust is not None:
        raise JobError(f"{path}: is a run, which nobody signs; --trust is for bundles.")
    return load_run(path, adapter=adapter, pretrained=pretrained)


def say_parity(bundle: Bundle) -> list[str]:
    """A line for each way to compute it, how many rows it decided as the run did, and one where it
    holds no golden rows.
    """
    assert bundle.archive is not None
    found = []
    with rightly(bundle.path):
        for label, own in bundle.archive.manifest.notes.get(PARITY, {}).items():
            same = ", ".join(f"{task} {100 * t['same']:.2f} %" for task, t in own["tasks"].items())
            found.append(f"{label}: {own['rows']} {own['which']}, decided as by the run: {same}")
    return [*found, *unchecked(bundle)]


def unchecked(bundle: Bundle) -> list[str]:
    """A sentence where a bundle cannot be checked on another machine; none of any other."""
    if bundle.without_rows is None:
        return []
    return [
        f"{bundle.path.name} holds no golden rows ({bundle.without_rows}): on another kind of "
        "processor or device nothing tells whether it still answers as its run"
    ]


def parts_of(
    run: Run, absent: Mapping[str, np.ndarray], *, weights: bytes | None = None
) -> dict[str, bytes]:
    """What a bundle of a run holds beside its graphs: all that answering needs.

    absent: media input -> its learned vector, in the order of the inputs. weights: of the network,
    for a bundle that answers with torch instead of graphs.
    """
    from safetensors.numpy import save

    schema = {
        "readers": to_state(run.readers),
        "targets": to_state(run.targets),
        "trunks": {} if weights is None else run.trunks,
        "decimal": run.decimal,
        "stages": stages_to_state(run.stages),
    }
    origin = {
        "format": FORMAT,
        "kind": "model",
        "parent": run.as_parent("export")._asdict(),
        "sha256": {WEIGHTS: run.sealed[WEIGHTS]},  # what a policy was certified for
        "notes": {k: v for k, v in run.notes.items() if k != "adapter"},
    }
    vectors = {str(m): np.ascontiguousarray(x_D) for m, x_D in enumerate(absent.values())}
    kept = {name: run.part(name) for name in run.parts if not name.startswith("adapter.")}
    if weights is not None:
        kept[WEIGHTS] = weights
    return kept | {
        JOB: as_json(job_data(run.job)),
        SCHEMA: as_json(schema),
        ORIGIN: as_json(origin),
        ROWS: (run.path / ROWS).read_bytes(),
        ABSENT: save(vectors),
    }


def as_json(data: Any) -> bytes:
    """Data as JSON, every number finite."""
    return json.dumps(data, allow_nan=False).encode()
