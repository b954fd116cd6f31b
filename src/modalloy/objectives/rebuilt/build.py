"""Which kind of places an input has, by its encoder and reader."""

from torch import nn

from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.layers.scale import Standardise
from modalloy.objectives.rebuilt.audio import RebuiltAudio
from modalloy.objectives.rebuilt.frozen import RebuiltFrozen
from modalloy.objectives.rebuilt.image import RebuiltImage
from modalloy.objectives.rebuilt.rebuilt import Rebuilt
from modalloy.objectives.rebuilt.series import RebuiltSeries
from modalloy.objectives.rebuilt.table import RebuiltTable
from modalloy.objectives.rebuilt.text import RebuiltText
from modalloy.objectives.rebuilt.vector import RebuiltVector
from modalloy.readers.audio import AudioReader
from modalloy.readers.batch import TABLE
from modalloy.readers.image import ImageReader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader
from modalloy.readers.vector import VectorReader


def build_rebuilt(body: Body, name: str, width: int) -> Rebuilt:
    """The places of an input."""
    encoder = body.encoder(name)
    if name == TABLE:
        assert isinstance(encoder, TableEncoder)
        return RebuiltTable(encoder, body.readers, width)
    if keeps_still(body, name):
        return RebuiltFrozen(encoder, pooled_size(encoder), width)
    match body.readers[name]:
        case TextReader() as reader:  # and words
            assert isinstance(encoder, TextEncoder)
            return RebuiltText(encoder, reader, width)
        case ImageReader() as reader:
            return RebuiltImage(reader, width)
        case AudioReader() as reader:
            return RebuiltAudio(reader, width)
        case SeriesReader() as reader:
            options = body.job.columns[name]
            assert isinstance(options, config.Series)
            return RebuiltSeries(reader, options.length, width)
        case VectorReader() as reader:
            return RebuiltVector(reader, width)
        case other:
            raise AssertionError(f"{other.kind} columns are no input of their own")


def keeps_still(body: Body, name: str) -> bool:
    """Whether nothing before an input's tokens learns: its trunk is frozen, all of its fronts are
    fixed.

    A learned front beside fixed ones that stand still learns all the same.
    """
    encoder = body.encoder(name)
    if isinstance(encoder, SeriesEncoder) and encoder.learned and encoder.patches is None:
        return False
    return encoder.still


def pooled_size(encoder: Encoder) -> int:
    """How many numbers an encoder's pooled features are."""
    if isinstance(encoder, SeriesEncoder):
        channels = len(encoder.channel_CD) if encoder.patches is not None else 0
        return sum(encoder.sizes) + channels * (encoder.step.in_features if channels else 0)
    scale = getattr(encoder, "scale", None)
    if isinstance(scale, Standardise):
        return len(scale.mean_F)
    assert isinstance(scale, nn.LayerNorm), "frozen encoders scale what they say"
    return scale.normalized_shape[0]
