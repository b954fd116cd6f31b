"""Builds the space that a job's columns are to meet in."""

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.space import HeadPlan, Space
from modalloy.model.trunks.dual import Dual, load_dual
from modalloy.readers.batch import TABLE

USUAL = 128  # length of vectors where no checkpoint says it


def build_space(body: Body, options: config.Contrast) -> Space:
    """A space of all inputs of a body, and of its fused rows where that is asked for.

    Columns with a tower of CLIP or SigLIP come by the projection of their checkpoint, with its
    temperature. JobError for a body of a single input, an anchor that is none, neighbours without a
    frozen encoder, and checkpoints that do not fit together.
    """
    refuse_senseless(body, options)
    width, duals = body.job.fuse.width, duals_of(body, options)
    size = size_of(duals, options)
    plans = dict.fromkeys(body.inputs, HeadPlan(width, options.layers))
    for name, dual in duals.items():
        tower = body.encoder(name).paired_width
        assert tower is not None, "only towers have a dual"
        bias, none = dual.bias is not None, dual.weight is None
        plans[name] = HeadPlan(tower, 0, own=True, bias=bias, identity=none)
    row = HeadPlan(width, options.layers) if options.row else None
    known = next(iter(duals.values()), None)
    space = Space(plans, size, row=row, loss=options.loss, temperature=options.temperature)
    with_checkpoint(space, duals)
    if known is not None and options.temperature is None:
        space.log_scale.data.fill_(known.log_scale)
        space.bound()
    if known is not None and known.bias_of_pairs is not None:
        space.bias.data.fill_(known.bias_of_pairs)
    return space


def duals_of(body: Body, options: config.Contrast) -> dict[str, Dual]:
    """Columns with a tower of two, and what their checkpoints say of its projection."""
    if options.projections == "new":
        return {}
    found = {}
    for name in body.inputs:
        if name == TABLE or body.encoder(name).paired_width is None:
            continue
        column = body.job.columns[name]
        assert isinstance(column, config.Text | config.Image), "towers read text or pictures"
        kind = "image" if isinstance(column, config.Image) else "text"
        found[name] = load_dual(kind, column.encoder)
    return found


def size_of(duals: dict[str, Dual], options: config.Contrast) -> int:
    """The length of all vectors."""
    sizes = {dual.size for dual in duals.values()}
    said = ", ".join(f"{name} {dual.size}" for name, dual in duals.items())
    if len(sizes) > 1:
        raise JobError(
            f"pretrain.contrast: the columns' checkpoints project to vectors of unlike lengths "
            f"({said}); take both towers from one checkpoint, or set projections: new."
        )
    if options.size == "auto":
        return next(iter(sizes), USUAL)
    if sizes and options.size not in sizes:
        raise JobError(
            f"pretrain.contrast.size: {options.size}, while a checkpoint projects to another "
            f"length ({said}); leave size out, or set projections: new."
        )
    return options.size


def with_checkpoint(space: Space, duals: dict[str, Dual]) -> None:
    """Put the checkpoints' projections into a space."""
    for name, dual in duals.items():
        out = space.heads[name].out
        if dual.weight is not None:
            out.get_parameter("weight").data.copy_(dual.weight)
        if dual.bias is not None:
            out.get_parameter("bias").data.copy_(dual.bias)


def refuse_senseless(body: Body, options: config.Contrast) -> None:
    """JobError for options that the body's columns leave without a meaning."""
    if len(body.inputs) < 2:
        raise JobError(
            f"pretrain.contrast: there is one input alone ({body.inputs[0]}), and a space is for "
            "two or more; number, category and time columns count as one together."
        )
    if options.anchor is not None and options.anchor not in body.inputs:
        raise JobError(
            f"pretrain.contrast.anchor: there is no input '{options.anchor}'; there are "
            f"{', '.join(body.inputs)}."
        )
    if options.anchor is not None and options.loss != "gram":
        raise JobError(
            f"pretrain.contrast.anchor: only loss: gram has an anchor, and loss is {options.loss}."
        )
    if options.neighbours and not any(e.still for e in body.encoders.values()):
        raise JobError(
            "pretrain.contrast.neighbours: no column has a frozen encoder whose neighbours could be"
            " kept; set tune: frozen on one, or leave neighbours out."
        )
