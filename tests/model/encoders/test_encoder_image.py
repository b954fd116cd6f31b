"""Pictures to tokens and maps: from scratch, EfficientNet-lite and transformers folders."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as t
from torch import Tensor, nn

from modalloy import train
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.learn import probe
from modalloy.model.encoders.image import ImageEncoder, other_views, places
from modalloy.model.tokens import Tokens
from modalloy.model.trunks.cnn import Cnn
from modalloy.model.trunks.huggingface import load_trunk, quiet
from modalloy.model.trunks.image_trunks import build_cnn, view_detr, view_tower
from modalloy.model.trunks.trunk import allows_channels_last
from modalloy.readers.image import ImageReader

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "image_size": 32,
    "patch_size": 8,
}


def reader_of(pixels: int, channels: int = 3) -> ImageReader:
    return ImageReader("photo", channels, pixels, 255.0)


def build(
    encoder: str, pixels: int, *, channels: int = 3, pretrained: bool = False, **options: Any
) -> ImageEncoder:
    made = config.Image(encoder=encoder, pixels=pixels, **options)
    return ImageEncoder(reader_of(pixels, channels), made, 24, pretrained=pretrained).eval()


def pictures(rows: int, pixels: int, channels: int = 3) -> dict[str, Tensor]:
    shape = (rows, channels, pixels, pixels)
    return {
        "pixels": torch.randint(0, 256, shape, dtype=torch.uint8),
        "size": torch.full((rows, 2), float(pixels)),
    }


def encode(encoder: ImageEncoder, values: dict[str, Tensor]) -> Tokens:
    return encoder(values, torch.ones(len(values["pixels"]), dtype=torch.bool))


@pytest.mark.parametrize(("augment", "count"), [("flip", 2), ("rotate", 8)])
@pytest.mark.parametrize("tune", ["full", "frozen"])
def test_all_views_of_a_picture_have_one_summary(augment: str, count: int, tune: str) -> None:
    torch.manual_seed(0)
    options = {"augment": augment, "tune": tune}
    encoder = build("efficientnet_lite0", 64, all_views=True, **options)
    values = pictures(2, 64)
    turned = [values["pixels"], *other_views(values["pixels"], augment)]
    assert len({x.numpy().tobytes() for x in turned}) == count
    with torch.no_grad():
        summaries = [encode(encoder, {**values, "pixels": x}).summary_BD for x in turned]
        plain = build("efficientnet_lite0", 64, **options)
        plain.load_state_dict(encoder.state_dict())
        alone = [encode(plain, {**values, "pixels": x}).summary_BD for x in turned]
    for summary in summaries:
        close(summary, summaries[0])
    assert not torch.equal(alone[1], alone[0])
    if tune == "full":  # the summary is a linear map of what is averaged
        close(summaries[0], torch.stack(alone).mean(0))


def check_alone(encoder: ImageEncoder, values: dict[str, Tensor]) -> None:
    """A row's tokens and maps are those of a batch of its own."""
    with torch.no_grad():
        together = encode(encoder, values)
        alone = encode(encoder, {k: v[1:2] for k, v in values.items()})
    close(together.x_BTD[1:2], alone.x_BTD)
    close(together.summary_BD[1:2], alone.summary_BD)
    for whole, one in zip(together.maps, alone.maps, strict=True):
        close(whole[1:2], one)


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def save(model: Any, folder: Path) -> str:
    with quiet():
        model.save_pretrained(folder)
    return f"hf:{folder}"


def detr(folder: Path) -> str:
    sizes = {
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
    }
    backbone = t.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 12, 16, 24],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )
    settings = t.DetrConfig(
        use_timm_backbone=False,
        backbone_config=backbone,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        num_queries=3,
        **sizes,
    )
    return save(t.DetrForObjectDetection(settings), folder)


@pytest.mark.parametrize(
    ("pixels", "sides", "tokens"),
    [(16, [8, 4], 16), (28, [14, 7, 4], 16), (64, [16, 8, 4], 16), (160, [40, 20, 10, 5], 25)],
)
def test_scratch_maps_and_tokens(pixels: int, sides: list[int], tokens: int) -> None:
    encoder = build("scratch", pixels)
    found = encode(encoder, pictures(2, pixels))
    assert [m.shape[2:] for m in found.maps] == [(s, s) for s in sides]
    assert found.x_BTD.shape == (2, tokens, 24)
    assert found.mask_BT.all()
    assert encoder.trunk is None
    check_alone(encoder, pictures(2, pixels))


def test_at_most_64_tokens() -> None:
    encoder = build("scratch", 320, channels=1)
    found = encode(encoder, pictures(1, 320, 1))
    assert found.maps[-1].shape[2:] == (10, 10)
    assert found.x_BTD.shape == (1, 64, 24)


