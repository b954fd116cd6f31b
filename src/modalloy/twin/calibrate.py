"""`simulate TWIN --from ROWS`: hidden parameters from plant rows, and how sure they are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.errors import TwinError
from modalloy.job.options import did_you_mean
from modalloy.machine.files import write_safely
from modalloy.twin.calibration.calibrated import CalibratedTwin, HiddenEstimate, OutputFit
from modalloy.twin.calibration.findings import about_hidden, about_outputs
from modalloy.twin.calibration.fit import FEWEST_PARTS, USUAL, HiddenFit, Manner, fit_hidden
from modalloy.twin.calibration.misfit import outliers_of, patterns_of, too_noisy
from modalloy.twin.calibration.plant_columns import AS_NAMED, PlantColumns
from modalloy.twin.calibration.plant_rows import PlantRows, read_plant_rows
from modalloy.twin.calibration.posterior import Posterior
from modalloy.twin.calibration.prior import Prior, prior_of
from modalloy.twin.calibration.trials import pooled
from modalloy.twin.calibration.written import write_twin
from modalloy.twin.described import limits_of, simulator_of
from modalloy.twin.outputs import NumberOutput
from modalloy.twin.space import Space
from modalloy.twin.twin import Twin
from modalloy.twin.twin_file import Source, load_twin

LEAST = 1e-9  # of a parameter's width: a deviation is never 0
DIGITS = 6  # of a number in the twin that is written


def calibrate_twin(
    source: Source,
    rows: Any,
    *,
    out: Path | None = None,
    columns: PlantColumns = AS_NAMED,
    manner: Manner = USUAL,
    workers: int | None = None,
) -> CalibratedTwin:
    """Calibrate hidden parameters to plant rows, after Kennedy and O'Hagan (2001) without their
    discrepancy: what the twin lacks is told in words (`findings`) instead of being learned.

    rows: whatever `open_table` takes, with the twin's variables and any of its numbers. out: where
    the calibrated twin is written, NAME-calibrated.yaml in this folder otherwise; what was found
    goes beside it with the ending `.json`.

    TwinError where twin and rows do not go together, or no run succeeds.
    """
    twin = load_twin(source)
    checked(twin, manner)
    plant = read_plant_rows(twin, rows, names=columns, most=manner.rows, seed=manner.seed)
    unknown = [name for name in manner.noise if name not in plant.outputs]
    if unknown:
        near = did_you_mean(unknown[0], plant.outputs)
        raise TwinError(f"--noise {unknown[0]}: is no output that rows and twin both have.{near}")
    prior = prior_of(twin.hidden)
    with pooled(
        simulator_of(twin),
        limits_of(twin),
        plant.designs,
        plant.outputs,
        prior.names,
        seed=manner.seed,
        workers=workers,
    ) as simulated:
        fit = fit_hidden(simulated, prior, plant, manner)
    found = told(twin, plant, prior, fit, manner)
    path = out or Path(f"{twin.name}-calibrated.yaml")
    write_twin(found.twin, path, found.text().splitlines())
    write_safely(path.with_suffix(".json"), found.as_json())
    return replace(found, path=path)


def checked(twin: Twin, manner: Manner) -> None:
    """TwinError where what was asked makes no sense."""
    if not 0.0 < manner.confidence < 1.0:
        raise TwinError(f"--confidence: must lie between 0 and 1. Got {manner.confidence:g}.")
    for name in ("starts", "rows"):
        if (count := getattr(manner, name)) < 1:
            raise TwinError(f"--{name}: must be 1 or more. Got {count}.")
    for name, noise in manner.noise.items():
        if not (noise > 0.0 and np.isfinite(noise)):
            raise TwinError(f"--noise {name}: must be a number above 0. Got {noise:g}.")


def told(
    twin: Twin, plant: PlantRows, prior: Prior, fit: HiddenFit, manner: Manner
) -> CalibratedTwin:
    """What a fit says, in the twin's units and in words."""
    hidden = estimates(twin, prior, fit)
    outputs = output_fits(twin, plant, fit)
    patterns = patterns_of(fit.refined, fit.measured, plant.u_ND, Space(twin.variables).names)
    sized = [one._replace(size=one.size * fit.unit_O[one.output]) for one in patterns]
    noisy = too_noisy(fit.refined, fit.measured)
    others_XK = prior.values(fit.others_XK)
    findings = [
        *about_hidden(hidden, twin.hidden, fit.posterior, others_XK),
        *about_outputs(outputs, sized, noisy, outliers_of(fit.refined, noisy), plant.row_N),
    ]
    return CalibratedTwin(
        with_hidden(twin, hidden),
        plant.source,
        len(plant.designs),
        plant.parts,
        fit.runs,
        manner.confidence,
        tuple(hidden),
        tuple(outputs),
        tuple(map(tuple, fit.posterior.correlation_KK.round(4).tolist())),
        tuple(findings),
        (*plant.notes, *notes_of(plant, fit, manner)),
    )


