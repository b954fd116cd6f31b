"""The endings of media files: which are read, and which are known and are not."""

import re

PICTURES = {
    ".png": "PNG", ".apng": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG",
    ".jfif": "JPEG", ".mpo": "JPEG", ".bmp": "BMP", ".dib": "DIB", ".webp": "WEBP",
    ".tif": "TIFF", ".tiff": "TIFF", ".gif": "GIF", ".ppm": "PPM", ".pgm": "PPM", ".pbm": "PPM",
    ".pnm": "PPM", ".pfm": "PPM", ".tga": "TGA", ".jp2": "JPEG2000", ".j2k": "JPEG2000",
    ".pcx": "PCX",
}  # fmt: skip
UNREAD_PICTURES = {
    ".heic", ".heif", ".avif", ".jxl", ".svg", ".ico", ".psd", ".xcf", ".dcm", ".dng", ".raw",
    ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".eps", ".exr", ".hdr",
}  # fmt: skip
SOUNDS = {".wav", ".flac", ".ogg", ".mp3"}
UNREAD_OTHERS = {
    ".m4a", ".aac", ".wma", ".opus", ".aif", ".aiff", ".amr", ".mp4", ".avi", ".mov", ".mkv",
    ".webm", ".pdf", ".txt", ".tsv", ".dat", ".asc", ".json", ".xlsx", ".parquet", ".h5", ".hdf5",
    ".tdms", ".mf4",
}  # fmt: skip
SERIES = (".npy", ".npz", ".mat", ".csv", ".wav")


def ends_in(endings: set[str] | dict[str, str], more: str = "") -> re.Pattern[str]:
    """A pattern that finds one of these endings at the end of a cell, in any letter case.

    more: what may follow the ending. Blanks and quotation marks around a path are looked past.
    """
    some = "|".join(re.escape(e) for e in sorted(endings, key=len, reverse=True))
    return re.compile(rf"({some}){more}[\s\"']*$", re.IGNORECASE)