def test_base_is_wider_and_deeper() -> None:
    small, base = (build_cnn(3, 64, size)[0] for size in ("small", "base"))
    assert trainable(base) > 5 * trainable(small)


def test_grey_and_colour() -> None:
    grey = build("scratch", 32, channels=1)
    assert grey.scratch.stem.conv.weight.shape[1] == 1
    lite = build("efficientnet_lite0", 64, channels=1)
    one = pictures(1, 64, 1)
    three = one | {"pixels": one["pixels"].expand(-1, 3, -1, -1)}
    close(encode(lite, one).summary_BD, encode(lite, three).summary_BD)


def test_tokens_know_their_place() -> None:
    grid = places(3, 5, 16)
    assert grid.shape == (15, 16)
    apart = torch.cdist(grid, grid) + 9 * torch.eye(15)
    assert apart.min() > 0.1
    close(grid[1, :8], grid[0, :8])  # the same line
    close(grid[5, 8:], grid[0, 8:])  # the same column


@pytest.mark.parametrize(
    ("tune", "wanted"), [("full", 3_371_008), ("last_n", 412_160 + 605_440), ("frozen", 0)]
)
def test_lite_tune(tune: str, wanted: int) -> None:
    """`last_n: 2` is the head's convolution and the last inverted residual."""
    encoder = build("efficientnet_lite0", 64, tune=tune)
    assert trainable(encoder.trunk) == wanted
    assert encoder.frozen == (tune == "frozen")
    values = pictures(2, 64)
    features = encoder.features(values)
    if tune == "frozen":
        assert set(features) == {"features"}
        assert features["features"].shape == (2, 1, 1280 + 2 * (112 + 320))
    else:
        assert features["features"].shape == (2, 1280, 2, 2)
    check_alone(encoder, values)


def test_pretrained_norms_stand_still() -> None:
    encoder = build("efficientnet_lite0", 32, pretrained=True).train()
    figures = {n: b.clone() for n, b in encoder.trunk.named_buffers()}
    encode(encoder, pictures(2, 32)).summary_BD.sum().backward()
    assert all(torch.equal(b, figures[n]) for n, b in encoder.trunk.named_buffers())
    assert encoder.trunk.stem.conv.weight.grad.abs().sum() > 0
    assert not encoder.trunk.blocks[0].depthwise.norm.training


def test_features_from_the_cache_say_the_same() -> None:
    encoder = build("efficientnet_lite0", 64, tune="frozen")
    values = pictures(3, 64)
    present = torch.tensor([True, False, True])
    cached = {k: v.detach() for k, v in encoder.features(values).items()}
    direct, later = encoder(values, present), encoder(cached, present)
    close(direct.x_BTD, later.x_BTD)
    close(direct.summary_BD[1], encoder.absent_D)
    encoder.train()
    encoder(cached, present)
    assert encoder.scale.seen == 2


@pytest.mark.parametrize("pixels", [32, 44])
@pytest.mark.parametrize("family", ["vit", "dinov2", "clip"])
@torch.no_grad()
def test_towers_are_transformers(family: str, pixels: int, tmp_path: Path) -> None:
    """Patches and class token as transformers gives them, also at a size not pre-trained."""
    makers = {
        "vit": lambda: t.ViTModel(t.ViTConfig(**SMALL), add_pooling_layer=False),
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**SMALL)),
        "clip": lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**SMALL)),
    }
    model = makers[family]().eval()
    place = save(model, tmp_path)
    x_BCHW = torch.randn(2, 3, pixels, pixels)
    seen = view_tower(load_trunk("image", place).module.eval(), x_BCHW)
    asked = {} if family == "dinov2" else {"interpolate_pos_encoding": pixels != 32}
    theirs = model(x_BCHW, **asked)
    states = theirs.last_hidden_state
    states = model.post_layernorm(states) if family == "clip" else states
    side = pixels // 8
    close(seen.last_BFHW[0, :, 0, 1], states[0, 2])
    close(seen.last_BFHW[0, :, 1, 0], states[0, 1 + side])
    close(seen.pooled_BF[:, :16], theirs.pooler_output if family == "clip" else states[:, 0])


@torch.no_grad()
def test_detr_is_transformers(tmp_path: Path) -> None:
    place = detr(tmp_path)
    with quiet():
        model = t.DetrModel.from_pretrained(tmp_path).eval()
    x_BCHW = torch.randn(2, 3, 64, 64)
    seen = view_detr(load_trunk("image", place).module.eval(), x_BCHW)
    theirs = model(x_BCHW).encoder_last_hidden_state
    close(seen.last_BFHW.flatten(2).transpose(1, 2), theirs)
    assert [m.shape[1:] for m in seen.maps] == [(8, 16, 16), (12, 8, 8), (16, 4, 4), (16, 2, 2)]


