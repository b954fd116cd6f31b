import itertools

import pytest
import torch
from torch import Tensor, nn

from modalloy import config
from modalloy.errors import JobError
from modalloy.model.fusion import Consistency, MultilinearFuser, TabmFuser, build_fusion
from modalloy.model.tokens import Tokens

WAYS = [
    config.Concat(width=32),
    config.Sum(width=32),
    config.Multilinear(width=32, rank=4),
    config.Gated(width=32),
    config.Attention(width=32),
    config.Bottleneck(width=32),
    config.Tabm(width=32, members=4),
]
NAMES = [w.type for w in WAYS]


def make_tokens(rows: int, inputs: list[str], width: int, seed: int = 0) -> dict[str, Tokens]:
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for m, name in enumerate(inputs):
        x_BTD = torch.randn(rows, 2 + m, width, generator=generator)
        mask_BT = torch.ones(rows, 2 + m, dtype=torch.bool)
        mask_BT[::2, 1:] = False
        out[name] = Tokens(x_BTD, mask_BT, torch.randn(rows, width, generator=generator))
    return out


def take(tokens: dict[str, Tokens], rows: slice) -> dict[str, Tokens]:
    return {
        n: Tokens(t.x_BTD[rows], t.mask_BT[rows], t.summary_BD[rows]) for n, t in tokens.items()
    }


@pytest.mark.parametrize("options", WAYS, ids=NAMES)
def test_a_row_alone_is_the_row_in_a_batch(options: config.Fuse) -> None:
    inputs = ["photo", "train", "a.b"]  # names that a ModuleDict would refuse
    fusion = build_fusion(options, inputs, 32).eval()
    tokens = make_tokens(5, inputs, 32)
    whole = fusion(tokens).summary_BKD
    assert whole.shape == (5, fusion.members, 32)
    assert fusion.members == (4 if isinstance(options, config.Tabm) else 1)
    for row in range(5):
        alone = fusion(take(tokens, slice(row, row + 1))).summary_BKD
        assert torch.allclose(alone[0], whole[row], atol=1e-5)


@pytest.mark.parametrize("options", WAYS, ids=NAMES)
def test_tokens_beyond_the_mask_change_nothing(options: config.Fuse) -> None:
    fusion = build_fusion(options, ["a", "b"], 32).eval()
    tokens = make_tokens(4, ["a", "b"], 32)
    garbage = {
        n: t._replace(x_BTD=t.x_BTD.masked_fill(~t.mask_BT[..., None], 1e3))
        for n, t in tokens.items()
    }
    assert torch.allclose(fusion(tokens).summary_BKD, fusion(garbage).summary_BKD, atol=1e-5)


@pytest.mark.parametrize("options", WAYS, ids=NAMES)
def test_scale_of_a_modality_does_not_matter(options: config.Fuse) -> None:
    fusion = build_fusion(options, ["a", "b"], 32).eval()
    tokens = make_tokens(4, ["a", "b"], 32)
    loud = {**tokens, "b": tokens["b"]._replace(summary_BD=tokens["b"].summary_BD * 100)}
    assert torch.allclose(fusion(tokens).summary_BKD, fusion(loud).summary_BKD, atol=1e-3)


@pytest.mark.parametrize("options", WAYS, ids=NAMES)
def test_gradients_reach_every_weight(options: config.Fuse) -> None:
    fusion = build_fusion(options, ["a", "b"], 32)
    (fusion(make_tokens(4, ["a", "b"], 32)).summary_BKD * torch.randn(32)).sum().backward()
    for name, parameter in fusion.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("options", WAYS, ids=NAMES)
