"""What hiding leaves of a row: never nothing of several inputs; drawn once, laid over any pass."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import draw_hidden, has_any, hiding
from modalloy.objectives.losses import Losses
from modalloy.readers.batch import TABLE

ROWS = 20_000


def shown(*, keep: tuple[str, ...] = (), chance: float = 0.5, **present: Tensor) -> Batch:
    """A batch with these cells, after some were hidden."""
    batch = Batch({}, present)
    return draw_hidden(batch, chance=chance, keep=keep).apply(batch)


def some(*shape: int, share: float = 1.0) -> Tensor:
    return torch.rand(ROWS, *shape) < share


def any_of(present: dict[str, Tensor]) -> Tensor:
    """(B,) whether a row shows anything."""
    return torch.stack([has_any(p) for p in present.values()], 1).any(1)


@pytest.mark.parametrize("plain", [1, 2])
def test_a_row_of_several_inputs_never_loses_everything(plain: int) -> None:
    present = {TABLE: some(plain, share=0.8), "note": some(share=0.7)}
    left = shown(**present).present
    assert any_of(present).float().mean() < 0.99  # some rows have nothing, and get nothing
    assert torch.equal(any_of(left), any_of(present))
    assert not (left[TABLE] & ~present[TABLE]).any()
    both_B = present["note"] & present[TABLE].all(1)
    hidden = 1 - left[TABLE][both_B & left["note"]].float().mean().item()
    # The table goes in a half, both in a quarter that keeps them; cells of what stays in a tenth.
    assert hidden == pytest.approx(1 - (0.25 + 0.25) / 0.75 * 0.9, abs=0.02)


def test_rows_that_would_keep_something_see_the_masks_that_they_always_saw() -> None:
    present = {TABLE: some(2), "note": some(share=0.7)}
    torch.manual_seed(3)
    left = shown(**present).present
    torch.manual_seed(3)
    any_B2 = torch.stack([torch.ones(ROWS).bool(), present["note"]], 1)
    hide_B2 = torch.rand(ROWS, 2) < 0.5
    hide_B2 &= (any_B2 & ~hide_B2).any(1, keepdim=True)
    cells_B2 = ~hide_B2[:, :1] & ~(torch.rand(ROWS, 2) < 0.1)
    note_B = present["note"] & ~hide_B2[:, 1]
    keeps_B = note_B | cells_B2.any(1)
    assert 0.98 < keeps_B.float().mean() < 1
    assert torch.equal(left["note"], note_B)
    assert torch.equal(left[TABLE][keeps_B], cells_B2[keeps_B])
    assert left[TABLE][~keeps_B].all()


def test_the_only_input_is_hidden_a_fifth_as_often() -> None:
    left = shown(**{TABLE: some(2)}).present[TABLE]
    # Hidden whole in a tenth, or cell by cell: 0.9 * 0.1 * 0.1.
    assert 1 - left.any(1).float().mean().item() == pytest.approx(0.1 + 0.009, abs=0.008)
    left = shown(note=some()).present["note"]
    assert 1 - left.float().mean().item() == pytest.approx(0.1, abs=0.01)


def test_media_are_hidden_at_the_rate_asked_for_and_one_stays() -> None:
    present = {"note": some(share=0.8), "vibration": some(share=0.6)}
    left = shown(chance=0.4, **present).present
    both_B = present["note"] & present["vibration"]
    for name, seen in present.items():
        # A row with both loses this one alone at .4 * .6; a row with one never loses it.
        lost = (seen & ~left[name]).sum() / seen.sum()
        assert lost.item() == pytest.approx(float(both_B.sum() / seen.sum()) * 0.24, abs=0.01)
    assert torch.equal(any_of(left), any_of(present))


def test_single_cells_are_hidden_a_fifth_as_often() -> None:
    left = shown(**{TABLE: some(3), "note": some()}).present[TABLE]
    stays_B = left.any(1)  # the table itself was not hidden
    # Hiding all three cells of a row one by one is rarer than one in a thousand.
    assert 1 - left[stays_B].float().mean().item() == pytest.approx(0.1, abs=0.01)


def test_what_is_kept_and_no_chance_at_all_hide_nothing() -> None:
    present = {"note": some(), "words": some()}
    left = shown(chance=0.9, keep=("words",), **present).present
    assert torch.equal(left["words"], present["words"])
    assert left["note"].float().mean().item() == pytest.approx(0.1, abs=0.01)
    before = torch.random.get_rng_state()
    for given in ({"chance": 0.0}, {"keep": ("note", "words")}):
        assert draw_hidden(Batch({}, present), **({"chance": 0.9, "keep": ()} | given)).cells == {}
    assert torch.equal(torch.random.get_rng_state(), before)


def seen_by(log: list[dict[str, Tensor]]) -> Callable[[nn.Module, Batch], Losses]:
    """An objective that only remembers what it was shown."""

    def objective(model: nn.Module, batch: Batch) -> Losses:
        log.append(batch.present)
        return Losses()

    return objective


def test_the_wrapper_hides_while_the_model_trains_and_leaves_the_batch_alone() -> None:
    log: list[dict[str, Tensor]] = []
    present = {"note": some(), "words": some()}
    batch, model = Batch({"note": {}}, dict(present), {"fault": {}}), nn.Linear(1, 1)
    hidden = hiding(seen_by(log), chance=0.5, keep=())
    hidden(model.eval(), batch)
    assert all(torch.equal(log[0][n], p) for n, p in present.items())
    torch.manual_seed(0)
    hidden(model.train(), batch)
    assert (log[1]["note"] ^ present["note"]).any()
    torch.manual_seed(0)
    again = shown(**present)
    assert all(torch.equal(log[1][n], p) for n, p in again.present.items())
    assert all(torch.equal(batch.present[n], p) for n, p in present.items())


def test_two_passes_see_the_same_mask() -> None:
    """As a contrast of two views of the same rows wants it: hidden alike, seen otherwise."""
    log: list[dict[str, Tensor]] = []
    see = seen_by(log)

    def twice(model: nn.Module, batch: Batch) -> Losses:
        hidden = draw_hidden(batch, chance=0.5, keep=())
        for shift in (1.0, 2.0):
            values = {"note": {"x": batch.values["note"]["x"] + shift}}
            see(model, hidden.apply(Batch(values, batch.present)))
        return Losses()

    values = {"note": {"x": torch.zeros(ROWS)}}
    twice(nn.Linear(1, 1), Batch(values, {"note": some(), TABLE: some(3)}))
    assert not log[0][TABLE].all()
    assert all(torch.equal(log[0][n], log[1][n]) for n in ("note", TABLE))
    # An objective with two passes of its own sees one mask where the wrapper hides for it.
    log.clear()

    def passes(model: nn.Module, batch: Batch) -> Losses:
        see(model, batch)
        return see(model, batch)

    hidden = hiding(passes, chance=0.5, keep=())
    hidden(nn.Linear(1, 1), Batch({}, {"note": some(), TABLE: some(3)}))
    assert all(torch.equal(log[0][n], log[1][n]) for n in ("note", TABLE))
