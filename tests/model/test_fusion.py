import itertools

import pytest
import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.fusion import (
    AttentionFuser,
    BottleneckFuser,
    Consistency,
    GatedFuser,
    MultilinearFuser,
    TabmFuser,
    build_fusion,
)
from modalloy.model.layers.block import Block
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


def test_gated_is_a_sum_of_hidden_vectors_weighed_by_their_gates() -> None:
    torch.manual_seed(0)
    fusion = GatedFuser(config.Gated(width=8), ["a", "b", "c"], 4).eval()
    fusion.layers = nn.Sequential()  # what follows is tested in test_block.py
    z_BMD = torch.randn(5, 3, 4)
    found_BD = fusion.fuse(z_BMD, {})
    for row in range(5):
        gates = (fusion.gate.weight @ z_BMD[row].reshape(12) + fusion.gate.bias).sigmoid()
        expected_D = torch.zeros(4)
        for m, linear in enumerate(fusion.hidden):
            hidden_D = (linear.weight @ z_BMD[row, m] + linear.bias).tanh()
            expected_D = expected_D + gates[4 * m : 4 * m + 4] * hidden_D
        assert torch.allclose(found_BD[row], expected_D, atol=1e-6)


def slow_block(block: Block, x_TD: Tensor, heads: int) -> Tensor:
    """One row through a transformer block, head by head and token by token, all of it visible."""
    z_TD = block.norm_attention(x_TD)
    seen_TD = torch.zeros_like(x_TD)
    size = x_TD.shape[1] // heads
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        q, k, v = (f(z_TD)[:, part] for f in (block.query, block.key, block.value))
        for t in range(len(x_TD)):
            seen_TD[t, part] = (k @ q[t] / size**0.5).softmax(0) @ v
    x_TD = x_TD + block.out(seen_TD)
    return x_TD + block.down(nn.functional.gelu(block.up(block.norm_mlp(x_TD))))


def standing_apart(fusion: nn.Module) -> None:
    """Learned vectors start near zero, where a forgotten one would hardly show."""
    for name, parameter in fusion.named_parameters():
        if name in ("kind_MD", "start_D", "shared_SD"):
            nn.init.normal_(parameter)


def test_attention_is_one_transformer_over_all_that_exists() -> None:
    torch.manual_seed(0)
    options = config.Attention(width=16, heads=2, layers=2)
    fusion = AttentionFuser(options, ["a", "b"], 16).eval()
    standing_apart(fusion)
    tokens = make_tokens(4, ["a", "b"], 16)
    z_BMD = torch.randn(4, 2, 16)
    found_BD = fusion.fuse(z_BMD, tokens)
    for row in range(4):
        x = [fusion.start_D + (z_BMD[row, 0] + z_BMD[row, 1]) / 2]
        x += [z_BMD[row, m] + fusion.kind_MD[m] for m in range(2)]
        for m, name in enumerate("ab"):
            own_TD, exists_T = tokens[name].x_BTD[row], tokens[name].mask_BT[row]
            own_TD = fusion.token_norms[m](own_TD) + fusion.kind_MD[m]
            x += [x_D for x_D, exists in zip(own_TD, exists_T, strict=True) if exists]
        x_TD = torch.stack(x)
        for block in fusion.blocks:
            x_TD = slow_block(block, x_TD, heads=2)
        assert torch.allclose(found_BD[row], x_TD[0], atol=1e-5)


def test_bottleneck_exchanges_through_the_mean_of_shared_tokens_alone() -> None:
    torch.manual_seed(0)
    options = config.Bottleneck(width=16, heads=2, layers=2, bottlenecks=3)
    fusion = BottleneckFuser(options, ["a", "b"], 16).eval()
    standing_apart(fusion)
    tokens = make_tokens(4, ["a", "b"], 16)
    z_BMD = torch.randn(4, 2, 16)
    found_BD = fusion.fuse(z_BMD, tokens)
    for row in range(4):
        shared_SD, own = fusion.shared_SD, []
        for m, name in enumerate("ab"):
            exist_TD = tokens[name].x_BTD[row][tokens[name].mask_BT[row]]
            own.append(torch.cat([z_BMD[row, [m]], fusion.token_norms[m](exist_TD)]))
        for blocks in fusion.layers:
            shares = []
            for m, block in enumerate(blocks):
                x_TD = slow_block(block, torch.cat([shared_SD, own[m]]), heads=2)
                shares.append(x_TD[:3])
                own[m] = x_TD[3:]
            shared_SD = (shares[0] + shares[1]) / 2
        ends_D = torch.cat([own[0][0], own[1][0], shared_SD.sum(0) / 3])
        expected_D = fusion.join.weight @ ends_D + fusion.join.bias
        assert torch.allclose(found_BD[row], expected_D, atol=1e-5)


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
