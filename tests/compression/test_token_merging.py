"""Merged tokens beside a slow loop over rows and tokens; none merged changes nothing."""

import math
import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.export import Dim, export

from compressible import CASES, alone, decisions, learned, told
from modalloy.compression.lever import Rows
from modalloy.compression.token_merging import merge_tokens
from modalloy.errors import JobError
from modalloy.model.compressed.merged_tokens import KINDS, MergingStack, merge
from modalloy.model.compressed.rebuild import rebuild
from modalloy.model.compressed.stacks import stacks_of
from modalloy.model.layers.block import Block

MERGE = ("image hf vit", "image hf dinov2", "image hf clip", "image hf siglip", "text scratch")


def slow_merge(x: list, keys: list, sizes: list, merged: int) -> tuple[list, list, list]:
    """One row without padding, token by token: states, sizes, where each token is now."""
    count = len(x)
    merged = min(merged, (count - 1) // 2)
    units = [k / k.norm() for k in keys]
    best = []
    for i in range(2, count, 2):
        alike = [(float(units[i] @ units[j]), -j) for j in range(1, count, 2)]
        top = max(alike)
        best.append((1e-6 * (i // 2) - top[0], i, -top[1]))
    joins = {i: j for _, i, j in sorted(best)[:merged]}
    groups: dict[int, list[int]] = {i: [i] for i in range(count) if i not in joins}
    for i, j in joins.items():
        groups[j].append(i)
    left = sorted(groups)
    states = [
        sum(x[i] * sizes[i] for i in groups[j]) / sum(sizes[i] for i in groups[j]) for j in left
    ]
    place = [left.index(joins.get(i, i)) for i in range(count)]
    return states, [sum(sizes[i] for i in groups[j]) for j in left], place


def slow_block(block: Block, x: list, sizes: list) -> tuple[list, list]:
    """States after the attention of one block, head by head, and the mean keys."""
    z = [block.norm_attention(t) for t in x]
    size = len(x[0]) // block.heads
    heard = [torch.zeros_like(t) for t in x]
    keys = [block.key(t) for t in z]
    for h in range(block.heads):
        at = slice(h * size, (h + 1) * size)
        for i, t in enumerate(z):
            query = block.query(t)[at]
            scores = [
                float(query @ k[at]) / math.sqrt(size) + math.log(s)
                for k, s in zip(keys, sizes, strict=True)
            ]
            chance = F.softmax(torch.tensor(scores), 0)
            heard[i][at] = sum(c * block.value(v)[at] for c, v in zip(chance, z, strict=True))
    states = [t + block.out(o) for t, o in zip(x, heard, strict=True)]
    return states, [k.unflatten(0, (block.heads, -1)).mean(0) for k in keys]


@torch.no_grad()
def test_beside_a_slow_loop_with_rows_of_any_length() -> None:
    blocks = [Block(8, 2).eval() for _ in range(2)]
    for p in (p for block in blocks for p in block.parameters()):
        p.normal_(0, 0.5)
    lengths = [9, 1, 4, 2, 7]
    x_BTD = torch.randn(5, 9, 8)
    mask_BT = torch.arange(9) < torch.tensor(lengths)[:, None]
    stack = MergingStack(blocks, 2).eval()
    found = stack(x_BTD, mask_BT)
    for row, length in enumerate(lengths):
        x, sizes = list(x_BTD[row, :length]), [1.0] * length
        place = list(range(length))
        for block in blocks:
            x, keys = slow_block(block, x, sizes)
            x, sizes, moved = slow_merge(x, keys, sizes, 2)
            place = [moved[p] for p in place]
            x = [t + block.down(F.gelu(block.up(block.norm_mlp(t)))) for t in x]
        assert sum(sizes) == length
        slow = torch.stack([x[p] for p in place])
        torch.testing.assert_close(found[row, :length], slow, atol=1e-5, rtol=1e-4)
        alone = stack(x_BTD[row : row + 1, :length], mask_BT[row : row + 1, :length])
        torch.testing.assert_close(alone[0], found[row, :length], atol=1e-6, rtol=1e-5)


def test_the_first_token_joins_none_and_nothing_is_lost() -> None:
    x_BTD, size_BT = torch.ones(2, 7, 4), torch.ones(2, 7)
    found = merge(x_BTD, x_BTD, size_BT, 99)
    assert found.size_BT.shape == (2, 4)
    assert found.size_BT.tolist() == [[1.0, 4.0, 1.0, 1.0]] * 2
    assert found.place_BT[0].tolist() == [0, 1, 1, 2, 1, 3, 1]


@pytest.mark.parametrize("case", MERGE)
def test_no_token_merged_is_the_same_and_some_are_fewer(case: str, tmp_path: Path) -> None:
    model, batch = alone(CASES[case], tmp_path)
    same, record = merge_tokens(model, Rows([batch]), 1.0)
    assert set(record["merged"].values()) == {0}
    torch.testing.assert_close(told(same, batch), told(model, batch), atol=0, rtol=0)
    fewer, record = merge_tokens(model, Rows([batch]), 0.5)
    (name,) = record["merged"]
    stack = fewer.get_submodule(f"{name}.0")
    assert isinstance(stack, MergingStack)
    assert stack.merged == round(0.5 * record["tokens"][name] / 2)
    counts: list[int] = []
    rest = stack.blocks[-1].get_submodule("down" if "text" in case else "mlp")
    rest.register_forward_pre_hook(lambda _, args: counts.append(args[0].shape[1]))
    answers = told(fewer, batch)
    assert counts == [record["tokens"][name] - 2 * stack.merged]
    assert (answers - told(model, batch)).abs().max() > 0
    again, _ = alone(CASES[case], tmp_path)
    rebuild(again, [record])
    again.load_state_dict(fewer.state_dict())
    torch.testing.assert_close(told(again.eval(), batch), answers, atol=1e-6, rtol=0)
    assert torch.isfinite(fewer.train()(batch)).all()
    counts.clear()
    fewer(batch)
    assert counts == [record["tokens"][name]]  # all of them while it trains


def test_nothing_merged_by_hand_is_what_blocks_do(tmp_path: Path) -> None:
    """The reading of each family's parts: with one token fewer than can merge, none does."""
    for case in MERGE[:4]:
        model, _ = alone(CASES[case], tmp_path / case.split()[-1])
        (blocks,) = stacks_of(model, KINDS).values()
        stack, x_BTD = MergingStack(blocks, 5).eval(), torch.randn(3, 2, 16)
        wanted = x_BTD
        with torch.no_grad():
            for block in blocks:
                wanted = block(wanted, None)
            torch.testing.assert_close(stack(x_BTD, None), wanted, atol=1e-5, rtol=1e-4)


def test_it_becomes_a_graph(tmp_path: Path) -> None:
    model, batch = alone(CASES["image hf vit"], tmp_path)
    fewer, _ = merge_tokens(model, Rows([batch]), 0.5)
    encoder, values = fewer.encoders["x"], batch.values["x"]
    shapes = ({k: {0: Dim("rows")} for k in values}, {0: Dim("rows")})
    given = (values, batch.present["x"])
    program = export(encoder, given, dynamic_shapes=shapes, strict=False)
    some = {k: v[:3] for k, v in values.items()}, batch.present["x"][:3]
    with torch.no_grad():
        for a, b in zip(program.module()(*some)[:3], encoder(*some)[:3], strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_it_becomes_onnx(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    stack = MergingStack([Block(16, 2) for _ in range(2)], 3).eval()
    x_BTD = torch.randn(4, 17, 16)
    program = export(stack, (x_BTD,), dynamic_shapes=({0: Dim("rows")},), strict=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(program, (), tmp_path / "x.onnx", dynamo=True, verbose=False)
    session = runtime.InferenceSession(str(tmp_path / "x.onnx"))
    fed = {session.get_inputs()[0].name: x_BTD[:3].numpy()}
    with torch.no_grad():
        wanted = stack(x_BTD[:3])
    torch.testing.assert_close(
        torch.from_numpy(session.run(None, fed)[0]), wanted, atol=1e-5, rtol=0
    )


def test_a_trained_model_and_refusals(tmp_path: Path) -> None:
    model, learn, held = learned(tmp_path)
    fewer, record = merge_tokens(model, Rows(learn), 0.8)
    assert record["inputs"] == ["note"]
    assert (decisions(fewer, held) == decisions(model, held)).double().mean() > 0.7
    with pytest.raises(JobError, match="no encoder has a list of transformer blocks"):
        merge_tokens(model, Rows(learn), 0.8, inputs=["table"])
    clip, batch = alone(CASES["text hf clip"], tmp_path / "clip")
    with pytest.raises(JobError, match="no encoder has a list of transformer blocks"):
        merge_tokens(clip, Rows([batch]), 0.8)
