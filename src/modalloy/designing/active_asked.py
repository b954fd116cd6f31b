"""What the runs of an active plan are chosen for, and refusals of what makes no sense."""

from collections.abc import Mapping

from modalloy.errors import TwinError
from modalloy.job.options import did_you_mean
from modalloy.twin.asked import Asked, Choosing
from modalloy.twin.outputs import NumberOutput
from modalloy.twin.plans import MOST_RUNS
from modalloy.twin.tasks import checked, open_space
from modalloy.twin.twin import Twin

SHARE_FIRST = 4  # one run of so many is spread by a Sobol sequence
LEAST_FIRST = 8  # below which a surrogate has too little to begin with
LEAST_RUNS = 2 * LEAST_FIRST
BATCHES = 12  # after the first runs; more where one would be larger than
AT_ONCE = 512  # runs

Wanted = Mapping[str, tuple[str, ...]]  # outputs under about, minimise and maximise


def choosing_of(twin: Twin, asked: Asked, wanted: Wanted) -> Choosing:
    """How the runs of an active plan are chosen; about every number that the twin tells where
    nothing is said.

    TwinError for outputs that cannot be learned, too few runs, given designs or nothing to choose.
    """
    refuse_nothing_to_choose(twin, asked)
    numbers = [n for n, output in twin.outputs.items() if isinstance(output, NumberOutput)]
    if not numbers:
        raise TwinError(
            f"plan: active plans learn from number outputs, and {twin.name} has none; use sobol, "
            "latin or factorial."
        )
    seen: dict[str, str] = {}
    for option, names in wanted.items():
        for name in names:
            refuse_output(twin, option, name, numbers)
            if name in seen:
                raise TwinError(f"{option}: {name} is under {seen[name]} already; name it once.")
            seen[name] = option
    sought = bool(wanted["minimise"] or wanted["maximise"])
    if sought and wanted["about"]:
        raise TwinError(
            "about: runs are chosen either for what they teach or for what they promise; leave out "
            "about, or minimise and maximise."
        )
    about = () if sought else wanted["about"] or tuple(numbers)
    first = max(LEAST_FIRST, -(-asked.count // SHARE_FIRST))
    batch = min(AT_ONCE, -(-(asked.count - first) // BATCHES))
    return Choosing(first, batch, about, wanted["minimise"], wanted["maximise"])


def refuse_nothing_to_choose(twin: Twin, asked: Asked) -> None:
    """TwinError where an active plan has no runs or no variables to choose."""
    if asked.designs is not None:
        raise TwinError("designs: are given, so that an active plan has nothing to choose.")
    if not LEAST_RUNS <= asked.count <= MOST_RUNS:
        raise TwinError(
            f"runs: {asked.count} is no active plan, which first spreads {LEAST_FIRST} runs at "
            f"least; give {LEAST_RUNS} to {MOST_RUNS:,}."
        )
    if not open_space(twin, checked(twin, asked.fixed, "set: ")).free:
        raise TwinError("set: fixes every variable, so that an active plan has nothing to choose.")


def refuse_output(twin: Twin, option: str, name: str, numbers: list[str]) -> None:
    """TwinError where a name is none of the numbers that the twin tells."""
    if name in numbers:
        return
    if name in twin.outputs:
        raise TwinError(
            f"{option}: {name} is {twin.outputs[name].type}; active plans learn from number "
            f"outputs: {', '.join(numbers)}."
        )
    if name in twin.variables or name in twin.hidden:
        raise TwinError(
            f"{option}: {name} is set, not told by a run; name one of {', '.join(numbers)}."
        )
    raise TwinError(f"{option}: {name} is no output of this twin.{did_you_mean(name, numbers)}")


def refuse_without_choice(wanted: Wanted) -> None:
    """TwinError where outputs are named and nothing is chosen."""
    for option, names in wanted.items():
        if names:
            raise TwinError(
                f"{option}: says what an active plan chooses its runs for, and no other plan "
                "chooses any; give --plan active, or leave it out."
            )
