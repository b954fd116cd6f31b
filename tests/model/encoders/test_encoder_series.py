import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PatchTSTConfig, PatchTSTModel

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.trunks import signal_sizes as sizes
from modalloy.model.trunks.patchtst import last_samples
from modalloy.model.trunks.strided import STEPS, StepNorm, StridedFront
from modalloy.readers.series import SeriesReader

ALL = ("learned", "statistics", "recent", "spectrum", "envelope", "order")
CASES = {
    "default": {},
    "learned": {"front": ("learned",)},
    "fixed": {"front": ("statistics", "spectrum", "envelope", "order")},
    "all": {"front": ALL},
    "random": {"front": ("minirocket", "hydra", "statistics")},
    "random and learned": {"front": ("convolution", "minirocket")},
    "convolution": {"front": ("convolution",)},
    "base": {"front": ("learned",), "size": "base"},
}


def make_reader(channels: int = 2, length: int = 300) -> SeriesReader:
    ones = (1.0,) * channels
    fitted = {"longest": length, "rows": 4, "lined": True}
    return SeriesReader("s", ("s",), False, length, 1000.0, 600.0, ones, ones, **fitted)


def make_encoder(
    reader: SeriesReader | None = None, width: int = 16, seed: int = 0, **options: Any
) -> SeriesEncoder:
    torch.manual_seed(seed)
    reader = reader or make_reader()
    known = {"length": reader.length, "rate_hz": 1000.0, "rpm": 600.0}
    encoder = SeriesEncoder(reader, config.Series(**known, **options), width, pretrained=True)
    if encoder.fits:
        fit(encoder, reader.channels)
    return encoder


def fit(encoder: SeriesEncoder, channels: int) -> None:
    values = make_values([300, 200, 40, 129], channels, seed=3)
    encoder.fit(values, torch.Generator().manual_seed(0))


