"""The verb `simulate`: a plan of runs of a twin, and a row for each of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalloy.designing.active_asked import Wanted, choosing_of, refuse_without_choice
from modalloy.errors import TwinError
from modalloy.twin.asked import Asked, RunPlan, Unseen
from modalloy.twin.twin import Twin
from modalloy.twin.twin_file import Source, load_twin

if TYPE_CHECKING:
    from modalloy.designing.active import ActivePlan
    from modalloy.twin.simulated import Simulated


def simulate(
    twin: Source,
    *,
    out: str | Path,
    runs: int = 200,
    plan: RunPlan = "sobol",
    seed: int | None = None,
    hidden: Unseen = "drawn",
    show_hidden: bool = False,
    fixed: Mapping[str, Any] | None = None,
    designs: Sequence[Mapping[str, Any]] | None = None,
    about: str | Sequence[str] = (),
    minimise: str | Sequence[str] = (),
    maximise: str | Sequence[str] = (),
    workers: int | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> "Simulated":
    """Run a twin by a plan and write a row a run, failed ones too, to the Parquet file `out`.

    twin: what `load_twin` takes, as a twin file, `bracket` or `weld`. plan: `latin`, `sobol` or
    `factorial`, of at most `runs` runs, or `active`. seed: the twin's own otherwise. hidden:
    parameters that cannot be seen are `drawn` for each run, or stay at their `default`;
    show_hidden: rows hold them as `hidden_NAME`. fixed: values that are the same in every run, of
    variables or hidden parameters. designs: in place of a plan, a mapping of values each, which may
    set hidden parameters too. workers: processes; one a core otherwise. resume: go on where it was
    stopped.

    An active plan spreads a quarter of its runs and chooses the others batch after batch, where a
    surrogate of the outputs `about`, all numbers otherwise, is least sure; with outputs to
    `minimise` or `maximise`, where it promises most.

    The same twin, plan and seed give the same rows, seconds aside. Raises TwinError for a twin that
    cannot be used, an `out` that is taken, values that cannot be set, and outputs that it has not.
    """
    from modalloy.twin.simulate_run import simulate_run

    loaded = load_twin(twin)
    if workers is not None and workers < 1:
        raise TwinError(f"workers: {workers} run nothing; give 1 or more.")
    own = loaded.seed if seed is None else seed
    if own < 0:
        raise TwinError(f"seed: must be 0 or more. Got {own}.")
    wanted = {"about": listed(about), "minimise": listed(minimise), "maximise": listed(maximise)}
    asked = Asked(plan, runs, own, hidden, fixed or {}, designs)
    asked, batches = with_batches(loaded, asked, wanted)
    return simulate_run(
        loaded,
        asked,
        Path(out),
        batches=batches,
        show_hidden=show_hidden,
        workers=workers,
        resume=resume,
        quiet=quiet,
    )


def with_batches(twin: Twin, asked: Asked, wanted: Wanted) -> "tuple[Asked, ActivePlan | None]":
    """What is asked with how an active plan's runs are chosen, and who chooses them."""
    if asked.kind != "active":
        refuse_without_choice(wanted)
        return asked, None
    from modalloy.designing.active import active_plan

    asked = asked._replace(choosing=choosing_of(twin, asked, wanted))
    return asked, active_plan(twin, asked)


def listed(names: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several."""
    return (names,) if isinstance(names, str) else tuple(names)