def notes_of(plant: PlantRows, fit: HiddenFit, manner: Manner) -> list[str]:
    """What is to be known of how the fit was made."""
    notes = []
    if manner.spread and not fit.measured.spread:
        notes.append(
            f"Parts are taken as alike: {plant.parts} are fewer than the {FEWEST_PARTS} that tell "
            "how they differ."
        )
    if not fit.refined.settled:
        notes.append("The fit has not come to rest, so its figures are rough.")
    gone = np.isfinite(plant.y_NO) & ~np.isfinite(fit.refined.left_NO)
    if count := int(gone.any(1).sum()):
        notes.append(f"{count} rows were not used in the end: the twin fails at their settings.")
    return notes


def estimates(twin: Twin, prior: Prior, fit: HiddenFit) -> list[HiddenEstimate]:
    """Every hidden parameter in its own unit."""
    p = fit.posterior
    value_K, low_K, high_K = prior.values(np.stack([p.t_K, p.low_K, p.high_K]))
    widths = np.stack([p.deviation_K, p.spread_K, p.spread_low_K, p.spread_high_K])
    deviation_K, spread_K, spread_low_K, spread_high_K = widths * prior.width_K
    written_K = [written(p, k, float(prior.width_K[k])) for k in range(prior.size)]
    return [
        HiddenEstimate(
            name,
            own.unit,
            own.usual,
            float(value_K[k]),
            float(low_K[k]),
            float(high_K[k]),
            float(deviation_K[k]),
            p.told(k),
            written_K[k],
            float(spread_K[k]),
            float(spread_low_K[k]),
            float(spread_high_K[k]),
            bool(p.stopped_K[k]),
        )
        for k, (name, own) in enumerate(twin.hidden.items())
    ]


def output_fits(twin: Twin, plant: PlantRows, fit: HiddenFit) -> list[OutputFit]:
    """Every output that was compared, in its own unit."""
    left_NO = fit.refined.left_NO * fit.unit_O
    found = []
    for o, name in enumerate(plant.outputs):
        output = twin.outputs[name]
        assert isinstance(output, NumberOutput)
        known_N = np.isfinite(left_NO[:, o])
        y_N, left_N = plant.y_NO[known_N, o], left_NO[known_N, o]
        whole = float(((y_N - y_N.mean()) ** 2).sum()) if len(y_N) else 0.0
        explained = 1.0 - float((left_N**2).sum()) / whole if whole > 0.0 else 0.0
        noise = float(fit.refined.scales.noise_O[o] * fit.unit_O[o])
        bias = float(left_N.mean()) if len(left_N) else 0.0
        found.append(OutputFit(name, output.unit, len(left_N), noise, explained, bias))
    return found


def with_hidden(twin: Twin, hidden: list[HiddenEstimate]) -> Twin:
    """The twin as the plant is; what rows do not tell stays as it was."""
    own = dict(twin.hidden)
    for one in hidden:
        if one.written is not None:
            before = own[one.name]
            default = min(max(rounded(one.estimate), before.low), before.high)
            changed = {"default": default, "deviation": one.written}
            own[one.name] = before.model_copy(update=changed)
    return twin.model_copy(update={"hidden": own})


def written(posterior: Posterior, k: int, width: float) -> float | None:
    """Deviation of a next part: spread between parts and what is not known of their mean.

    Of what is told only together, the latter is as if others were known: a twin draws each
    parameter by itself, and would leave their combination otherwise.
    """
    match posterior.told(k):
        case "not":
            return None
        case "alone":
            mean = float(posterior.deviation_K[k])
        case _:
            mean = float(posterior.alone_K[k])
    return rounded(width * max(float(np.hypot(mean, posterior.spread_K[k])), LEAST))


def rounded(value: float) -> float:
    """To so many digits."""
    return float(f"{value:.{DIGITS}g}")
