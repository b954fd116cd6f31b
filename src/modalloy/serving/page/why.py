"""Why a row is answered so, as the page draws it: shares of columns, and marks inside cells."""

import io
from typing import Any

import numpy as np
from PIL import Image

from modalloy.attribution.drawn import (
    AGAINST,
    FOR,
    LEAST,
    MOST_CHANNELS,
    SIDE,
    rgb,
    strength,
    thinned,
)
from modalloy.attribution.explanation import Explanation, TaskReasons
from modalloy.attribution.inside import WINDOWS, Inside, spans_of
from modalloy.report.html import data_uri, picture_uri
from modalloy.serving.language import Language
from modalloy.serving.page.rendered import rendered
from modalloy.serving.plain import plain

WIDE = 600  # of a drawing, in its own measure


def why_html(language: Language, found: Explanation) -> str:
    """Every task's reasons."""
    return rendered("why.html", language, tasks=[plain(task_dict(t)) for t in found.tasks])


def task_dict(reasons: TaskReasons) -> dict[str, Any]:
    """One task: what is explained, what each column adds to it, and the inside of cells."""
    if reasons.outcome is None or reasons.columns is None:
        return {"task": reasons.task, "columns": None}
    shares = reasons.columns.shares
    order = reasons.columns.order
    most = float(np.abs(shares.value_N).max(initial=1e-12))
    error_N = np.zeros(len(shares.value_N)) if shares.error_N is None else shares.error_N
    return {
        "task": reasons.task,
        "explains": reasons.outcome.what,
        "unit": reasons.outcome.unit or "",
        "whole": shares.whole,
        "nothing": shares.nothing,
        "exact": shares.error_N is None,
        "network": reasons.network,
        "columns": [
            {
                "name": reasons.columns.columns[i],
                "adds": shares.value_N[i],
                "share": shares.value_N[i] / most,
                "error": error_N[i],
            }
            for i in order
        ],
        "inside": [inside_dict(i) for i in reasons.inside],
    }


def inside_dict(inside: Inside) -> dict[str, Any]:
    """One cell with how strongly each of its parts speaks, from -1 against to 1 for the answer."""
    found = {"column": inside.column, "kind": inside.kind, "method": inside.method}
    match inside.kind:
        case "image":
            return found | picture_marks(inside)
        case "text" | "tokens":
            strengths = strength(inside.part, 1.0)
            return found | {"words": list(zip(inside.words, strengths, strict=True))}
        case "vector":
            return found | {"parts": [(p.said, p.share) for p in inside.places(10)]}
        case _:
            return found | signal_marks(inside)


def picture_marks(inside: Inside) -> dict[str, Any]:
    """The picture as it is read, and a sheet of colours to lay over it: warm for, blue against."""
    assert inside.values is not None
    pixels = np.moveaxis(inside.values, 0, -1)
    base = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
    width, height = inside.size
    factor = SIDE / max(width, height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    heat = Image.fromarray(strength(inside.part).astype(np.float32))
    heat_HW = np.asarray(heat.resize(size, Image.Resampling.BILINEAR))[..., None]
    color = np.where(heat_HW > 0, rgb(FOR), rgb(AGAINST))
    alpha = 255 * np.abs(heat_HW) ** 0.8 * 0.75
    sheet = np.concatenate([color, alpha], axis=-1).clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(sheet, "RGBA").save(out, "PNG")
    picture = base.resize(size, Image.Resampling.BICUBIC)
    return {"picture": picture_uri(picture), "marks": data_uri(out.getvalue(), "image/png")}


def signal_marks(inside: Inside) -> dict[str, Any]:
    """Lines of the channels that say most, each with how strongly its stretches speak, and the
    bands of their spectrum where the rate is known. end: seconds, or samples without a rate.
    """
    assert inside.values is not None
    part_CL, x_CL = np.atleast_2d(inside.part), np.atleast_2d(inside.values)
    chosen = np.sort(np.argsort(-np.abs(part_CL).sum(1), kind="stable")[:MOST_CHANNELS])
    length = x_CL.shape[1]
    starts = [a for a, _ in spans_of(length, WINDOWS)]
    edge_W = WIDE * np.array([*starts, length]) / length
    heat_CW = strength(np.add.reduceat(part_CL[chosen], starts, axis=1), 1.0)
    lines = []
    for c, heat_W in zip(chosen.tolist(), heat_CW, strict=True):
        heat = [
            (round(a, 1), round(b - a, 1), round(float(v), 3))
            for a, b, v in zip(edge_W, edge_W[1:], heat_W, strict=False)
            if abs(v) > LEAST
        ]
        lines.append({"channel": c, "points": points_of(x_CL[c]), "heat": heat})
    band_B = strength(np.array([b.value for b in inside.bands]), 1.0)
    top_hz = inside.bands[-1].high_hz if inside.bands else 0.0
    bands = [
        (WIDE * b.low_hz / top_hz, max(0.0, WIDE * (b.high_hz - b.low_hz) / top_hz - 1), v)
        for b, v in zip(inside.bands, band_B.round(3), strict=True)
    ]
    end = length / inside.rate_hz if inside.rate_hz else length
    said = {"end": end, "seconds": bool(inside.rate_hz), "channels": len(x_CL)}
    return {**said, "lines": lines, "bands": bands, "top_hz": top_hz}


def points_of(x_L: np.ndarray) -> str:
    """A line as SVG has it, in a box of WIDE x 90."""
    at, y = thinned(x_L)
    low, high = float(y.min()), float(y.max())
    x_N = WIDE * at / max(len(x_L) - 1, 1)
    y_N = 84 - 78 * (y.astype(np.float64) - low) / ((high - low) or 1.0)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x_N, y_N, strict=True))
