"""Files in requests: their bytes, bounded before anything is decoded. No path is ever opened."""

import base64
import binascii
import io
import re
import struct
import zipfile
from typing import Any

from modalloy.errors import RequestError, TableError
from modalloy.media.blob import Blob
from modalloy.media.decode import KINDS, explained
from modalloy.media.sound import RATES_HZ
from modalloy.serving.limits import Limits
from modalloy.serving.schema import Column

ADDRESS = re.compile(r"data:[\w.+-]*/?[\w.+-]*(;[\w.=+-]+)*;base64,")
EXPANDED = 1 << 26  # bytes that the arrays of a packed file may have together
HOW = (
    'write {"base64": "..."}, a text that begins with data:TYPE;base64, or send the file as a part '
    "of a multipart request"
)


def file_of(cell: Any, column: Column, where: str) -> bytes:
    """The bytes of a media cell as JSON has them; RequestError for a path, an address, or another
    value.
    """
    text = cell
    if isinstance(cell, dict):
        if set(cell) != {"base64"}:
            names = ", ".join(map(str, cell))
            raise RequestError(f"{where}: is an object with {names:.60}; {HOW}.")
        text = cell["base64"]
    elif isinstance(cell, str):
        found = ADDRESS.match(cell)
        if found is None:
            raise RequestError(
                f"{where}: holds a text. No path or address in a request is ever opened: {HOW}."
            )
        text = cell[found.end() :]
    if not isinstance(text, str):
        raise RequestError(f"{where}: is {called(text)}, not {article(column.kind)}; {HOW}.")
    return from_base64(text, where)


def from_base64(text: str, where: str) -> bytes:
    """What a text of base64 holds; RequestError where it is none or empty."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"{where}: is no base64 ({error}).") from error
    if not data:
        raise RequestError(f"{where}: is an empty file; write null where there is none.")
    return data


def check_file(data: bytes, column: Column, where: str, limits: Limits) -> bytes:
    """The same bytes; RequestError for a file that is too large once it is unpacked, or cut off.

    Only headings are read here: what else is wrong is found when the file is decoded.
    """
    try:
        if column.kind == "image":
            check_picture(data, limits)
        elif column.kind == "audio" or data.startswith(b"RIFF"):
            check_sound(data, limits)
        elif data.startswith(b"PK\x03\x04"):
            check_packed(data)
    except TableError as error:
        raise RequestError(f"{where}: {error}.") from error
    return data


def check_picture(data: bytes, limits: Limits) -> None:
    """TableError for a picture of too many pixels, and for what is no picture."""
    from PIL import Image

    blob = Blob(data)
    with explained(blob, "picture"), Image.open(io.BytesIO(data), formats=KINDS) as file:
        width, height = file.size
    if width * height > limits.megapixels * 1e6:
        raise TableError(
            f"{blob} has {width} x {height} pixels, more than {limits.megapixels:g} megapixels"
        )


def check_sound(data: bytes, limits: Limits) -> None:
    """TableError for a recording that is too long, cut off, or none."""
    import soundfile

    blob = Blob(data)
    with explained(blob, "recording"), soundfile.SoundFile(io.BytesIO(data)) as file:
        frames, rate_hz = file.frames, file.samplerate
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise TableError(f"{blob} claims {rate_hz} samples a second")
    if frames > limits.seconds * rate_hz:
        length = frames / rate_hz
        raise TableError(f"{blob} lasts {length:.1f} s, longer than {limits.seconds:g} s")
    if data.startswith(b"RIFF"):
        check_whole(data)


def check_whole(data: bytes) -> None:
    """TableError where a WAV holds fewer bytes than its heading says; decoders read on without a
    word. Writers that stream leave 0 or the largest number as the length, which says nothing.
    """
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"data":
            held = len(data) - at - 8
            if size > held and size < 0x7FFFF000:
                raise TableError(
                    f"{Blob(data)} is cut off: its heading says {size} bytes of samples, {held} "
                    "are there"
                )
            return
        at += 8 + size + size % 2
    raise TableError(f"{Blob(data)} is a WAV without samples")


def check_packed(data: bytes) -> None:
    """TableError for an archive whose arrays are larger than we unpack."""
    blob = Blob(data)
    with explained(blob, "series"), zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > EXPANDED:
        raise TableError(f"{blob} unpacks to {size >> 20} MB, more than {EXPANDED >> 20}")


def called(cell: Any) -> str:
    """A JSON value in a sentence, without what it holds."""
    kinds = {type(None): "null", bool: "true or false", int: "a number", float: "a number"}
    kinds |= {str: "a text", list: "a list", dict: "an object", bytes: "a file"}
    return kinds.get(type(cell), type(cell).__name__)


def article(kind: str) -> str:
    """A kind of column in a sentence."""
    named = {"image": "a picture", "audio": "a recording", "series": "a series", "time": "a date"}
    named |= {"text": "a text", "tokens": "a list of words", "vector": "a list of numbers"}
    return named.get(kind, f"a {kind}")
