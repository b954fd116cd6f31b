"""Square, names and words: within their budgets, and as good as a slow search on tiny inputs."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from attacked import Logits, Small, classifier, generator, small
from modalloy.attacks.attack import answering, by_loss, look, some
from modalloy.attacks.budget import Budget
from modalloy.attacks.joint import Joint
from modalloy.attacks.moves import Moves
from modalloy.attacks.names import Names, named
from modalloy.attacks.pgd import PGD
from modalloy.attacks.square import Square, changed, first, groups, share_at
from modalloy.attacks.typos import SPARE, rewritten, typos
from modalloy.attacks.words import Words
from modalloy.cells.cells import Cells
from modalloy.readers.batch import TABLE


def loss(found: Small, batch: object, task: str = "fault") -> torch.Tensor:
    with answering(found.model):
        return look(found.model, batch, by_loss([task])).loss_B  # type: ignore[arg-type]


def test_square_asks_for_answers_alone_and_stays_within_its_budget() -> None:
    found = small(("photo", "vibration", "load"))
    budgets = [
        Budget("photo", 8.0, "/255"),
        Budget("vibration", 0.2, "sd"),
        Budget("load", 0.2, "sd"),
    ]
    after = [
        Square(q, tasks=("fault",))(found.model, found.batch, budgets, draw=generator())
        for q in (2, 20, 20)
    ]
    for name in ("photo", "vibration"):
        key = "pixels" if name == "photo" else "x"
        apart = (after[1].values[name][key].float() - found.batch.values[name][key].float()).abs()
        assert 0 < apart.max() <= (8.0 if name == "photo" else 0.2 + 1e-5)
        assert torch.equal(after[1].values[name][key], after[2].values[name][key])
        assert not apart[~found.batch.present[name]].any()
    assert loss(found, after[1]).mean() > loss(found, after[0]).mean()
    assert loss(found, after[1]).mean() > loss(found, found.batch).mean()


def test_square_gains_as_much_margin_as_the_toolboxs() -> None:
    found, queries, eps = small(("photo",)), 40, 32.0
    y, here = found.batch.targets["fault"]["y"], found.batch.present["photo"]
    pixels = found.batch.values["photo"]["pixels"].float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the toolbox uses what numpy and torch have let go
        from art.attacks.evasion import SquareAttack

        estimator = classifier(found, "photo", "pixels", (0.0, 255.0))
        theirs = SquareAttack(estimator, max_iter=queries, eps=eps, batch_size=12, verbose=False)
        wanted = []
        for seed in (0, 1):
            np.random.seed(seed)
            wanted.append(torch.from_numpy(theirs.generate(pixels.numpy(), y.numpy())))
    attack, budgets = Square(queries, tasks=("fault",)), [Budget("photo", eps, "/255")]
    ours = [
        attack(found.model, found.batch, budgets, draw=generator(seed)).values["photo"]["pixels"]
        for seed in (0, 1)
    ]
    see = Logits(found, "photo", "pixels")

    def ahead(x: torch.Tensor) -> torch.Tensor:
        """How far the true class is before the other one."""
        with torch.no_grad():
            logits_BC = see(x.float())
        true_B = logits_BC.gather(1, y[:, None])[:, 0]
        return true_B - logits_BC.gather(1, 1 - y[:, None])[:, 0]

    right_B = (ahead(pixels) > 0) & here  # both leave wrong rows alone
    own, their = (
        float(torch.stack([(ahead(pixels) - ahead(x))[right_B].mean() for x in found_by]).mean())
        for found_by in (ours, wanted)
    )
    assert right_B.sum() > 3
    assert own >= 0.8 * their > 0


def test_squares_are_those_of_the_paper() -> None:
    shares = [share_at(0.8, q, 10_000) for q in (1, 11, 51, 201, 501, 1001, 9000)]
    assert shares == [0.8, 0.4, 0.2, 0.1, 0.05, 0.025, 0.8 / 2**9]
    stripes = first((2, 4, 4), 3, generator()).view(3, 2, 4, 4)
    assert (stripes == stripes[:, :, :1]).all()  # the same down each column
    assert set(stripes.unique().tolist()) == {-1.0, 1.0}
    cell = changed(torch.zeros(2, 8, 8), 0.25, generator(1))
    for channel in cell:
        down, right = channel.nonzero().unbind(1)
        assert len(down) == 16
        assert int(down.max() - down.min()) == int(right.max() - right.min()) == 3
        assert channel[down, right].unique().numel() == 1
    stretch = changed(torch.zeros(2, 400), 0.1, generator())
    at = stretch[0].nonzero()[:, 0]
    assert len(at) == 40
    assert int(at.max() - at.min()) == 39
    assert int((changed(torch.zeros(10), 0.3, generator()) != 0).sum()) == 3


def test_square_finds_what_a_try_of_all_corners_finds() -> None:
    found = small(("load", "taken_at"))
    budgets = [Budget("load", 1.0, "sd"), Budget("taken_at", 30.0, "d")]
    moves = Moves.of(found.model, found.batch, budgets)
    assert groups(moves) == [(0, (2,))]
    # Without early stops, so that the margin is what is raised to the end.
    after = Square(40, tasks=("life",))(found.model, found.batch, budgets, draw=generator())
    tried = {
        (a, b): loss(
            found, moves.batch(moves.project(moves.zero() + torch.tensor([[a, b]]))), "life"
        )
        for a in (-1.0, 0.0, 1.0)
        for b in (-1.0, 0.0, 1.0)
    }
    corners = torch.stack([x for ends, x in tried.items() if 0.0 not in ends]).amax(0)
    every, got = torch.stack(list(tried.values())).amax(0), loss(found, after, "life")
    assert (got >= corners - 1e-4).all()
    assert (got <= every + 1e-4).all()  # it leaves numbers as they are, or goes to an end


def test_every_known_name_is_tried() -> None:
    found = small(("site", "load"))
    reader = found.model.readers["site"]
    budget = Budget("site", 1.0, "name", "name")
    after = Names(tasks=("life",))(found.model, found.batch, [budget], draw=generator())
    tried = [
        loss(found, named(found.batch, 0, torch.full((12,), n)), "life")
        for n in range(1, len(reader.names) + 1)
    ]
    best = torch.stack([loss(found, found.batch, "life"), *tried]).amax(0)
    torch.testing.assert_close(loss(found, after, "life"), best)
    x = after.values[TABLE]["category"][:, 0]
    assert (x != found.batch.values[TABLE]["category"][:, 0]).any()
    assert ((x >= 1) & (x <= len(reader.names))).all()
    one = Names(most=1, tasks=("life",))(found.model, found.batch, [budget], draw=generator())
    assert loss(found, one, "life").mean() < loss(found, after, "life").mean()
    # A missing name stays missing.
    found.batch.present[TABLE][:, 1] = False
    after = Names(tasks=("life",))(found.model, found.batch, [budget], draw=generator())
    assert torch.equal(after.values[TABLE]["category"], found.batch.values[TABLE]["category"])


@pytest.mark.parametrize("word", ["broken", "Housing", "crack"])
def test_typos_change_one_character(word: str) -> None:
    found = typos(word)
    assert len(found) == len(set(found))
    assert word not in found
    for other in found:
        assert abs(len(other) - len(word)) <= 1
        assert (other[0].lower(), other[-1]) == (word[0].lower(), word[-1])
    assert typos("M8x20") == []
    assert typos("no") == ["No"]


def test_rewritten_texts_keep_what_decides() -> None:
    words = ["no", "crack", "on", "the", "part", "12"]
    for at in range(len(words)):
        for other in rewritten(words, at):
            text = " ".join(other).lower()
            assert "12" in other
            assert re.search(r"\bno\b", text)
            lost = set(words) - set(other)
            assert len(lost) <= 1
    assert ["no", "crack", "on", "part", "12"] in rewritten(words, 3)
    assert ["crack", "no", "on", "the", "part", "12"] in rewritten(words, 0)
    assert not SPARE & {"no", "not", "without", "never", "one"}


def test_words_change_within_their_budget_and_as_a_slow_search_would() -> None:
    found = small(("note", "load"))
    attack = Words(found.loader.cells, tries=60, tasks=("life",))
    budget = Budget("note", 1.0, "characters", "characters")
    given = found.loader.cells(("note",), found.batch.rows)["note"]
    with answering(found.model), torch.no_grad():
        after, words = attack.written(found.model, found.batch, budget, generator())
    assert sum(w is not None for w in words) > 3
    for cell, said in zip(given, words, strict=True):
        if cell is None:
            assert said is None
        elif said is not None:
            before = cell.split()
            assert sum(a != b for a, b in zip(before, said, strict=True)) == 1
            assert any(set(said) - set(before) <= set(typos(w)) for w in before)
    # The heaviest word's changes, one at a time, of one row.
    row = next(i for i, w in enumerate(words) if w is not None)
    assert loss(found, after, "life")[row] > loss(found, found.batch, "life")[row]
    before, said = given[row].split(), words[row]
    assert said is not None
    at = next(i for i, (a, b) in enumerate(zip(before, said, strict=True)) if a != b)
    reader = found.model.readers["note"]
    lone, slow = some(found.batch, torch.tensor([row])), []
    for other in typos(before[at]):
        text = " ".join([*before[:at], other, *before[at + 1 :]])
        read = reader.read(Cells({"note": [text]})).values
        values = {**lone.values, "note": {k: torch.from_numpy(v) for k, v in read.items()}}
        one = replace(lone, values=values)
        slow.append(float(loss(found, one, "life")[0]))
    assert float(loss(found, after, "life")[row]) == pytest.approx(max(slow), rel=1e-4)


def test_words_of_a_tagged_text_keep_their_number_and_a_wider_search_does_more() -> None:
    words = {"type": "tokens", "max_tokens": 16, "vocabulary": 128}
    tasks = {"tags": {"type": "tag", "target": "tags", "on": "words"}}
    found = small((), more={"words": words}, tasks=tasks)
    losses = []
    for size, looked, tries in ((1.0, 24, 8), (3.0, 24, 8), (3.0, 1, 8), (3.0, 24, 1)):
        attack = Words(found.loader.cells, looked=looked, tries=tries)
        budget = Budget("words", size, "characters", "characters")
        after = attack(found.model, found.batch, [budget], draw=generator())
        pieces = after.values["words"]["words"]
        assert torch.equal(pieces >= 0, found.batch.values["words"]["words"] >= 0)
        losses.append(float(loss(found, after, "tags").mean()))
    assert losses[1] > losses[0] > float(loss(found, found.batch, "tags").mean())
    assert losses[1] > losses[2]
    assert losses[1] > losses[3]


def test_jointly_each_attack_goes_on_from_the_one_before() -> None:
    found = small(("site", "load"))
    budgets = [Budget("site", 1.0, "name", "name"), Budget("load", 0.5, "sd")]
    parts = Names(tasks=("life",)), PGD(5, tasks=("life",))
    both = Joint(parts)(found.model, found.batch, budgets, draw=generator())
    losses = [loss(found, both, "life").mean()]
    for attack in parts:
        alone = attack(found.model, found.batch, budgets, draw=generator())
        losses.append(loss(found, alone, "life").mean())
    assert Joint(parts).name == "PGD-5"
    assert losses[0] > max(losses[1:])
