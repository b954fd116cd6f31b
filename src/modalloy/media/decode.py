"""What decoders of media raise or warn of, in one clear sentence."""

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from PIL import Image, UnidentifiedImageError

from modalloy.errors import TableError
from modalloy.media.blob import Blob, File
from modalloy.media.endings import PICTURES

# A TGA file is known by its name alone.
KINDS = tuple(k for k in dict.fromkeys(PICTURES.values()) if k != "TGA")
MAX_PIXELS = 40_000_000
MAX_BYTES = 1 << 29
NAMELESS = r"^Error opening <_io\.BytesIO [^>]*>: "


class _Quiet:
    """Hides decoders' warnings while any thread decodes.

    Adds and removes one filter instead of `catch_warnings`, which puts a whole list back and so,
    beside a thread that does the same, leaves the wrong one for ever.
    """

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.filter = ("ignore", None, Warning, re.compile(r"(PIL|numpy|modalloy\.table)\b"), 0)

    def __enter__(self) -> None:
        filters = cast(list[Any], warnings.filters)
        with self.lock:
            self.inside += 1
            if self.filter not in filters:
                filters.insert(0, self.filter)

    def __exit__(self, *_: object) -> None:
        filters = cast(list[Any], warnings.filters)
        with self.lock:
            self.inside -= 1
            if self.inside == 0 and self.filter in filters:
                filters.remove(self.filter)


quiet = _Quiet()


@contextmanager
def explained(path: File, what: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence."""
    try:
        with quiet:
            yield
    except TableError:
        raise
    except Image.DecompressionBombError as error:
        raise TableError(f"{path} has more than {MAX_PIXELS // 10**6} megapixels") from error
    except UnidentifiedImageError as error:
        kinds = ", ".join((*KINDS, "TGA"))
        raise TableError(
            f"{path} is no picture of the kinds {kinds}; save it as PNG or JPEG"
        ) from error
    # Decoders fed with broken bytes raise anything: struct.error, KeyError, zlib.error ...
    except Exception as error:
        why = " ".join(str(error).split()).removeprefix(f"Error opening {str(path)!r}: ")
        why = re.sub(NAMELESS, "", why) if isinstance(path, Blob) else why
        why = why or type(error).__name__
        why = why if len(why) <= 160 else f"{why[:157]}..."
        raise TableError(f"{path} cannot be read as a {what}: {why}") from error
