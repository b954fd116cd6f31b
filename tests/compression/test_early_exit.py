"""Rows leave as soon as their exit is sure; a threshold above one is full depth, bit for bit."""

from pathlib import Path

import pytest
import torch
from torch import nn

from compressible import CASES, alone, decisions, learned, told
from modalloy.compression.early_exit import exit_early, set_threshold
from modalloy.compression.exit_fitting import Sums, learn_head, solve
from modalloy.compression.lever import Rows
from modalloy.errors import JobError
from modalloy.model.compressed.exits import ExitingStack, put_exits, seen
from modalloy.model.compressed.rebuild import rebuild
from modalloy.model.compressed.stacks import SINGLE, stacks_of, tokens_of

STACKS = (
    "text scratch", "text hf bert", "text hf roberta", "text hf electra", "text hf distilbert",
    "text hf clip", "text hf siglip", "image hf vit", "image hf dinov2", "image hf clip",
    "image hf siglip",
)  # fmt: skip


def exiting(model: nn.Module) -> ExitingStack:
    (stack,) = (m for m in model.modules() if isinstance(m, ExitingStack))
    return stack


@pytest.mark.parametrize("case", STACKS)
def test_full_depth_and_each_row_on_its_own(case: str, tmp_path: Path) -> None:
    model, batch = alone(CASES[case], tmp_path)
    plain = told(model, batch)
    (name,) = stacks_of(model, SINGLE)
    put_exits(model, {name: {"width": 16 if "hf" in case else 128, "classes": 3}})
    stack = exiting(model.eval())
    assert torch.equal(told(model, batch), plain)  # no row leaves
    sure: list[float] = []
    handle = stack.blocks[0].register_forward_hook(
        lambda _, args, out: sure.extend(stack.exits[0].sure(out, tokens_of(args[1], out)).tolist())
    )
    set_threshold(stack, 1.0)
    torch.testing.assert_close(told(model, batch), plain, atol=0, rtol=0)
    handle.remove()
    below, above = sorted(sure)[len(sure) // 2 - 1 :][:2]
    set_threshold(stack, (below + above) / 2)  # at none of them, which rounding could turn
    found = told(model, batch)
    assert stack.depths is not None
    assert stack.depths.tolist() == [1 if s >= stack.threshold else 2 for s in sure]
    assert {1, 2} == set(stack.depths.tolist())
    at = stack.depths == 2
    torch.testing.assert_close(found[at], plain[at], atol=1e-5, rtol=1e-4)
    assert (found[~at] - plain[~at]).abs().max() > 1e-4
    for row in range(len(batch)):
        one = {k: v[row : row + 1] for k, v in batch.values["x"].items()}
        single = type(batch)({"x": one}, {"x": batch.present["x"][row : row + 1]})
        torch.testing.assert_close(told(model, single)[0], found[row], atol=1e-5, rtol=1e-4)
    set_threshold(stack, 0.0)
    told(model, batch)
    assert stack.depths.tolist() == [1] * len(batch)
    model.train()
    told(model, batch)
    assert stack.depths is None  # while it trains


def test_a_promise_is_kept_and_depth_falls(tmp_path: Path) -> None:
    model, learn, held = learned(tmp_path)
    truth = decisions(model, held)
    before = 2.1
    for share in (1.0, 0.9, 0.6):
        fast, record = exit_early(model, Rows(learn, held), share)
        same = (decisions(fast, held) == truth).double().mean().item()
        assert same == pytest.approx(record["agreement"])
        assert same >= share
        assert 1.0 <= record["mean_depth"] <= before
        before = record["mean_depth"]
    assert before < 1.5
    assert record["inputs"] == ["note"]
    assert exiting(fast).get_buffer("threshold").item() == pytest.approx(record["threshold"])
    again, _, _ = learned(tmp_path, steps=0)
    rebuild(again, [record])
    again.load_state_dict(fast.state_dict())
    assert torch.equal(decisions(again.eval(), held), decisions(fast, held))


def test_maps_are_those_of_least_squares() -> None:
    x_NF = torch.randn(200, 5)
    y_NF = torch.randn(200, 5) + x_NF @ torch.randn(5, 5) + 2
    layer, sums = nn.Linear(5, 5), Sums.of(5)
    sums.add(x_NF[:120], y_NF[:120])
    sums.add(x_NF[120:], y_NF[120:])
    solve(layer, sums)
    one = torch.cat([x_NF, torch.ones(200, 1)], 1)
    slow = torch.linalg.lstsq(one, y_NF).solution
    torch.testing.assert_close(layer.weight, slow[:-1].T, atol=5e-3, rtol=1e-2)
    torch.testing.assert_close(layer.bias, slow[-1], atol=5e-3, rtol=1e-2)


def test_heads_are_those_of_a_known_library() -> None:
    from sklearn.linear_model import LogisticRegression

    x_NF = torch.randn(300, 4) * torch.tensor([1.0, 3.0, 0.2, 1.0])
    y_N = (x_NF[:, 0] + 0.4 * x_NF[:, 1] + torch.randn(300) > 0).long() + (x_NF[:, 3] > 1).long()
    layer = nn.Linear(4, 3)
    learn_head(layer, x_NF, y_N)
    spread = x_NF.std(0, correction=0)
    known = LogisticRegression(C=1 / (2 * 1e-3 * 300), max_iter=500, tol=1e-8)
    known.fit(((x_NF - x_NF.mean(0)) / spread).numpy(), y_N.numpy())
    chances = known.predict_proba(((x_NF - x_NF.mean(0)) / spread).numpy())
    torch.testing.assert_close(
        layer(x_NF).softmax(1), torch.from_numpy(chances).float(), atol=5e-3, rtol=0
    )


def test_seen_knows_no_padding() -> None:
    x_BTD = torch.randn(2, 4, 3)
    mask_BT = torch.tensor([[True, True, False, False], [True] * 4])
    found = seen(x_BTD, mask_BT)
    torch.testing.assert_close(found[0, 3:], x_BTD[0, :2].mean(0))
    torch.testing.assert_close(found[1], seen(x_BTD[1:], None)[0])
    square = torch.zeros(2, 1, 4, 4).masked_fill(~mask_BT[:, None, None], -1e30)
    assert torch.equal(tokens_of(square, x_BTD), mask_BT)


def test_refusals(tmp_path: Path) -> None:
    model, learn, held = learned(tmp_path, steps=0)
    with pytest.raises(JobError, match="chosen by held-out rows, and there are none"):
        exit_early(model, Rows(learn), 0.9)
    with pytest.raises(JobError, match="no encoder has a list of transformer blocks to leave"):
        exit_early(model, Rows(learn, held), 0.9, inputs=["table"])
    task = {"load": {"type": "regress", "target": "load"}}
    columns = {"note": {"type": "text", "max_tokens": 12, "vocabulary": 64}}
    model, learn, held = learned(tmp_path, steps=0, tasks=task, columns=columns)
    with pytest.raises(JobError, match="no task chooses one class"):
        exit_early(model, Rows(learn, held), 0.9)
