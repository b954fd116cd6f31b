"""The verb `simulate`: a plan of runs of a twin, and a row for each of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalloy.errors import TwinError
from modalloy.twin.asked import Asked, PlanKind, Unseen
from modalloy.twin.twin_file import Source, load_twin

if TYPE_CHECKING:
    from modalloy.twin.simulated import Simulated


def simulate(
    twin: Source,
    *,
    out: str | Path,
    runs: int = 200,
    plan: PlanKind = "sobol",
    seed: int | None = None,
    hidden: Unseen = "drawn",
    show_hidden: bool = False,
    fixed: Mapping[str, Any] | None = None,
    designs: Sequence[Mapping[str, Any]] | None = None,
    workers: int | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> "Simulated":
    """Run a twin by a plan and write a row a run, failed ones too, to the Parquet file `out`.

    twin: what `load_twin` takes, as a twin file, `bracket` or `weld`. plan: `latin`, `sobol` or
    `factorial`, of at most `runs` runs. seed: the twin's own otherwise. hidden: parameters that
    cannot be seen are `drawn` for each run, or stay at their `default`; show_hidden: rows hold them
    as `hidden_NAME`. fixed: values that are the same in every run, of variables or hidden
    parameters. designs: in place of a plan, a mapping of values each, which may set hidden
    parameters too. workers: processes; one a core otherwise. resume: go on where it was stopped.

    The same twin, plan and seed give the same rows, seconds aside. Raises TwinError for a twin that
    cannot be used, an `out` that is taken, and values that cannot be set.
    """
    from modalloy.twin.simulate_run import simulate_run

    loaded = load_twin(twin)
    if workers is not None and workers < 1:
        raise TwinError(f"workers: {workers} run nothing; give 1 or more.")
    own = loaded.seed if seed is None else seed
    if own < 0:
        raise TwinError(f"seed: must be 0 or more. Got {own}.")
    asked = Asked(plan, runs, own, hidden, fixed or {}, designs)
    return simulate_run(
        loaded,
        asked,
        Path(out),
        show_hidden=show_hidden,
        workers=workers,
        resume=resume,
        quiet=quiet,
    )
