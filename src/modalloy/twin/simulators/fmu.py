"""A simulator that is a functional mock-up unit (FMU), run by FMPy as co-simulation.

FMI standard 2.0 and 3.0 (fmi-standard.org). One instance serves all runs of a process, reset
between them; after a run that failed inside of it there is another.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from modalloy.errors import TwinError
from modalloy.twin.runs import FailedRun, Simulate

At = Literal["last", "mean", "min", "max"]


class Fmu(NamedTuple):
    """file: the FMU, absolute; once it is prepared, the folder where it was unpacked. stop_time_s:
    simulated time of one run. step_s: between two exchanges with it. at: which of an output's
    values over a run is told; `mean` over time. units: of variables and outputs, where the twin
    says one.
    """

    file: str
    stop_time_s: float
    step_s: float
    at: At
    units: Mapping[str, str] = {}


def open_fmu(fmu: Fmu, outputs: Collection[str]) -> Simulate:
    """What runs a prepared FMU once. TwinError where its library cannot be loaded."""
    fmpy = import_fmpy()
    try:
        model = fmpy.read_model_description(fmu.file, validate=False)
        first = fmpy.instantiate_fmu(fmu.file, model, "CoSimulation")
    except Exception as error:  # FMPy raises plain exceptions
        raise TwinError(f"simulator: the FMU cannot be loaded: {error}") from error
    types = {variable.name: variable.type for variable in model.modelVariables}
    instances: list[Any] = [first]  # none after a run that failed inside of it

    def simulate(values: Mapping[str, Any], *, seed: int, folder: Path) -> dict[str, float]:
        start = {name: started_with(name, value, types[name]) for name, value in values.items()}
        if not instances:
            instances.append(fmpy.instantiate_fmu(fmu.file, model, "CoSimulation"))
        instance = instances.pop()
        found = fmpy.simulate_fmu(
            fmu.file,
            start_time=0.0,
            stop_time=fmu.stop_time_s,
            output_interval=fmu.step_s,
            start_values=start,
            output=list(outputs),
            model_description=model,
            fmu_instance=instance,
        )
        instance.reset()
        instances.append(instance)
        return {name: told(found["time"], found[name], fmu.at) for name in outputs}

    return simulate


def started_with(name: str, value: Any, kind: str) -> Any:
    """A value as the FMU takes it; FailedRun where it does not."""
    if kind in ("String", "Binary", "Boolean"):
        return value
    if isinstance(value, str):
        raise FailedRun(f"'{name}' takes numbers in the FMU ({kind}), and it was '{value}'.")
    if not kind.startswith(("Real", "Float")) and value != int(value):
        raise FailedRun(f"'{name}' takes whole numbers in the FMU ({kind}), and it was {value:g}.")
    return value


def told(time_T: Any, value_T: Any, at: At) -> float:
    """One number for what an output was over a run. time_T: s, beginning and end included."""
    import numpy as np

    value_T = np.asarray(value_T, dtype=np.float64)
    match at:
        case "last":
            return float(value_T[-1])
        case "mean":
            return float(np.trapezoid(value_T, time_T) / (time_T[-1] - time_T[0]))
        case "min":
            return float(value_T.min())
        case "max":
            return float(value_T.max())


def import_fmpy() -> Any:
    """The library that runs FMUs; TwinError where it is not installed."""
    try:
        import fmpy
    except ImportError as error:
        raise TwinError(
            "simulator: an FMU needs the package fmpy, which is not installed; "
            "run: pip install 'modalloy[twin]'"
        ) from error
    return fmpy