def make_values(lengths: list[int], channels: int = 2, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    most = max(lengths)
    mask_BL = torch.arange(most)[None] < torch.tensor(lengths)[:, None]
    x_BCL = torch.randn(len(lengths), channels, most) * mask_BL[:, None]
    speed_hz_B = torch.where(torch.arange(len(lengths)) % 2 == 0, 10.0, 0.0)
    return {"x": x_BCL, "mask": mask_BL, "speed_hz": speed_hz_B}


def take(values: dict[str, Tensor], row: int, length: int | None = None) -> dict[str, Tensor]:
    one = {n: v[row : row + 1] for n, v in values.items()}
    if length is not None:  # as a reader gives the row alone
        one |= {"x": one["x"][..., :length], "mask": one["mask"][:, :length]}
    return one


@pytest.mark.parametrize("case", CASES)
def test_a_row_alone_is_the_row_in_a_padded_batch(case: str) -> None:
    encoder = make_encoder(**CASES[case])
    lengths = [300, 40, 7, 129, 200]
    values = make_values(lengths)
    present_B = torch.ones(5, dtype=torch.bool)
    encoder.train()(values, present_B)  # running figures of the fronts
    encoder.eval()
    whole = encoder(values, present_B)
    assert whole.x_BTD.shape[1] <= STEPS + 4
    for row, length in enumerate(lengths):
        alone = encoder(take(values, row, length), present_B[:1])
        assert torch.allclose(alone.summary_BD[0], whole.summary_BD[row], atol=2e-4)
        tokens = alone.x_BTD[0][alone.mask_BT[0]]
        assert torch.allclose(tokens, whole.x_BTD[row][whole.mask_BT[row]], atol=2e-4)


@pytest.mark.parametrize("case", CASES)
def test_absent_and_hidden_samples_may_hold_anything(case: str) -> None:
    encoder = make_encoder(**CASES[case]).eval()
    values = make_values([300, 40, 129])
    present_B = torch.tensor([True, True, False])
    garbage = {**values, "x": values["x"].clone(), "speed_hz": values["speed_hz"].clone()}
    garbage["x"][1, :, 40:] = 1e3
    garbage["x"][2] = torch.nan
    garbage["speed_hz"][2] = torch.nan
    a, b = encoder(values, present_B), encoder(garbage, present_B)
    assert torch.allclose(a.summary_BD, b.summary_BD, atol=1e-5)
    assert torch.allclose(a.x_BTD[a.mask_BT], b.x_BTD[b.mask_BT], atol=1e-5)
    assert torch.equal(a.summary_BD[2], encoder.absent(1).summary_BD[0])
    assert a.mask_BT[2].sum() == 1


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_finite(case: str) -> None:
    encoder = make_encoder(**CASES[case]).train()
    values = make_values([300, 40, 7, 129])
    values["x"][3] = 0.0  # a dead sensor
    tokens = encoder(values, torch.ones(4, dtype=torch.bool))
    (tokens.summary_BD.square().sum() + tokens.x_BTD.square().sum()).backward()
    for name, parameter in encoder.named_parameters():
        if name != "absent_D":
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_short_rows_keep_every_step_and_long_ones_are_halved() -> None:
    encoder = make_encoder(make_reader(15, 4096), front=("learned",)).eval()
    values = make_values([30, 64, 65, 2048, 4096], channels=15)
    tokens = encoder(values, torch.ones(5, dtype=torch.bool))
    assert tokens.mask_BT.sum(1).tolist() == [30, 64, 33, 64, 64]


def test_row_leaves_the_halvings_as_if_alone() -> None:
    torch.manual_seed(0)
    front = StridedFront(1, 512, 8, 2).eval()
    x_BCL, mask_BL = torch.randn(2, 1, 500), torch.ones(2, 500, dtype=torch.bool)
    mask_BL[1, 50:] = False
    whole_BTd, seen_BT = front(x_BCL, mask_BL)
    z_BdL = torch.nn.functional.gelu(front.entry(x_BCL[1:, :, :50]))
    z_BTd = z_BdL.transpose(1, 2)
    for layer in front.layers:
        z_BTd = layer(z_BTd, torch.ones(1, 50, dtype=torch.bool))
    assert seen_BT.sum(1).tolist() == [63, 50]
    assert torch.allclose(whole_BTd[1, :50], z_BTd[0], atol=1e-5)


def test_without_a_speed_the_order_front_is_its_learned_vector() -> None:
    encoder = make_encoder(front=("order",)).eval()
    values = make_values([300, 300, 300])
    tokens = encoder(values, torch.ones(3, dtype=torch.bool))
    assert torch.equal(tokens.x_BTD[1, 0], encoder.unknown_D)
    assert not torch.allclose(tokens.x_BTD[0, 0], tokens.x_BTD[2, 0])


def test_rate_and_speed_are_heard_where_no_front_is_named() -> None:
    """Two tones of one loudness, then two shaft speeds of one sound: told apart in the features."""
    time_s = torch.arange(300) / 1000
    tones_BL = torch.stack([(2 * torch.pi * hz * time_s).sin() for hz in (40, 220)])
    values = {"x": tones_BL[:, None].repeat(1, 2, 1), "mask": torch.ones(2, 300, dtype=torch.bool)}
    values["speed_hz"] = torch.full((2,), 10.0)
    encoder = make_encoder().eval()
    assert encoder.fixed == ["statistics", "spectrum", "envelope", "order"]
    spectrum_BF = encoder.features(values)["fronts"].split(encoder.sizes, 1)[1]
    count = sizes.bands(encoder.segment)
    band_hz = encoder.segment // 2 // count * 1000 / encoder.segment
    highest_B = spectrum_BF[:, :count].argmax(1)
    assert ((highest_B + 0.5) * band_hz - torch.tensor([40, 220])).abs().max() < band_hz
    for speed_hz, turns in ((10.0, 4.0), (20.0, 2.0)):  # of the shaft, to each of 40 Hz
        turning = {**values, "speed_hz": torch.full((2,), speed_hz)}
        order_BF = encoder.features(turning)["fronts"].split(encoder.sizes, 1)[3]
        highest = order_BF[0, : sizes.CELLS].argmax().item() + 0.5
        assert abs(highest * sizes.TOP_ORDER / sizes.CELLS - turns) < 0.2


def test_fronts_alone_run_once_and_give_the_same_from_the_cache() -> None:
    encoder = make_encoder(front=("statistics", "order")).eval()
    values, present_B = make_values([300, 40]), torch.ones(2, dtype=torch.bool)
    assert encoder.frozen
    assert not make_encoder(front=("statistics",), augment="gain").frozen
    assert not make_encoder().frozen
    kept = encoder.features(values)
    assert all(len(t) == 2 for t in kept.values())
    again, now = encoder(kept, present_B), encoder(values, present_B)
    assert torch.equal(again.summary_BD, now.summary_BD)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"front": ("envelope",)}, r"columns\.s\.front: envelope needs rate_hz"),
        ({"front": ("order",), "rate_hz": 100.0}, r"columns\.s\.front: order needs rpm"),
        ({"front": ()}, r"columns\.s\.front: is empty"),
        ({"front": ("statistics",), "encoder": "hf:x"}, r"columns\.s\.encoder: hf:x takes"),
    ],
)
def test_what_a_front_needs_is_said(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(JobError, match=sentence):
        SeriesEncoder(make_reader(), config.Series(**options), 16, pretrained=True)


# --- random convolutions -----------------------------------------------------------------------


def test_batch_norms_see_the_steps_that_exist_alone() -> None:
    torch.manual_seed(0)
    norm, x_BTd = StepNorm(3), torch.randn(2, 5, 3) * 4 + 2
    mask_BT = torch.arange(5) < torch.tensor([5, 2])[:, None]
    z_BTd = norm.train()(x_BTd, mask_BT)
    seen_Nd = x_BTd[mask_BT]
    expected_Nd = (seen_Nd - seen_Nd.mean(0)) / (seen_Nd.var(0, correction=0) + 1e-5).sqrt()
    assert torch.allclose(z_BTd[mask_BT], expected_Nd, atol=1e-5)
    assert torch.allclose(norm.batch.running_mean, 0.1 * seen_Nd.mean(0), atol=1e-5)
    one_BT = torch.zeros(2, 5).bool()
    assert torch.equal(norm(x_BTd, one_BT), x_BTd)  # a norm over nothing is undefined


def test_a_convolution_is_pooled_by_its_mean() -> None:
    encoder = make_encoder(make_reader(2, 64), front=("convolution",)).eval()
    values = make_values([64, 20])
    z_BTd, mask_BT = encoder.strided(values["x"], values["mask"])
    mean_Bd = torch.stack([z_Td[m].mean(0) for z_Td, m in zip(z_BTd, mask_BT, strict=True)])
    _, _, pooled_BD = encoder.learned_steps(encoder.features(values))
    assert torch.allclose(pooled_BD, encoder.pool(mean_Bd), atol=1e-5)
    with pytest.raises(JobError, match="names learned and convolution"):
        make_encoder(front=("learned", "convolution"))


def test_random_convolutions_run_once_and_stand_still_while_the_rest_learns() -> None:
    encoder = make_encoder(front=("learned", "minirocket", "statistics"))
    assert encoder.fits
    assert encoder.frozen
    assert not make_encoder(front=("minirocket",), augment="gain").frozen
    values, present_B = make_values([300, 40]), torch.ones(2, dtype=torch.bool)
    before = copy.deepcopy(encoder.trunk.state_dict())
    kept, once = encoder.eval().features(values), encoder.pooled_features(encoder.features(values))
    assert torch.equal(encoder(kept, present_B).summary_BD, encoder(values, present_B).summary_BD)
    assert once.shape == (2, 3 + 2 + 2 * sizes.STATISTICS)  # components of 4 rows, two facts
    tokens = encoder.train()(kept, present_B)
    tokens.summary_BD.sum().backward()
    assert encoder.strided.entry.weight.grad is not None
    assert all(torch.equal(before[n], t) for n, t in encoder.trunk.state_dict().items())


def test_the_length_and_the_gaps_of_a_row_are_told() -> None:
    encoder = make_encoder(make_reader(1, 300), front=("hydra",)).eval()
    values = make_values([300, 100], channels=1)
    values["mask"][1, 10:35] = False
    facts_B2 = encoder.features(values)["fronts"][:, -2:]
    expected = torch.tensor([[math.log1p(300), 0.0], [math.log1p(100), 0.25]])
    assert torch.allclose(facts_B2, expected, atol=1e-5)


def test_random_convolutions_do_not_stand_beside_a_checkpoint() -> None:
    with pytest.raises(JobError, match="minirocket does not stand beside hf:x"):
        make_encoder(encoder="hf:x", front=("learned", "minirocket"))


# --- PatchTST ----------------------------------------------------------------------------------


def save_patchtst(folder: Path, channels: int = 3, **options: Any) -> str:
    torch.manual_seed(1)
    settings = PatchTSTConfig(
        num_input_channels=channels,
        context_length=32,
        patch_length=8,
        patch_stride=8,
        d_model=8,
        num_attention_heads=2,
        num_hidden_layers=3,
        ffn_dim=16,
        **options,
    )
    PatchTSTModel(settings).save_pretrained(folder)
    return f"hf:{folder}"


def test_patchtst_reads_each_channel_as_transformers_does(tmp_path: Path) -> None:
    name = save_patchtst(tmp_path)
    encoder = make_encoder(encoder=name, front=("learned", "statistics")).eval()
    values = make_values([100, 100])
    reference = PatchTSTModel.from_pretrained(tmp_path).eval()
    three_BLC = values["x"][:, [0, 1, 0], -32:].transpose(1, 2)
    z_BCPd = reference(past_values=three_BLC).last_hidden_state[:, :2]
    found = encoder.features(values)["features"]
    expected = torch.cat([z_BCPd.mean(2), z_BCPd[:, :, -1]], -1)
    assert torch.allclose(found, expected, atol=1e-5)
    tokens = encoder(values, torch.ones(2, dtype=torch.bool))
    assert tokens.x_BTD.shape == (2, 3, 16)  # statistics and two channels


@pytest.mark.parametrize("tune", ["frozen", "full", "last_n"])
def test_tune_says_what_of_patchtst_changes(tmp_path: Path, tune: str) -> None:
    encoder = make_encoder(encoder=save_patchtst(tmp_path), tune=tune, last_n=1)
    learn = [any(p.requires_grad for p in b.parameters()) for b in encoder.trunk.blocks]
    assert (
        learn == {"frozen": [False] * 3, "full": [True] * 3, "last_n": [False, False, True]}[tune]
    )
    assert encoder.frozen == (tune == "frozen")
    encoder.train()
    assert encoder.trunk.training != encoder.frozen
    values = make_values([50, 20])
    encoder(values, torch.ones(2, dtype=torch.bool)).summary_BD.sum().backward()
    moved = [b.self_attn.q_proj.weight.grad is not None for b in encoder.trunk.blocks]
    assert moved == learn


@pytest.mark.parametrize(("last_n", "changed"), [(1, [2]), (2, [1, 2])])
def test_norms_of_blocks_that_stay_keep_their_figures(
    tmp_path: Path, last_n: int, changed: list[int]
) -> None:
    encoder = make_encoder(encoder=save_patchtst(tmp_path), tune="last_n", last_n=last_n)
    before = copy.deepcopy(encoder.trunk.state_dict())
    optimizer = torch.optim.SGD([p for p in encoder.parameters() if p.requires_grad], lr=0.1)
    for step in range(2):
        tokens = encoder.train()(make_values([50, 20], seed=step), torch.ones(2, dtype=torch.bool))
        tokens.summary_BD.square().sum().backward()
        optimizer.step()
    after = encoder.trunk.state_dict()
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert {int(n.split("layers.")[1][0]) for n in moved} == set(changed)
    assert sum("running_mean" in n for n in moved) >= len(changed)  # those that learn do follow


def test_more_blocks_than_patchtst_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"columns\.s\.last_n: hf:\S+ has 3 blocks, not 99"):
        make_encoder(encoder=save_patchtst(tmp_path), tune="last_n", last_n=99)


