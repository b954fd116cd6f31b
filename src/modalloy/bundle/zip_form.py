"""The records of a zip file, read strictly: what two unzippers could read differently is refused.

PKWARE, .ZIP File Format Specification 6.3.10. Left out are comments, zip64, encryption, spanned
files and methods other than stored and deflated; members fill the file without gap or overlap.
"""

import stat
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from modalloy.bundle.names import LONGEST, MOST
from modalloy.errors import BundleError

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
SIGNS = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")
DESCRIPTOR = b"PK\x07\x08"
STORED, DEFLATED = 0, 8
ENCRYPTED = 0x1 | 0x40 | 0x2000
FOLLOWED = 0x8  # sizes and checksum stand behind the data
FLAGS = 0x6 | FOLLOWED | 0x800  # how hard deflate tried, and names in UTF-8
# Times of a file, and who owns it. The rest may name a link, another name, or larger sizes.
EXTRAS = {0x5455, 0x5855, 0x7855, 0x7875, 0x000A}
EXTRA = 512  # bytes of extra fields of one member
RATIO = 100  # times that a member may grow; deflate itself ends at 1,032
SMALL = 1 << 20  # bytes that a member may grow to, whatever its ratio


class Entry(NamedTuple):
    """One member as the central directory says it; offset: of its local header, in bytes."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def read_directory(file: BinaryIO, length: int, where: str) -> tuple[list[Entry], int]:
    """Members of a zip file of this length (bytes), and where its directory begins."""
    torn = BundleError(f"{where}: is no zip file, or a part of it is cut off or was added.")
    file.seek(0)
    begins = file.read(4)
    if length < END.size or begins not in (SIGNS[0], SIGNS[2]):
        raise torn
    file.seek(length - END.size)
    tail = file.read(END.size)
    if len(tail) < END.size or not tail.startswith(SIGNS[2]):
        raise torn
    _, disk, other, here, count, size, offset, comment = END.unpack(tail)
    if 0xFFFF in (here, count) or 0xFFFFFFFF in (size, offset):
        raise BundleError(f"{where}: is of the form zip64; write so large a bundle as a folder.")
    if comment or disk or other or here != count or offset + size + END.size != length:
        raise torn
    if count > 2 * MOST or size > 2 * MOST * (CENTRAL.size + LONGEST + EXTRA):
        raise BundleError(f"{where}: holds {count} members; no bundle has more than {MOST}.")
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise torn
    found = list(_entries(data, count, where))
    return found, offset


def _entries(data: bytes, count: int, where: str) -> Iterator[Entry]:
    torn = BundleError(f"{where}: its list of members is damaged.")
    at = 0
    for _ in range(count):
        if at + CENTRAL.size > len(data):
            raise torn
        (
            sign, _, _, flags, method, _, _, crc, packed, size, name, extra, comment, disk, _,
            mode, offset,
        ) = CENTRAL.unpack_from(data, at)  # fmt: skip
        at += CENTRAL.size
        told = data[at : at + name + extra]
        at += name + extra
        if sign != SIGNS[1] or comment or disk or len(told) < name + extra:
            raise torn
        entry = Entry(read_name(told[:name], where), flags, method, crc, packed, size, offset)
        refuse_extra(told[name:], entry.name, where)
        refuse_mode(mode >> 16, entry.name, where)
        refuse_packing(entry, where)
        yield entry
    if at != len(data):
        raise torn


def read_name(data: bytes, where: str) -> str:
    """A member's name; those that are not plain ASCII are refused here, all others later."""
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise BundleError(
            f"{where}: {data[:LONGEST]!a} cannot name a part of a bundle; names are plain "
            "letters and digits."
        ) from error


def refuse_extra(data: bytes, name: str, where: str) -> None:
    """BundleError for an extra field that changes what a member is."""
    at = 0
    while at + 4 <= len(data) <= EXTRA:
        kind, size = struct.unpack_from("<2H", data, at)
        if kind not in EXTRAS:
            break
        at += 4 + size
    if at != len(data):
        raise BundleError(
            f"{where}: '{name}' has an extra field that could make it a link or another file; "
            "zip the folder again without it."
        )


