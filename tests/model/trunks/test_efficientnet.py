"""Own EfficientNet-lite against what is known of the pictures that come with scikit-image."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image
from torch import nn
from torch.nn import functional as F

from modalloy.model.trunks.efficientnet import ConvNorm, EfficientNetLite, round_channels
from modalloy.model.trunks.pretrained import read_weights

CATS, MISSILES, HOUSES, FLOWERS = {281, 282, 285}, {657, 744}, {663, 698, 442}, {985, 309}


def answers(variant: int, pictures: list[np.ndarray]) -> torch.Tensor:
    """Probabilities of the 1,000 classes for the middle of each picture."""
    net = EfficientNetLite(variant)
    classifier = net.load(read_weights(f"efficientnet_lite{variant}"))
    net.eval()
    small = []
    for picture in pictures:
        high, wide = picture.shape[:2]
        side = min(high, wide)
        left, top = (wide - side) // 2, (high - side) // 2
        cut = Image.fromarray(picture).crop((left, top, left + side, top + side))
        small.append(np.asarray(cut.resize((224, 224), Image.Resampling.BICUBIC)))
    x_BCHW = (torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.inference_mode():
        pooled_BF = net(x_BCHW).head_BFHW.mean((2, 3))
    return (pooled_BF @ classifier[:, :-1].T + classifier[:, -1]).softmax(1)


def test_lite0_knows_five_pictures() -> None:
    photos = [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]
    p_BC = answers(0, [data.coffee(), data.chelsea(), data.rocket(), *photos])
    assert p_BC[0, 967] > 0.85  # espresso
    for row, names in enumerate((CATS, MISSILES, HOUSES, FLOWERS), start=1):
        assert int(p_BC[row].argmax()) in names


@pytest.mark.parametrize("variant", [1, 2])
def test_larger_ones_know_coffee_and_cat(variant: int) -> None:
    p_BC = answers(variant, [data.coffee(), data.chelsea()])
    assert p_BC[0, 967] > 0.85
    assert p_BC[1, list(CATS)].sum() > 0.9


@pytest.mark.parametrize("size", [64, 75])
def test_maps_have_strides_4_8_16_32(size: int) -> None:
    net = EfficientNetLite(0).eval()
    with torch.inference_mode():
        maps, head = net(torch.zeros(1, 3, size, size))
    sides = [-(-size // s) for s in (4, 8, 16, 32)]
    assert [m.shape[2:] for m in maps] == [(n, n) for n in sides]
    assert tuple(m.shape[1] for m in maps) == net.map_channels == (24, 40, 112, 320)
    assert head.shape == (1, 1280, sides[-1], sides[-1])


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, 8), (5, 2, 9), (5, 2, 8), (3, 1, 7)])
def test_padding_is_tensorflows(kernel: int, stride: int, size: int) -> None:
    """`same` padding: ceil(size / stride) outputs, the odd one of the padding below and right."""
    layer = ConvNorm(1, 1, kernel, stride=stride, active=False).eval()
    layer.norm.running_var.fill_(1 - layer.norm.eps)
    x = torch.randn(1, 1, size, size)
    count = -(-size // stride)
    total = max(0, (count - 1) * stride + kernel - size)
    padded = F.pad(x, (total // 2, total - total // 2) * 2)
    slow = torch.zeros(1, 1, count, count)
    for i in range(count):
        for j in range(count):
            patch = padded[0, 0, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            slow[0, 0, i, j] = (patch * layer.conv.weight[0, 0]).sum()
    torch.testing.assert_close(layer(x), slow, atol=1e-5, rtol=0)


def test_channels_round_like_the_paper() -> None:
    assert [round_channels(c * 1.1) for c in (16, 24, 40, 80, 112, 192, 320)] == [
        16,
        24,
        48,
        88,
        120,
        208,
        352,
    ]


def test_channels_last_says_the_same() -> None:
    net = EfficientNetLite(0).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, 40, 40)
    with torch.inference_mode():
        usual = net(x).head_BFHW
        last = net.to(memory_format=torch.channels_last)(x).head_BFHW
    torch.testing.assert_close(last, usual, atol=1e-5, rtol=1e-4)