def test_patchtst_is_built_again_without_its_folder(tmp_path: Path) -> None:
    encoder = make_encoder(encoder=save_patchtst(tmp_path)).eval()
    options = encoder.options.model_copy(update={"encoder": "hf:gone"})
    again = SeriesEncoder(
        make_reader(), options, 16, pretrained=False, trunk_config=encoder.trunk_config
    ).eval()
    again.load_state_dict(encoder.state_dict())
    values, present_B = make_values([100, 20]), torch.ones(2, dtype=torch.bool)
    a, b = encoder(values, present_B), again(values, present_B)
    assert torch.equal(a.summary_BD, b.summary_BD)


def test_patchtst_padding_and_neighbours_change_nothing(tmp_path: Path) -> None:
    encoder = make_encoder(encoder=save_patchtst(tmp_path)).eval()
    values, present_B = make_values([100, 20, 33]), torch.ones(3, dtype=torch.bool)
    whole = encoder(values, present_B)
    for row, length in enumerate([100, 20, 33]):
        alone = encoder(take(values, row, length), present_B[:1])
        assert torch.allclose(alone.summary_BD[0], whole.summary_BD[row], atol=1e-4)


def test_last_samples_are_right_aligned() -> None:
    x_BCL = torch.arange(1.0, 11).expand(2, 1, 10)
    mask_BL = torch.arange(10)[None] < torch.tensor([[10], [3]])
    x_BLC, seen_BL = last_samples(x_BCL, mask_BL, 5)
    assert x_BLC[..., 0].tolist() == [[6, 7, 8, 9, 10], [0, 0, 1, 2, 3]]
    assert seen_BL.tolist() == [[True] * 5, [False, False, True, True, True]]