def refuse_mode(mode: int, name: str, where: str) -> None:
    """BundleError for a member that is no plain file."""
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFDIR if name.endswith("/") else stat.S_IFREG):
        what = "a link" if kind == stat.S_IFLNK else "no plain file"
        raise BundleError(f"{where}: '{name}' is {what}; a bundle holds plain files alone.")


def refuse_packing(entry: Entry, where: str) -> None:
    """BundleError for what is encrypted, packed in an unusual way, or grows beyond all measure."""
    name, packed, size = entry.name, entry.packed, entry.size
    if entry.flags & ENCRYPTED:
        raise BundleError(f"{where}: '{name}' is encrypted; a bundle is read without a password.")
    if entry.method not in (STORED, DEFLATED) or entry.flags & ~FLAGS:
        raise BundleError(
            f"{where}: '{name}' is packed in a way that is not read here (method {entry.method}, "
            f"flags {entry.flags:#x}); store or deflate it."
        )
    if (entry.method == STORED and packed != size) or (name.endswith("/") and size):
        raise BundleError(f"{where}: '{name}' says two sizes, {packed} and {size} bytes.")
    if size > max(SMALL, RATIO * packed):
        raise BundleError(
            f"{where}: '{name}' grows from {packed} to {size} bytes when it is unpacked; more than "
            f"{RATIO} times is refused."
        )


def refuse_gaps(file: BinaryIO, entries: list[Entry], end: int, where: str) -> dict[str, int]:
    """Where the data of each member begins, in bytes.

    BundleError where local headers and the directory disagree, or leave gaps, or overlap. end:
    where the directory begins.
    """
    begins, at = {}, 0
    for entry in sorted(entries, key=lambda e: e.offset):
        if entry.offset != at:
            raise BundleError(
                f"{where}: '{entry.name}' does not begin where the member before it ends."
            )
        begins[entry.name] = at = read_local(file, entry, where)
        at += entry.packed
        if entry.flags & FOLLOWED:
            at += read_descriptor(file, entry, at, where)
    if at != end:
        raise BundleError(f"{where}: has bytes between its members that belong to none of them.")
    return begins


def read_local(file: BinaryIO, entry: Entry, where: str) -> int:
    """Where the data behind a local header begins; BundleError where it and `entry` disagree."""
    file.seek(entry.offset)
    head = file.read(LOCAL.size)
    differs = _differs(entry, where)
    if len(head) < LOCAL.size:
        raise differs
    sign, _, flags, method, _, _, crc, packed, size, name, extra = LOCAL.unpack(head)
    told = file.read(name + extra)
    sums = [(entry.crc, entry.packed, entry.size)]
    if entry.flags & FOLLOWED:
        sums.append((0, 0, 0))
    if (
        sign != SIGNS[0]
        or (flags, method) != (entry.flags, entry.method)
        or (crc, packed, size) not in sums
        or told[:name] != entry.name.encode()
        or len(told) < name + extra
    ):
        raise differs
    refuse_extra(told[name:], entry.name, where)
    return entry.offset + LOCAL.size + name + extra


def read_descriptor(file: BinaryIO, entry: Entry, at: int, where: str) -> int:
    """Bytes of the record behind a member's data; BundleError where it says other sizes."""
    file.seek(at)
    data = file.read(16)
    sums = struct.pack("<3I", entry.crc, entry.packed, entry.size)
    if data == DESCRIPTOR + sums:
        return 16
    if data[:12] == sums:
        return 12
    raise _differs(entry, where)


def _differs(entry: Entry, where: str) -> BundleError:
    return BundleError(
        f"{where}: the header of '{entry.name}' says other things than the list of members; the "
        "file is damaged, or made to be read in two ways."
    )
