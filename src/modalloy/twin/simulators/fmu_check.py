"""What is wrong with an FMU before anything runs: its file, its platform, the names it knows."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from modalloy.errors import TwinError
from modalloy.twin.runs import Expected
from modalloy.twin.simulators.fmu import Fmu, import_fmpy
from modalloy.twin.simulators.fmu_units import check_units

NAMED_MOST = 6  # names that a sentence lists


def prepare_fmu(
    fmu: Fmu, variables: Collection[str], outputs: Mapping[str, Expected], folder: Path
) -> Fmu:
    """The FMU, unpacked into `folder` once for all processes that run it.

    TwinError where it is none, was built for other machines, lacks what it is asked for, or has it
    in another unit.
    """
    fmpy, file = import_fmpy(), Path(fmu.file)
    steps = fmu.stop_time_s / fmu.step_s
    if round(steps) < 1 or not math.isclose(steps, round(steps), rel_tol=1e-9):
        raise TwinError(
            f"simulator: stop_time_s {fmu.stop_time_s:g} is no whole number of steps of step_s "
            f"{fmu.step_s:g}."
        )
    if not file.is_file():
        raise TwinError(f"simulator: no file {file}.")
    unpacked = folder / "fmu"
    try:
        built_for = fmpy.supported_platforms(str(file))
        fmpy.extract(str(file), unpacked)
        model = fmpy.read_model_description(str(unpacked), validate=False)
    except Exception as error:  # FMPy raises plain exceptions, and those of zip and XML readers
        said = " ".join(str(error).split())
        raise TwinError(f"simulator: {file} cannot be read as an FMU ({said}).") from error
    if fmpy.platform not in built_for:
        known = ", ".join(p for p in built_for if p != "c-code") or "no machine"
        raise TwinError(
            f"simulator: {file} was built for {known}, and this machine is {fmpy.platform}; export "
            f"it again for {fmpy.platform}."
        )
    if model.coSimulation is None or not model.fmiVersion.startswith(("2", "3")):
        how = "without" if model.coSimulation is None else "with"
        raise TwinError(
            f"simulator: {file} is of FMI {model.fmiVersion} {how} co-simulation; export it for "
            "co-simulation by FMI 2.0 or 3.0."
        )
    check_names(model, variables, outputs, file)
    check_units(model, fmu.units, file)
    return fmu._replace(file=str(unpacked))


def check_names(
    model: Any, variables: Collection[str], outputs: Mapping[str, Expected], file: Path
) -> None:
    """TwinError for a name that the FMU does not have, that cannot be set, or is no number."""
    from fmpy import simulation

    known = {variable.name: variable for variable in model.modelVariables}
    for name in [*variables, *outputs]:
        if name not in known:
            raise TwinError(f"simulator: {file} has no variable '{name}'.{hint(name, known)}")
        if known[name].shape:
            raise TwinError(
                f"simulator: {file}: '{name}' is an array; only single values are used."
            )
    for name in variables:
        variable = known[name]
        at_start = simulation.settable_in_instantiated(variable)
        if not (at_start or simulation.settable_in_initialization_mode(variable)):
            raise TwinError(
                f"simulator: {file}: '{name}' cannot be set, it is {variable.causality} "
                f"({variable.variability}) there; take it out of the variables."
            )
    for name, expected in outputs.items():
        if expected.kind != "number" or known[name].type in ("String", "Binary"):
            raise TwinError(
                f"simulator: {file}: an FMU tells numbers; '{name}' is {known[name].type} there "
                f"and {expected.kind} in the twin."
            )


def hint(name: str, known: Collection[str]) -> str:
    """A name that is near, or some of those that there are."""
    from modalloy.job.options import did_you_mean

    some = ", ".join(list(known)[:NAMED_MOST])
    more = f" and {len(known) - NAMED_MOST} more" if len(known) > NAMED_MOST else ""
    return did_you_mean(name, known) or f" It has {some}{more}."
