"""What a search tries: a range for each option of a job that is worth it, and fits the time.

A job's own ranges take the place of all of these.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.inputs import inputs
from modalloy.job.job_file import load_job
from modalloy.job.ranges import (
    EVERY,
    Between,
    OneOf,
    Range,
    plain,
    read_ranges,
    value_at,
    with_values,
)
from modalloy.job.rules import MEDIA
from modalloy.job.tuned import pretrained
from modalloy.tasks.kit import kit_of

Space = dict[str, Range]
Fits = Callable[[config.Job], bool]

RATE = 5.0  # learning rates are tried up to so many times lower and higher
DECAY = (1e-3, 0.3)
SMOOTHING, DROPOUT, HIDDEN = 0.2, 0.4, 0.3
WIDEST = 1024
DEEPEST = 3  # layers of a fusion
AUGMENTATIONS = {  # milder ones first: what a job allows, and all that is milder
    "image": ("none", "shift", "flip", "rotate"),
    "audio": ("none", "mask"),
    "series": ("none", "gain", "jitter"),
}
FRONTS: tuple[tuple[config.Front, ...], ...] = (
    ("learned",),
    ("statistics",),
    ("learned", "statistics"),
    ("minirocket", "hydra", "convolution", "statistics"),
)
SIZES = (0.75, 1.5)  # of a picture's sides, beside what the job says
COSTLY = ("columns", "fuse")  # groups whose options change what a training takes


def space_of(job: config.Job, fits: Fits = lambda job: True) -> Space:
    """The ranges of a job: its own where it has some, else those that suit it.

    fits: whether a training of a job may be tried, by what it takes; values that make it too costly
    are left out. Own ranges are taken as they are.
    """
    if job.tune:
        return read_ranges(job)
    data = plain(job)
    found: Space = {}
    for path, values in usual(job, data):
        fitting = narrowed(path, values, data, fits)
        if fitting is not None:
            found[path] = fitting
    return found


def narrowed(path: str, values: Range, data: Mapping[str, Any], fits: Fits) -> Range | None:
    """Those values that make a job whose rules hold and that fits; None where only one is left."""
    if isinstance(values, Between):
        return values
    own = value_at(data, path)
    kept = tuple(v for v in values.values if v == own or allowed(path, v, data, fits))
    return OneOf(kept) if len(kept) > 1 else None


def allowed(path: str, value: Any, data: Mapping[str, Any], fits: Fits) -> bool:
    """Whether a job with this value alone changed is one, and fits."""
    try:
        job = load_job(with_values(data, {path: value}))
    except JobError:
        return False
    return path.split(".")[0] not in COSTLY or fits(job)


def usual(job: config.Job, data: Mapping[str, Any]) -> Iterator[tuple[str, Range]]:
    """The options of a job that most often matter, around the values that it has."""
    train, fuse = job.train, job.fuse
    several = inputs_fused(job) > 1
    yield "train.lr", Between(train.lr / RATE, train.lr * RATE, log=True)
    if any(pretrained(job)):
        yield (
            "train.encoder_lr",
            Between(train.encoder_lr / RATE, train.encoder_lr * RATE, log=True),
        )
    yield "train.weight_decay", around(train.weight_decay, DECAY)
    if any(kit_of(task).whole_row and not kit_of(task).numbers for task in job.tasks.values()):
        yield "train.label_smoothing", Between(0.0, max(SMOOTHING, train.label_smoothing))
    kinds = ("concat", "multilinear", "gated", "attention", "tabm") if several else ("concat",)
    yield "fuse.type", OneOf(tuple(dict.fromkeys((fuse.type, *kinds, "tabm"))))
    widths = [w for w in (fuse.width // 2, fuse.width, fuse.width * 2) if 8 <= w <= WIDEST]
    yield "fuse.width", OneOf(tuple(w for w in widths if w % 8 == 0 or w == fuse.width))
    yield "fuse.layers", Between(1, max(DEEPEST, fuse.layers), whole=True)
    yield "fuse.dropout", Between(0.0, max(DROPOUT, fuse.dropout))
    if several:
        most = max(HIDDEN, fuse.modality_dropout)
        yield "fuse.modality_dropout", Between(0.0, most)
    numbers = [o for o in inputs(job).values() if isinstance(o, config.Number)]
    if numbers:
        yield f"columns.{EVERY}.embed", OneOf(("piecewise", "periodic", "linear"))
        yield f"columns.{EVERY}.bins", bins_around(numbers)
    for name, options in inputs(job).items():
        for option, values in of_column(options):
            yield f"columns.{name}.{option}", values


def of_column(options: config.Column) -> Iterator[tuple[str, Range]]:
    """What is tried for a column that an encoder reads."""
    if not isinstance(options, config.Trunk):
        return
    if options.encoder != "scratch":
        yield "tune", OneOf(("frozen", "last_n", "full"))
    augment = getattr(options, "augment", None)
    if augment is not None and not getattr(options, "resonances", 0):
        known = AUGMENTATIONS[str(getattr(options, "type", ""))]
        mild = known[: max(2, known.index(augment) + 1)]  # flips may change what a picture shows
        yield "augment", OneOf(mild)
    if isinstance(options, config.Image) and not options.encoder.startswith("hf:"):
        sides = [max(16, 16 * round(share * options.pixels / 16)) for share in SIZES]
        tried = sorted({options.pixels, *(side for side in sides if side <= 1024)})
        yield "pixels", OneOf(tuple(tried))
    if isinstance(options, config.Series) and options.encoder == "scratch":
        own = list(options.front)
        rest = [f for f in own if f in ("spectrum", "envelope", "order")]
        tried = [own, *([*front, *rest] for front in FRONTS), *([rest] if rest else [])]
        yield "front", OneOf(tuple(f for i, f in enumerate(tried) if f not in tried[:i]))


def around(value: float, usual: tuple[float, float]) -> Range:
    """Numbers by their logarithm that hold a job's own value."""
    low, high = usual
    return Between(min(low, value) if value > 0 else low, max(high, value), log=True)


def bins_around(numbers: list[config.Number]) -> Range:
    """Half and twice the pieces that number columns have."""
    bins = [o.bins for o in numbers]
    return Between(max(2, min(bins) // 2), 2 * max(bins), whole=True)


def inputs_fused(job: config.Job) -> int:
    """Summaries that a fusion joins: all tabular columns together make one."""
    kinds = [o.type for o in inputs(job).values()]
    return sum(kind in MEDIA for kind in kinds) + any(kind not in MEDIA for kind in kinds)


def own_values(job: config.Job, space: Space) -> dict[str, Any]:
    """The values that the job itself has at the paths of a space, where it has one for each."""
    data = plain(job)
    found = {path: value_at(data, path) for path in space}
    return {path: value for path, value in found.items() if value is not None}


def to_json(space: Space) -> dict[str, Any]:
    """A space as a study keeps it."""
    return {
        path: {"any": list(v.values)} if isinstance(v, OneOf) else v._asdict()
        for path, v in space.items()
    }


def from_json(kept: Mapping[str, Any]) -> Space:
    """What `to_json` made."""
    return {
        path: OneOf(tuple(v["any"])) if "any" in v else Between(**v) for path, v in kept.items()
    }
