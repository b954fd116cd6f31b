"""Builds the encoder that a column's options ask for; all tabular columns of a job share one."""

from collections.abc import Mapping
from typing import Any, assert_never

from modalloy.job import config
from modalloy.model.encoders.audio import AudioEncoder
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.encoders.resonance import ResonanceEncoder
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.table import KINDS, TableEncoder
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.encoders.vector import VectorEncoder
from modalloy.readers.audio import AudioReader
from modalloy.readers.batch import TABLE
from modalloy.readers.image import ImageReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader
from modalloy.readers.vector import VectorReader


def build_encoder(
    job: config.Job,
    readers: Mapping[str, Reader],
    name: str,
    pretrained: bool,
    trunk: dict[str, Any] | None,
) -> Encoder:
    """The encoder of one input, as its column's options ask.

    name: a media column, or `TABLE`. pretrained: read the weight files of a pretrained encoder.
    trunk: configuration of an `hf:` encoder, as a run keeps it.
    """
    width = job.fuse.width
    if name == TABLE:
        tabular = [r for r in readers.values() if r.kind in KINDS]
        return TableEncoder(tabular, {r.name: job.columns[r.name] for r in tabular}, width)
    options, reader = job.columns[name], readers[name]
    match options:
        case config.Text():  # Tokens too
            assert isinstance(reader, TextReader)
            return TextEncoder(reader, options, width, pretrained=pretrained, trunk_config=trunk)
        case config.Image():
            assert isinstance(reader, ImageReader)
            return ImageEncoder(reader, options, width, pretrained=pretrained, trunk_config=trunk)
        case config.Audio():
            assert isinstance(reader, AudioReader)
            if options.resonances:
                return ResonanceEncoder(reader, options, width)
            return AudioEncoder(reader, options, width, pretrained=pretrained, trunk_config=trunk)
        case config.Series():
            assert isinstance(reader, SeriesReader)
            return SeriesEncoder(reader, options, width, pretrained=pretrained, trunk_config=trunk)
        case config.Vector():
            assert isinstance(reader, VectorReader)
            return VectorEncoder(reader, options, width)
        case config.Number() | config.Category() | config.Time():
            raise AssertionError("tabular columns are read together")
        case config.Group() | config.Ignore():
            raise AssertionError("not an input")
        case _:
            assert_never(options)