def test_a_patchtst_that_mixes_other_channels_is_refused(tmp_path: Path) -> None:
    name = save_patchtst(tmp_path, channel_attention=True)
    with pytest.raises(JobError, match="reads 3 channels and mixes them, the column has 2"):
        make_encoder(encoder=name)


def test_a_folder_of_another_family_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig

    BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1).save_pretrained(tmp_path)
    with pytest.raises(JobError, match="a bert checkpoint cannot read a series"):
        make_encoder(encoder=f"hf:{tmp_path}")
    with pytest.raises(JobError, match="there is no folder"):
        make_encoder(encoder="hf:/no/such/folder")


def test_learns_a_level_from_noise() -> None:
    """Whether the mean of the last tenth lies above that of the first, from short noisy rows."""
    encoder = make_encoder(make_reader(1, 30), width=32)
    rng = np.random.default_rng(0)
    slope_B = rng.choice([-1.0, 1.0], 96)
    x = slope_B[:, None] * np.linspace(-1, 1, 30) + rng.normal(size=(96, 30)) * 0.3
    values = {
        "x": torch.tensor(x, dtype=torch.float32)[:, None],
        "mask": torch.ones(96, 30, dtype=torch.bool),
        "speed_hz": torch.zeros(96),
    }
    y_B, present_B = torch.tensor(slope_B > 0).float(), torch.ones(96, dtype=torch.bool)
    head = torch.nn.Linear(32, 1)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(12):
        logit_B = head(encoder.train()(values, present_B).summary_BD).squeeze(1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit_B, y_B)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    logit_B = head(encoder.eval()(values, present_B).summary_BD).squeeze(1)
    assert ((logit_B > 0) == (y_B > 0)).float().mean() > 0.95
