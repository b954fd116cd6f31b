"""Sentences about a calibration: what rows do not tell, and where the twin misfits."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from modalloy.twin.calibration.calibrated import HiddenEstimate, OutputFit, quantity
from modalloy.twin.calibration.misfit import Outlier, Pattern
from modalloy.twin.calibration.posterior import Posterior
from modalloy.twin.calibration.starts import APART
from modalloy.twin.variables import Hidden

ALIKE = 0.95  # correlation of two parameters that rows cannot tell apart
CLEAR = 0.5  # of the deviation without rows: both parameters are told all the same
FAR = 3.0  # deviations of the twin's file from its default


def about_hidden(
    hidden: Sequence[HiddenEstimate],
    declared: Mapping[str, Hidden],
    posterior: Posterior,
    others_XK: np.ndarray,
) -> Iterator[str]:
    """What rows do not tell of hidden parameters, or tell against the twin.

    others_XK: fits elsewhere, in their units.
    """
    for one in hidden:
        if one.told == "not":
            yield (
                f"{one.name}: these rows do not tell it; its interval is as wide as without them, "
                "so it stays as the twin has it. Rows at other settings, or another output, may."
            )
        elif one.at_bound:
            yield (
                f"{one.name}: stops at its bound {one.estimate:.4g}; widen its bounds if it can "
                "lie beyond, else the twin lacks something that acts in the plant."
            )
        usual = declared[one.name].deviation
        if (
            one.told == "alone"
            and usual is not None
            and abs(one.estimate - one.before) > FAR * usual
        ):
            yield (
                f"{one.name}: lies {abs(one.estimate - one.before) / usual:.1f} deviations from "
                "its default; the twin's deviation was too sure of it, and still pulls it back."
            )
    yield from _pairs(hidden, posterior)
    yield from _combined(hidden, posterior)
    yield from _spreads(hidden)
    firm = [h.told == "alone" for h in hidden]
    width_K = np.array([own.high - own.low for own in declared.values()])
    for x_K in others_XK:
        off_K = np.abs(x_K - [h.estimate for h in hidden]) / width_K
        if not (off_K[firm] > APART).any():
            continue  # the same answer, as far as rows tell one
        place = ", ".join(f"{h.name} {x:.4g}" for h, x in zip(hidden, x_K, strict=True))
        yield f"Another place fits nearly as well: {place}. More rows would decide."


def _pairs(hidden: Sequence[HiddenEstimate], posterior: Posterior) -> Iterator[str]:
    """Parameters that rows tell only together."""
    share_K = posterior.deviation_K / posterior.before_K
    for i, one in enumerate(hidden):
        for j, other in enumerate(hidden[:i]):
            both = float(posterior.correlation_KK[i, j])
            if abs(both) <= ALIKE:
                continue
            pair = f"{other.name} and {one.name}"
            if max(share_K[i], share_K[j]) < CLEAR:
                yield (
                    f"{pair} are told more surely together than one by one (correlation "
                    f"{both:.2f}); change them together or not at all."
                )
            else:
                yield (
                    f"{pair} cannot be told apart (correlation {both:.2f}): rows at other settings "
                    "or another output may; or leave one of them at a value that is known."
                )


def _combined(hidden: Sequence[HiddenEstimate], posterior: Posterior) -> Iterator[str]:
    """Parameters that go with more than one other."""
    pairs_KK = np.abs(posterior.correlation_KK) > ALIKE
    for k, one in enumerate(hidden):
        if one.told == "together" and pairs_KK[k].sum() < 2:
            yield (
                f"{one.name}: rows tell only what it and other hidden parameters come to together; "
                "its value fits with the others' alone."
            )


def _spreads(hidden: Sequence[HiddenEstimate]) -> Iterator[str]:
    """Whether parts are shown to differ."""
    for one in hidden:
        if one.told == "alone" and one.spread_high > 0.0 and one.spread_low == 0.0:
            yield (
                f"{one.name}: rows do not show that parts differ in it; a spread of up to "
                f"{quantity(one.spread_high, one.unit)} would look the same as noise."
            )


def about_outputs(
    outputs: Sequence[OutputFit],
    patterns: Sequence[Pattern],
    noisy: dict[int, float],
    outliers: Sequence[Outlier],
    row_N: np.ndarray,
) -> Iterator[str]:
    """Where the twin misfits. row_N: numbers of rows in their table."""
    for one in patterns:
        output = outputs[one.output]
        size = quantity(abs(one.size), output.unit)
        side = "above" if one.size > 0 else "below"
        match one.kind:
            case "bias":
                said = f"the plant lies {size} {side} the twin on average"
            case "slope":
                way = "rises" if one.size > 0 else "falls"
                said = f"what is left {way} by {size} with {one.of} over the rows' range"
            case _:
                said = f"what is left bends by {size} with {one.of} over the rows' range"
        yield (
            f"{output.name}: the twin misfits; {said}, {one.share:.0%} of all that is left and "
            "more than spread and noise explain. Its intervals are too narrow as far as this is so."
        )
    for o, times in noisy.items():
        yield (
            f"{outputs[o].name}: the twin misfits; {times:.1f} times as much is left as spread and "
            "the noise that was given explain."
        )
    if outliers:
        first = outliers[0]
        more = f", and {len(outliers) - 1} more cells" if len(outliers) > 1 else ""
        yield (
            f"row {row_N[first.row]}: its {outputs[first.output].name} lies "
            f"{first.deviations:.0f} deviations away{more}; leave out rows that were mismeasured."
        )
