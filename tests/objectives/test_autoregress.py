"""Next-patch prediction: nothing is told of what is to come, and the loss is its formula."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from drawable import changed, drawable, some_rows
from modalloy.job import config
from modalloy.learn.pretexts import build_pretexts, weights_of
from modalloy.model.body import Body
from modalloy.model.canvases.build import build_canvas
from modalloy.model.layers.gaussians import Mixture
from modalloy.model.tokens import Batch
from modalloy.objectives.autoregress import Autoregress, begin, draw_seen, hide_some
from modalloy.objectives.pretext import weighed


def method_of(body: Body, *columns: str, **options: Any) -> Autoregress:
    torch.manual_seed(1)
    given = {"width": 16, "layers": 2, "components": 3, "columns": columns} | options
    return Autoregress(body, config.Autoregress.model_validate(given)).eval()


def predicted(
    body: Body, method: Autoregress, name: str, batch: Batch, seen: int, *, shown: bool = True
) -> Mixture:
    canvas = method.canvases[name]
    seen_B = torch.full((len(batch),), seen)
    with torch.no_grad():
        context = begin(body, batch, name, canvas, seen_B, torch.full_like(seen_B, shown) > 0)
        return method.decoders[name](context, canvas.cut(batch.values[name]).x_BNP)


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("seen", [0, 4])
@pytest.mark.parametrize("name", ["photo", "pull"])
def test_a_later_patch_never_changes_an_earlier_prediction(
    name: str, seen: int, shown: bool
) -> None:
    body, batch = drawable("photo", "pull"), some_rows("photo", "pull")
    method = method_of(body, "photo", "pull")
    first = predicted(body, method, name, batch, seen, shown=shown)
    for patch in (1, 4, 6):
        other = changed(batch, name, patch, body)
        second = predicted(body, method, name, other, seen, shown=shown)
        for a, b in zip(first, second, strict=True):
            assert torch.equal(a[:, : patch + 1], b[:, : patch + 1])
            assert not torch.equal(a[:, patch + 1 :], b[:, patch + 1 :])


def test_what_follows_knows_the_seen_part_by_the_encoder_alone_unless_it_is_shown() -> None:
    body, batch = drawable("photo"), some_rows("photo")
    method = method_of(body, "photo")
    canvas, seen_B = method.canvases["photo"], torch.full((4,), 4)
    x_BNP = canvas.cut(batch.values["photo"]).x_BNP
    decoder = method.decoders["photo"]
    for patch in (1, 3):
        other_BNP = x_BNP.clone()
        other_BNP[:, patch] += 1.0
        for shown in (True, False):
            context = begin(body, batch, "photo", canvas, seen_B, torch.full((4,), shown))
            a, b = (decoder(context, x).mean_BNKP[:, 4:] for x in (x_BNP, other_BNP))
            assert torch.equal(a, b) is not shown
    # What the encoder makes of it reaches what follows, and only that.
    whole = decoder(context, x_BNP).mean_BNKP
    tokens = context.tokens._replace(x_BTD=context.tokens.x_BTD + torch.randn(16))
    fused = context.fused._replace(summary_BKD=context.fused.summary_BKD + torch.randn(16))
    for other in (context._replace(tokens=tokens), context._replace(fused=fused)):
        found = decoder(other, x_BNP).mean_BNKP
        assert torch.equal(found[:, :4], whole[:, :4])
        assert not torch.equal(found[:, 4:], whole[:, 4:])


@pytest.mark.parametrize("name", ["photo", "pull", "sound"])
def test_the_loss_is_that_of_numpy(name: str) -> None:
    body, batch = drawable(name), some_rows(name)
    batch.present[name][2] = False
    method = method_of(body, name)
    torch.manual_seed(7)
    losses = method(body, batch)
    assert list(losses) == [f"autoregress/{name}"]
    torch.manual_seed(7)
    canvas = build_canvas(body.readers[name])
    cell = canvas.cut(batch.values[name])
    seen_B = draw_seen(cell)
    shown_B = torch.rand(4) < 0.5
    with torch.no_grad():
        context = begin(body, hide_some(batch, 0.3, name), name, canvas, seen_B, shown_B)
        found = method.decoders[name](context, cell.x_BNP)
    x, counts = cell.x_BNP.numpy()[:, :, None], cell.counts_BNP.numpy()[:, :, None]
    wider = found.wider_BNKP.numpy()
    z = (x - found.mean_BNKP.numpy()) / (canvas.span.noise * np.exp(wider))
    each = ((z**2 / 2 + wider) * counts).sum(-1)
    logits = found.logits_BNK.numpy()
    nats = -logsumexp(logits - logsumexp(logits, -1, keepdims=True) - each, -1)
    kept = [0, 1, 3]
    wanted = nats[kept].sum() / cell.counts_BNP[kept].sum().item()
    assert losses[f"autoregress/{name}"].item() == pytest.approx(wanted, rel=1e-4)
    assert losses.counts[f"autoregress/{name}"][0] == cell.counts_BNP[kept].sum()


def test_it_teaches_encoders_and_fusion() -> None:
    body, batch = drawable("photo", "pull"), some_rows("photo", "pull")
    method = method_of(body, "photo")
    sum(method(body, batch).values()).backward()
    for part in (body.encoder("photo"), body.encoder("pull"), body.fusion, method):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())


def test_rows_without_a_cell_teach_nothing() -> None:
    body, batch = drawable("photo", "pull"), some_rows("photo", "pull")
    batch.present["photo"][:] = False
    loss = method_of(body, "photo")(body, batch)["autoregress/photo"]
    assert loss.item() == 0.0
    assert loss.requires_grad


def test_every_number_of_seen_patches_occurs_but_all() -> None:
    canvas = build_canvas(drawable("pull").readers["pull"])
    cell = canvas.cut(some_rows("pull", rows=3).values["pull"])
    torch.manual_seed(0)
    drawn = torch.stack([draw_seen(cell) for _ in range(2000)])
    assert drawn.amin(0).tolist() == [0, 0, 0]
    assert drawn.amax(0).tolist() == [39, 32, 25]


def test_seen_patches_are_counted_from_the_first_that_exists() -> None:
    canvas, values = (
        build_canvas(drawable("pull").readers["pull"]),
        some_rows("pull", rows=3).values["pull"],
    )
    values["mask"][0, :36] = False
    values["mask"][1, 3:30] = False  # within it
    values["mask"][2] = False
    cell = canvas.cut(values)
    assert [t.tolist() for t in cell.ends()] == [[36, 0, 0], [40, 33, 0]]
    torch.manual_seed(0)
    drawn = torch.stack([draw_seen(cell) for _ in range(500)])
    assert set(drawn[:, 0].tolist()) == {0, 37, 38, 39}
    assert set(drawn[:, 1].tolist()) == set(range(33))
    assert set(drawn[:, 2].tolist()) == {0}


def test_other_columns_are_hidden_at_random() -> None:
    batch = some_rows("photo", "pull", rows=400)
    torch.manual_seed(0)
    some = hide_some(batch, 0.3, "photo")
    assert some.present["photo"].all()
    assert some.present["pull"].float().mean().item() == pytest.approx(0.7, abs=0.08)


def test_drawing_goes_the_same_way_as_learning() -> None:
    """Patch by patch with what was kept of the past, as all at once on what was drawn."""
    body, batch = drawable("photo", "pull"), some_rows("photo", "pull")
    method = method_of(body, "photo")
    canvas, decoder = method.canvases["photo"], method.decoders["photo"]
    seen_B = torch.tensor([0, 3, 5, 8])
    x_BNP = canvas.cut(batch.values["photo"]).x_BNP
    with torch.no_grad():
        context = begin(body, batch, "photo", canvas, seen_B, torch.tensor([True, False] * 2))
        u_BNO = torch.rand(4, 16, 17)
        found, means = decoder.draw(context, x_BNP, u_BNO)
        mixture = decoder(context, found)
        wanted, wanted_means = mixture.draw(u_BNO, 1.0, canvas.span), mixture.mean(canvas.span)
    for row, seen in enumerate(seen_B.tolist()):
        assert torch.equal(found[row, :seen], x_BNP[row, :seen])
        assert torch.equal(means[row, :seen], x_BNP[row, :seen])
        assert torch.allclose(found[row, seen:], wanted[row, seen:], atol=1e-4)
        assert torch.allclose(means[row, seen:], wanted_means[row, seen:], atol=1e-4)


def test_it_learns_what_follows() -> None:
    """Pictures whose lower part is as light as their upper part."""
    body = drawable("photo")
    method = method_of(body, "photo", width=32)
    parts = torch.nn.ModuleList([body, method]).train()
    opt = torch.optim.AdamW(parts.parameters(), lr=1e-2)
    draw = torch.Generator().manual_seed(0)

    def rows(count: int) -> Batch:
        light_B = torch.randint(0, 2, (count, 1, 1, 1), generator=draw) * 255
        pixels = light_B.expand(-1, 1, 16, 16).to(torch.uint8).contiguous()
        values = {"photo": {"pixels": pixels, "size": torch.full((count, 2), 16.0)}}
        return Batch(values, {"photo": torch.ones(count, dtype=torch.bool)})

    torch.manual_seed(0)
    for _ in range(60):
        loss = method(body, rows(16))["autoregress/photo"]
        opt.zero_grad()
        loss.backward()
        opt.step()
    parts.eval()
    batch = rows(16)
    canvas, seen_B = method.canvases["photo"], torch.full((16,), 4)
    with torch.no_grad():
        shown_B = torch.zeros(16, dtype=torch.bool)
        context = begin(body, batch, "photo", canvas, seen_B, shown_B)
        x_BNP = canvas.cut(batch.values["photo"]).x_BNP
        drawn = method.decoders["photo"].draw(context, x_BNP, torch.rand(16, 16, 17)).drawn_BNP
    assert (drawn - x_BNP).abs().mean().item() < 0.3  # 1 by chance


@pytest.mark.parametrize(
    ("option", "other"),
    [("width", 24), ("layers", 1), ("components", 2), ("hide", 0.9), ("shown", 0.0)],
)
def test_each_option_changes_the_loss(option: str, other: Any) -> None:
    body, batch = drawable("photo", "pull"), some_rows("photo", "pull")
    found = []
    for options in ({}, {option: other}):
        method = method_of(body, "photo", **options)
        torch.manual_seed(3)
        found.append(method(body, batch)["autoregress/photo"].item())
    assert found[0] != found[1]


def test_columns_are_those_named_or_all_that_learn() -> None:
    body, batch = drawable("photo", "pull"), some_rows("photo", "pull")
    assert list(method_of(body, "pull")(body, batch)) == ["autoregress/pull"]
    assert list(method_of(body)(body, batch)) == ["autoregress/photo", "autoregress/pull"]


def test_its_weight_is_what_its_losses_count() -> None:
    body, batch = drawable("photo"), some_rows("photo")
    found = []
    for weight in (1.0, 0.25):
        options = config.Pretrain.model_validate(
            {"masked": {"weight": 0}, "autoregress": {"width": 16, "weight": weight}}
        )
        torch.manual_seed(4)
        (method,) = build_pretexts(body, options).values()
        found.append(weighed(method.eval()(body, batch), weights_of(options)).item())
    assert found[1] == pytest.approx(0.25 * found[0])
