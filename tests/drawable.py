"""A body of columns that can be drawn, and rows for it: for tests of next-patch prediction."""

import torch

from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.tokens import Batch
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader

PIXELS, LENGTH, RATE_HZ = 16, 40, 2000


def readers(**sizes: int) -> dict[str, Reader]:
    """Of a picture, a series of two channels and a recording of a quarter of a second."""
    length = sizes.get("length", LENGTH)
    limits = (length, None, None, (0.0, 0.0), (1.0, 1.0))
    return {
        "photo": ImageReader("photo", 1, sizes.get("pixels", PIXELS), None),
        "pull": SeriesReader("pull", ("pull",), False, *limits, longest=length),
        "sound": AudioReader("sound", RATE_HZ, 0.25, 1.0),
    }


def drawable(*columns: str) -> Body:
    """A small body of these columns."""
    options = {
        "photo": {"type": "image", "pixels": PIXELS},
        "pull": {"type": "series", "length": LENGTH, "front": ["learned"]},
        "sound": {"type": "audio", "rate_hz": RATE_HZ, "seconds": 0.25},
    }
    job = config.Job.model_validate(
        {
            "table": "rows.csv",
            "split": {"random": "stratified"},
            "columns": {name: options[name] for name in columns},
            "fuse": {"type": "concat", "width": 16, "layers": 1},
            "tasks": {"fault": {"type": "classify", "target": "code"}},
        }
    )
    torch.manual_seed(0)
    return Body(job, {name: readers()[name] for name in columns}, pretrained=False).eval()


def some_rows(*columns: str, rows: int = 4, seed: int = 0) -> Batch:
    """Rows of these columns; series and recordings of several lengths."""
    draw = torch.Generator().manual_seed(seed)
    ends_B = LENGTH - 7 * (torch.arange(rows) % 3)
    sounds_B = 500 - 120 * (torch.arange(rows) % 3)
    mask_BL = torch.arange(LENGTH) < ends_B[:, None]
    shape = (rows, 1, PIXELS, PIXELS)
    values = {
        "photo": {
            "pixels": torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8),
            "size": torch.full((rows, 2), float(PIXELS)),
        },
        "pull": {
            "x": torch.randn(rows, 2, LENGTH, generator=draw) * mask_BL[:, None],
            "mask": mask_BL,
            "speed_hz": torch.zeros(rows),
        },
        "sound": {
            "wave": torch.rand(rows, 500, generator=draw) * (torch.arange(500) < sounds_B[:, None]),
            "length": sounds_B,
        },
    }
    present = {name: torch.ones(rows, dtype=torch.bool) for name in columns}
    return Batch({name: values[name] for name in columns}, present)


def changed(batch: Batch, name: str, patch: int, body: Body) -> Batch:
    """The rows with one patch of a column otherwise and all before it as they were."""
    from modalloy.model.canvases.build import build_canvas

    canvas = build_canvas(body.readers[name])
    own = dict(batch.values[name])
    if name == "photo":
        across = PIXELS // 4
        y, x = patch // across * 4, patch % across * 4
        own["pixels"] = own["pixels"].clone()
        own["pixels"][:, :, y : y + 4, x : x + 4] ^= 128
    elif name == "pull":
        own["x"] = own["x"].clone()
        own["x"][:, :, patch * canvas.steps : (patch + 1) * canvas.steps] += 1.0
        own["x"] *= own["mask"][:, None]
    return Batch({**batch.values, name: own}, batch.present)
