"""A contact sheet: for each row its cell, what was shown of it, what is expected, and draws."""

from collections.abc import Iterator, Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from modalloy.answer.loader import Loader
from modalloy.drawing.artist import Artist, Drawn
from modalloy.model.canvases.canvas import Canvas
from modalloy.model.canvases.picture import PictureCanvas
from modalloy.model.canvases.series import SeriesCanvas
from modalloy.model.canvases.sound import SoundCanvas
from modalloy.model.tokens import Batch

TILE, GAP, HEAD = 96, 6, 18  # pixels
PAPER, INK, FRESH, FAINT = (255, 255, 255), (40, 40, 40), (200, 80, 20), (225, 225, 225)


def contact_sheet(drawn: Drawn, numbers: Sequence[int]) -> Image.Image:
    """A line of tiles a row. numbers: of the rows, written before them."""
    given = any(cell is not None for cell in drawn.given)
    heads = [*(("cell", "shown") if given else ()), "expected"]
    heads += [f"draw {i + 1}" for i in range(len(drawn.samples[0]))]
    width = TILE // 2 + len(heads) * (TILE + GAP)
    sheet = Image.new("RGB", (width, HEAD + len(drawn.given) * (TILE + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, head in enumerate(heads):
        pen.text((TILE // 2 + i * (TILE + GAP), 3), head, fill=INK)
    for row, number in enumerate(numbers):
        y = HEAD + row * (TILE + GAP)
        pen.text((3, y + TILE // 2 - 6), str(number), fill=INK)
        for i, tile in enumerate(tiles(drawn, row, given=given)):
            sheet.paste(tile, (TILE // 2 + i * (TILE + GAP), y))
    return sheet


def tiles(drawn: Drawn, row: int, *, given: bool) -> Iterator[Image.Image]:
    """The tiles of one row."""
    canvas, seen = drawn.canvas, int(drawn.seen_R[row])
    cell = drawn.given[row]
    if given and cell is None:
        yield from (Image.new("RGB", (TILE, TILE), FAINT) for _ in range(2))
    elif given and cell is not None:
        yield tile(canvas, cell, canvas.patches)
        yield tile(canvas, cell, seen, until=True)
    for one in (drawn.expected[row], *drawn.samples[row]):
        yield tile(canvas, one, seen)


def tile(canvas: Canvas, cell: np.ndarray, seen: int, *, until: bool = False) -> Image.Image:
    """A cell in a square; `until`: only its first `seen` patches."""
    if isinstance(canvas, PictureCanvas):
        return picture_tile(canvas, cell, seen if until else canvas.patches)
    if isinstance(canvas, SeriesCanvas):
        return series_tile(cell, seen * canvas.steps, until=until)
    assert isinstance(canvas, SoundCanvas)
    return sound_tile(canvas, cell, seen, until=until)


def picture_tile(canvas: PictureCanvas, cell: np.ndarray, seen: int) -> Image.Image:
    """Pixels (c, S, S) as large as a tile, faint from a patch on."""
    pixels = np.broadcast_to(cell, (3, *cell.shape[1:])).transpose(1, 2, 0).copy()
    pixels[canvas.hidden(seen)] = FAINT
    return Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.NEAREST)


def series_tile(x_CL: np.ndarray, seen: int, *, until: bool) -> Image.Image:
    """A line a channel, (C, L), drawn ones in another colour."""
    found = Image.new("RGB", (TILE, TILE), PAPER)
    pen = ImageDraw.Draw(found)
    pen.rectangle((0, 0, TILE - 1, TILE - 1), outline=FAINT)
    low, high = float(x_CL.min()), float(x_CL.max())
    at = np.linspace(2, TILE - 3, max(2, x_CL.shape[1]))[: x_CL.shape[1]]
    for x_L in x_CL:
        up = TILE - 5 - (x_L - low) / max(high - low, 1e-6) * (TILE - 10)
        points = list(zip(at.tolist(), up.tolist(), strict=True))
        if not until and seen < len(points):
            pen.line(points[max(0, seen - 1) :], fill=FRESH)
        if seen > 1:
            pen.line(points[:seen], fill=INK)
    return found


def sound_tile(canvas: SoundCanvas, mel_MF: np.ndarray, seen: int, *, until: bool) -> Image.Image:
    """Loud is dark, low pitches at the bottom, a line where drawing began."""
    low, high = (canvas.span.low, canvas.span.high)
    dark_MF = (canvas.scaled(mel_MF) - low) / (high - low)
    grey_MF = np.rint(255 * (1.0 - np.clip(dark_MF, 0.0, 1.0))).astype(np.uint8)[::-1]
    pixels = np.repeat(grey_MF[..., None], 3, axis=2)
    edge = seen * canvas.steps
    if until:
        pixels[:, edge:] = FAINT
    found = Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.NEAREST)
    if 0 < edge < mel_MF.shape[1] and not until:
        x = round(edge / mel_MF.shape[1] * TILE)
        ImageDraw.Draw(found).line((x, 0, x, TILE), fill=FRESH)
    return found


def as_png(sheet: Image.Image) -> bytes:
    """The sheet as a file."""
    out = BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()


def sheets_of(artist: Artist, loader: Loader, rows: np.ndarray, *, seed: int) -> dict[str, bytes]:
    """A sheet for each column that an artist draws: the lower halves of these rows completed."""
    batch = Batch.of(loader.batch(rows), artist.body.device)
    found = {}
    for name in artist.columns:
        if bool(batch.present[name].any()):
            drawn = artist.draw(name, batch, anew=0.5, each=4, seed=seed, numbers=rows.tolist())
            found[name] = as_png(contact_sheet(drawn, rows.tolist()))
    return found