@pytest.mark.parametrize("family", ["vit", "dinov2", "clip", "detr"])
def test_transformers_folders(family: str, tmp_path: Path) -> None:
    dinov2 = t.Dinov2Config(**SMALL, drop_path_rate=0.5, use_mask_token=False)
    makers = {
        "vit": lambda: save(t.ViTForImageClassification(t.ViTConfig(**SMALL)), tmp_path),
        "dinov2": lambda: save(t.Dinov2Model(dinov2), tmp_path),
        "clip": lambda: save(t.CLIPVisionModel(t.CLIPVisionConfig(**SMALL)), tmp_path),
        "detr": lambda: detr(tmp_path),
    }
    place, values = makers[family](), pictures(2, 32)
    encoder = build(place, 32, pretrained=True)
    check_alone(encoder, values)
    options = config.Image(encoder=place, pixels=32)
    described = json.loads(json.dumps(encoder.trunk_config))
    again = ImageEncoder(reader_of(32), options, 24, pretrained=False, trunk_config=described)
    again.load_state_dict(encoder.state_dict())
    close(encode(again.eval(), values).summary_BD, encode(encoder, values).summary_BD)
    encoder.train()
    for _ in range(2):  # nothing of a step is kept for the next
        tokens = encode(encoder, values)
        (tokens.summary_BD.sum() + tokens.x_BTD.sum()).backward()
    unused = [n for n, p in encoder.named_parameters() if p.requires_grad and p.grad is None]
    assert unused == ["absent_D"]


@pytest.mark.parametrize("family", ["vit", "dinov2"])
def test_last_n_of_a_tower(family: str, tmp_path: Path) -> None:
    vit = family == "vit"
    model = t.ViTModel(t.ViTConfig(**SMALL)) if vit else t.Dinov2Model(t.Dinov2Config(**SMALL))
    place = save(model, tmp_path)
    encoder = build(place, 32, pretrained=True, tune="last_n", last_n=1)
    learning = {n for n, p in encoder.trunk.named_parameters() if p.requires_grad}
    assert learning
    assert all(n.startswith("layers.1." if vit else "encoder.layer.1.") for n in learning)


def test_pictures_smaller_than_a_patch(tmp_path: Path) -> None:
    large = SMALL | {"patch_size": 32}
    place = save(t.ViTModel(t.ViTConfig(**large)), tmp_path)
    with pytest.raises(JobError, match=r"columns.photo.pixels: .* patches of 32, more than 16"):
        build(place, 16, pretrained=True)


@torch.no_grad()
def test_a_masked_map_is_the_map_of_the_shorter_picture() -> None:
    net = Cnn(1, 4, (8, 8), (1, 1)).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.bias.uniform_(0.5, 1.0)
    long = torch.randn(1, 1, 16, 33)
    mask_BW = torch.arange(33)[None] < 13
    maps = net(long * mask_BW, mask_BW)
    for whole, alone in zip(maps, net(long[..., :13]), strict=True):
        close(whole[..., : alone.shape[3]], alone)
        assert (whole[..., alone.shape[3] :] == 0).all()


def test_detr_trains_with_an_odd_number_of_rows(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its backbone steps with 1 x 1 convolutions of 8 channels, which channels_last would break."""
    task = {"type": "classify", "target": "fault_code"}
    job = job_dict(small_table, columns=("photo",), tasks={"fault": task})
    job["columns"]["photo"] = {"type": "image", "encoder": detr(tmp_path / "detr"), "pixels": 32}
    job["train"] |= {"batch": 15, "epochs": 1, "precision": "auto"}
    monkeypatch.setattr(probe, "SHARE", 100.0)  # so that a short training tries all ways
    notes = train(job, out=tmp_path / "run", quiet=True).notes
    assert list(notes["probe_s"]) == ["float32", "bfloat16"]
    assert 0 < notes["curves"][0]["loss"] < 10


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "allowed"),
    [(8, 1, 2, False), (16, 1, 2, True), (8, 1, 1, True), (8, 3, 2, True)],
)
def test_channels_last_is_kept_from_narrow_convolutions_that_step(
    channels: int, kernel: int, stride: int, allowed: bool
) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(channels, 12, kernel, stride))
    assert allows_channels_last(net) == allowed


@pytest.mark.parametrize("encoder", ["scratch", "efficientnet_lite0"])
def test_own_encoders_allow_channels_last(encoder: str) -> None:
    assert allows_channels_last(build(encoder, 64))