def test_solves_xor_of_two_modalities(options: config.Fuse) -> None:
    """Neither modality alone says anything about the answer; four codes each, 16 products."""
    torch.manual_seed(0)
    codes = torch.randn(2, 4, 32)
    pairs = torch.tensor(list(itertools.product(range(4), range(4))))
    y_B = (pairs[:, 0] % 2) ^ (pairs[:, 1] // 2)
    tokens = {
        name: Tokens(z[:, None], torch.ones(16, 1, dtype=torch.bool), z)
        for m, name in enumerate("ab")
        for z in [codes[m, pairs[:, m]]]
    }
    fusion, head = build_fusion(options, ["a", "b"], 32), nn.Linear(32, 2)
    optimizer = torch.optim.AdamW([*fusion.parameters(), *head.parameters()], lr=3e-3)
    for _ in range(120):
        logits_BKC = head(fusion(tokens).summary_BKD)
        members = logits_BKC.shape[1]
        loss = nn.functional.cross_entropy(logits_BKC.flatten(0, 1), y_B.repeat_interleave(members))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    fusion.eval()
    answer_B = head(fusion(tokens).summary_BKD).softmax(-1).mean(1).argmax(-1)
    assert (answer_B == y_B).all()


def test_multilinear_is_the_outer_product() -> None:
    torch.manual_seed(0)
    options = config.Multilinear(width=8, rank=3)
    fusion = MultilinearFuser(options, ["a", "b"], 3).eval()
    nn.init.normal_(fusion.factors_MREO)
    nn.init.normal_(fusion.weight_R)
    nn.init.normal_(fusion.bias_O)
    z_BMD = torch.randn(5, 2, 3)
    one_BME = torch.cat([z_BMD, torch.ones(5, 2, 1)], 2)
    first, second = fusion.factors_MREO
    whole_EEO = torch.einsum("r,reo,rfo->efo", fusion.weight_R, first, second)
    product_BEE = torch.einsum("be,bf->bef", one_BME[:, 0], one_BME[:, 1])
    expected_BO = torch.einsum("bef,efo->bo", product_BEE, whole_EEO) + fusion.bias_O
    assert torch.allclose(fusion.product(z_BMD), expected_BO, atol=1e-4)


def test_multilinear_learns_a_threefold_parity() -> None:
    """Neither input tells anything alone, and one says whether the match is asked for negated."""
    torch.manual_seed(0)
    bits_B3 = torch.randint(0, 2, (512, 3))
    y_B = bits_B3.sum(1) % 2
    signs_B3 = bits_B3 * 2.0 - 1.0
    a_BD = torch.cat([signs_B3[:, :2], torch.zeros(512, 14)], 1)
    b_BD = torch.cat([signs_B3[:, 2:], torch.zeros(512, 15)], 1)
    fusion = MultilinearFuser(config.Multilinear(width=16, rank=4), ["a", "b"], 16)
    head = nn.Linear(16, 2)
    optimizer = torch.optim.AdamW([*fusion.parameters(), *head.parameters()], lr=3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        z_BD = fusion.fuse(torch.stack([a_BD, b_BD], 1), {})
        nn.functional.cross_entropy(head(z_BD), y_B).backward()
        optimizer.step()
    z_BD = fusion.eval().fuse(torch.stack([a_BD, b_BD], 1), {})
    assert (head(z_BD).argmax(1) == y_B).float().mean() > 0.98


def test_tabm_members_are_separate_networks() -> None:
    torch.manual_seed(0)
    fusion = TabmFuser(config.Tabm(width=16, members=3), ["a"], 16).eval()
    x_BMD = torch.randn(4, 1, 16)
    whole_BKD = fusion.fuse(x_BMD, {})
    for k in range(3):
        x_BD = x_BMD[:, 0]
        for layer in fusion.layers:
            weight = layer.after_KO[k][:, None] * layer.linear.weight * layer.before_KI[k]
            x_BD = torch.relu(x_BD @ weight.T + layer.bias_KO[k])
        assert torch.allclose(whole_BKD[:, k], x_BD, atol=1e-5)
    assert not torch.allclose(whole_BKD[:, 0], whole_BKD[:, 1], atol=1e-2)


def test_consistency_is_the_squared_gap_of_the_sum() -> None:
    torch.manual_seed(0)
    module = Consistency(["a", "b"], 4)
    summaries: dict[str, Tensor] = {"a": torch.randn(3, 4), "b": torch.randn(3, 4)}
    z_BD = torch.randn(3, 4)
    total = 0.0
    for row in range(3):
        said = sum(m.weight @ summaries[n][row] for n, m in zip("ab", module.maps, strict=True))
        total += ((said - z_BD[row]) ** 2).mean().item() / 3
    assert abs(module(summaries, z_BD).item() - total) < 1e-5


@pytest.mark.parametrize("options", [config.Attention(heads=5), config.Bottleneck(heads=5)])
def test_heads_that_do_not_divide_the_width_are_refused(options: config.Fuse) -> None:
    with pytest.raises(JobError, match="heads: 5 does not divide width: 256"):
        build_fusion(options, ["a"], 256)
