"""The canvas of a column, by its kind."""

from modalloy.model.canvases.canvas import Canvas
from modalloy.model.canvases.picture import PictureCanvas
from modalloy.model.canvases.series import SeriesCanvas
from modalloy.model.canvases.sound import SoundCanvas
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader

DRAWN = ("image", "series", "audio")  # kinds of columns that have a canvas


def build_canvas(reader: Reader) -> Canvas:
    """Of pictures, series and recordings; of nothing else."""
    match reader:
        case ImageReader():
            return PictureCanvas(reader)
        case SeriesReader():
            return SeriesCanvas(reader)
        case AudioReader():
            return SoundCanvas(reader)
        case _:
            raise AssertionError(f"{reader.kind} columns are not drawn")
