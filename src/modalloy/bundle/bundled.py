"""A bundle as a run: it answers like the run that it was made of, from its own graphs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modalloy.answer.stage import stages_from_state, stages_to_state
from modalloy.bundle.archive import Archive
from modalloy.bundle.names import MANIFEST
from modalloy.errors import BundleError, JobError, RunError
from modalloy.graphs.branch import Branch
from modalloy.job.job_file import job_data
from modalloy.readers.batch import TABLE, inputs_of
from modalloy.readers.build import from_state, targets_from_state, to_state
from modalloy.runs.migrate import RawRun, migrate
from modalloy.runs.parts import ROWS
from modalloy.runs.run import Run, load_run
from modalloy.runs.seal import FORMAT, Parent
from modalloy.runs.written_job import job_from
from modalloy.table.split import Parts

if TYPE_CHECKING:
    from modalloy.model.model import Model

JOB, SCHEMA, ORIGIN = "job.json", "schema.json", "origin.json"  # what every bundle holds
ABSENT = "absent.safetensors"  # what stands for a missing cell of each media input
BRANCHES = "branches"  # of the manifest's notes
MACHINE = "machine"  # where it was made
PARITY = "parity"  # how each way to compute it agrees with the run
WEIGHTS = "model.safetensors"  # of a bundle that answers with torch, which has no branches


@dataclass(frozen=True)
class Bundle(Run):
    """A run whose parts lie in an archive, and whose network is graphs.

    branches: by input, fusion and heads under `FUSION`. device: that it was asked to answer on.
    """

    archive: Archive | None = None
    branches: Mapping[str, Branch] = field(default_factory=dict)
    device: str = "auto"

    def part(self, name: str) -> bytes:
        """What a part holds; BundleError where there is none, or another than was written."""
        assert self.archive is not None
        return self.archive.read(name)

    def absent(self) -> dict[str, np.ndarray]:
        """Media input -> the learned vector (D,) of rows without it."""
        from safetensors.numpy import load

        found = load(self.part(ABSENT))
        media = [n for n in inputs_of(self.readers) if n != TABLE]
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

        model = Model(self.job, self.readers, self.targets, pretrained=False, trunks=self.trunks)
        try:
            model.load_state_dict(load(self.part(WEIGHTS)))
        except RuntimeError as error:
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

    BundleError where it is damaged, unsafe, of a newer version or not trusted; RunError where what
    it holds is of no use to this version.
    """
    archive = Archive.open(path, trust=trust)
    origin, schema = archive.read_json(ORIGIN), archive.read_json(SCHEMA)
    raw = migrate(RawRun(origin, archive.read_json(JOB), schema))
    job = job_from(raw.job, archive.path / JOB)
    parent = raw.seal["parent"]
    branches = [Branch.from_state(s) for s in archive.manifest.notes[BRANCHES]]
    return Bundle(
        archive.path,
        job,
        from_state(raw.schema["readers"]),
        targets_from_state(raw.schema["targets"], job),
        raw.schema["trunks"],
        raw.seal["notes"],
        raw.schema["decimal"],
        stages_from_state(raw.schema["stages"]),
        origin["format"],
        "model",
        None if parent is None else Parent(**parent),
        {**origin["sha256"], **archive.manifest.sha256},
        archive.manifest.identity,
        archive=archive,
        branches={b.name: b for b in branches},
        device=device,
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
    """A line for each way to compute it: how many rows it decided as the run did."""
    assert bundle.archive is not None
    found = []
    for label, own in bundle.archive.manifest.notes.get(PARITY, {}).items():
        same = ", ".join(f"{task} {100 * t['same']:.2f} %" for task, t in own["tasks"].items())
        found.append(f"{label}: {own['rows']} {own['which']}, decided as by the run: {same}")
    return found


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
