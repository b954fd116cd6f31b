"""What one run of a simulator tells: numbers with units, names, texts, and files of media."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from modalloy.job.group import Options
from modalloy.twin.variables import several


class NumberOutput(Options):
    """A number."""

    type: Literal["number"] = "number"
    unit: str
    """Physical unit, which limits on it are written in; "1" where it has none."""

    @field_validator("unit")
    @classmethod
    def _said(cls, unit: str) -> str:
        if not unit.strip():
            raise ValueError('must be a unit such as mm; "1" where the number has none')
        return unit.strip()


class CategoryOutput(Options):
    """One of some names."""

    type: Literal["category"] = "category"
    labels: tuple[str, ...]
    """The names that the simulator may answer."""

    @field_validator("labels")
    @classmethod
    def _several(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        several(labels, "label")
        return labels


class TextOutput(Options):
    """A text, as an operator's note."""

    type: Literal["text"] = "text"


class ImageOutput(Options):
    """A picture, in a file."""

    type: Literal["image"] = "image"


class AudioOutput(Options):
    """A recording, in a file."""

    type: Literal["audio"] = "audio"


class SeriesOutput(Options):
    """Channels of samples, in a file."""

    type: Literal["series"] = "series"


Output = Annotated[
    NumberOutput | CategoryOutput | TextOutput | ImageOutput | AudioOutput | SeriesOutput,
    Field(discriminator="type"),
]
Media = ImageOutput | AudioOutput | SeriesOutput
