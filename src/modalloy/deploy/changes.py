"""Which option of a job decides what one of its graphs computes, for who has to change it."""

from torch import nn

from modalloy.deploy.modules import EncoderGraph, HeadsGraph
from modalloy.model.encoders.audio import AudioEncoder
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.encoders.resonance import ResonanceEncoder
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.encoders.text import TextEncoder


def change_of(name: str, module: nn.Module) -> str:
    """Which option of the job decides what a graph computes; nothing where none does."""
    match module:
        case EncoderGraph(encoder=SeriesEncoder() as encoder):
            fronts = ", ".join(encoder.options.front)
            other = "" if encoder.options.encoder == "scratch" else " or `encoder: scratch`"
            return f"choose others than `front: [{fronts}]`{other} for column '{name}'"
        case EncoderGraph(encoder=TextEncoder() | ImageEncoder() | AudioEncoder() as encoder):
            such = "" if encoder.trunk is None else ", such as scratch,"
            return f"choose another `encoder:`{such} for column '{name}'"
        case EncoderGraph(encoder=ResonanceEncoder()):
            return f"take `resonances:` of column '{name}' away"
        case EncoderGraph(encoder=TableEncoder()):
            return "choose another `embed:` for its numbers"
        case EncoderGraph():
            return f"leave column '{name}' out"
        case HeadsGraph():
            job = module.model.job
            heads = [n for n, o in job.tasks.items() if getattr(o, "head", None)]
            other = f", or another `head:` of task {', '.join(map(repr, heads))}" if heads else ""
            return f"choose another way to fuse than `fuse: {{type: {job.fuse.type}}}`{other}"
        case _:
            return ""
