"""Features for baselines look at each picture once, whatever an answer does."""

import torch

from modalloy import config
from modalloy.judge.frozen import one_view
from modalloy.model.encoders.image import ImageEncoder
from modalloy.table.image import ImageReader


def test_baselines_see_one_view_and_answers_all_of_them() -> None:
    torch.manual_seed(0)
    options = config.Image(encoder="efficientnet_lite0", augment="rotate", all_views=True)
    reader = ImageReader("photo", 3, 64, 255.0)
    encoder = ImageEncoder(reader, options, 8, pretrained=False).eval()
    pixels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    seen: list[int] = []
    encoder.trunk.register_forward_hook(lambda *_: seen.append(1))
    with torch.no_grad():
        with one_view([encoder]):
            encoder.features({"pixels": pixels})
        assert len(seen) == 1
        encoder.features({"pixels": pixels})
    assert len(seen) == 1 + 8
