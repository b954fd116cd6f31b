"""FGSM, PGD and APGD agree with slow versions and with the adversarial robustness toolbox."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from attacked import Logits, Small, classifier, generator, small
from modalloy.attacks.apgd import APGD
from modalloy.attacks.attack import answering, by_loss, climb
from modalloy.attacks.budget import Budget
from modalloy.attacks.fgsm import FGSM
from modalloy.attacks.goal import aimed, aims_of, behind, harm, harm_of, margin, pooled
from modalloy.attacks.moves import Moves
from modalloy.attacks.pgd import PGD
from modalloy.errors import JobError

EPS = 8.0
PHOTO = Budget("photo", EPS, "/255")


@pytest.fixture(scope="module")
def found() -> Small:
    return small(("photo",))


@pytest.fixture(autouse=True)
def _old_libraries() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the toolbox uses what numpy and torch have let go
        yield


def truth(found: Small) -> np.ndarray:
    return found.batch.targets["fault"]["y"].numpy()


def pixels(found: Small) -> np.ndarray:
    return found.batch.values["photo"]["pixels"].float().numpy()


def seen(found: Small) -> np.ndarray:
    return found.batch.present["photo"].numpy()


def test_fgsm_is_the_toolboxs(found: Small) -> None:
    from art.attacks.evasion import FastGradientMethod

    ours = FGSM(tasks=("fault",))(found.model, found.batch, [PHOTO], draw=generator())
    estimator = classifier(found, "photo", "pixels", (0.0, 255.0))
    theirs = FastGradientMethod(estimator, eps=EPS, batch_size=12)
    wanted = theirs.generate(pixels(found), truth(found))
    own = ours.values["photo"]["pixels"].numpy()
    np.testing.assert_allclose(own[seen(found)], wanted[seen(found)], atol=1e-3)


def test_pgd_is_the_toolboxs(found: Small) -> None:
    from art.attacks.evasion import ProjectedGradientDescent

    attack = PGD(6, 0.25, random=False, worst=False, tasks=("fault",))
    moves = Moves.of(found.model, found.batch, [PHOTO])
    with answering(found.model):
        u_BM = attack.search(found.model, moves, generator())
    own = moves.batch(u_BM).values["photo"]["pixels"].numpy()
    estimator = classifier(found, "photo", "pixels", (0.0, 255.0))
    theirs = ProjectedGradientDescent(
        estimator, eps=EPS, eps_step=EPS / 4, max_iter=6, batch_size=12, verbose=False
    )
    wanted = theirs.generate(pixels(found), truth(found))
    np.testing.assert_allclose(own[seen(found)], wanted[seen(found)], atol=2e-2)


def test_pgd_hands_over_its_worst_iterate(found: Small) -> None:
    losses: list[Tensor] = []
    own = {"random": False, "tasks": ("fault",)}
    for attack in (PGD(4, worst=False, **own), PGD(4, **own), PGD(4, restarts=3)):
        after = attack(found.model, found.batch, [PHOTO], draw=generator())
        with answering(found.model), torch.no_grad():
            losses.append(harm(found.model, found.model(after), after, ["fault"]).loss_B)
    assert (losses[1] >= losses[0] - 0.05).all()  # whole pixels take a little
    assert losses[1].mean() >= losses[0].mean() - 1e-3
    assert losses[2].mean() > 0


def slow_apgd(found: Small, u_M: Tensor, row: int, steps: int) -> Tensor:
    """The authors' loop for one row, word by word, with the loss of the start in the list."""
    moves = Moves.of(found.model, found.batch, [PHOTO])

    def slope(u: Tensor) -> tuple[float, Tensor]:
        u_BM = moves.zero()
        u_BM[row] = u
        loss, slope_BM = climb(found.model, moves, u_BM, by_loss(["fault"]))
        return float(loss.loss_B[row]), slope_BM[row]

    def clip(u: Tensor) -> Tensor:
        return u.clamp(moves.low_BM[row], moves.high_BM[row])

    x, step, best = u_M, 2.0, u_M
    loss, grad = slope(x)
    highest, best_grad, old = loss, grad, x
    losses = [loss]
    look, checked, reduced, since = max(int(0.22 * steps), 1), loss, True, 0
    for i in range(steps):
        move = x - old
        old = x
        a = 0.75 if i else 1.0
        z = clip(x + step * grad.sign())
        x = clip(x + (z - x) * a + move * (1 - a))
        loss, grad = slope(x)
        losses.append(loss)
        if loss > highest:
            best, highest, best_grad = x, loss, grad
        since += 1
        if since == look:
            rises = sum(losses[-k] > losses[-k - 1] for k in range(1, since + 1))
            stall = rises <= 0.75 * since or (not reduced and checked >= highest)
            checked, reduced = highest, stall
            if stall:
                step, x, grad = step / 2, best, best_grad
            look = max(look - max(int(0.03 * steps), 1), int(0.06 * steps), 1)
            since = 0
    return best


def test_apgd_is_the_authors_loop(found: Small) -> None:
    moves = Moves.of(found.model, found.batch, [PHOTO])
    start = moves.start(generator(3))
    steps = 14
    with answering(found.model):
        ours = APGD(steps).search(found.model, moves, start, by_loss(["fault"]))
        for row in np.flatnonzero(seen(found))[:2]:
            wanted = slow_apgd(found, start[row], int(row), steps)
            u_BM = moves.zero()
            u_BM[row] = wanted
            both = [climb(found.model, moves, u, by_loss(["fault"]))[0] for u in (ours, u_BM)]
            # A wrong row keeps what made it so; the loss is that of the authors otherwise.
            if not both[0].wrong_B[row] or torch.equal(ours[row], wanted):
                torch.testing.assert_close(ours[row], wanted, atol=1e-4, rtol=0)
            assert both[0].wrong_B[row] >= both[1].wrong_B[row]


def test_apgd_does_no_less_harm_than_the_toolboxs(found: Small) -> None:
    from art.attacks.evasion import AutoProjectedGradientDescent

    estimator = classifier(found, "photo", "pixels", (0.0, 255.0))
    theirs = AutoProjectedGradientDescent(
        estimator, eps=EPS, eps_step=2 * EPS, max_iter=20, nb_random_init=1, batch_size=12,
        loss_type="cross_entropy", verbose=False,
    )  # fmt: skip
    wanted = torch.from_numpy(theirs.generate(pixels(found), truth(found)))
    ours = APGD(20, tasks=("fault",))(found.model, found.batch, [PHOTO], draw=generator())
    see = Logits(found, "photo", "pixels")
    y = found.batch.targets["fault"]["y"]
    with torch.no_grad():
        own, their = (
            F.cross_entropy(see(x), y, reduction="none")[seen(found)]
            for x in (ours.values["photo"]["pixels"].float(), wanted)
        )
    assert own.mean() >= their.mean() - 0.02
    assert own.mean() > 0.9 * their.mean()


def test_apgd_t_aims_at_other_answers(found: Small) -> None:
    both = small(("load", "note"))
    budgets = [Budget("load", 1.0, "sd"), Budget("note", 0.2, "embedding", "embedding")]
    after = APGD(10, targeted=True, tasks=("life",))(
        both.model, both.batch, budgets, draw=generator()
    )
    with torch.no_grad():
        before_B, after_B = (
            harm(both.model, both.model(b), b, ["life"]).loss_B for b in (both.batch, after)
        )
    known = both.batch.targets["life"]["known"]
    assert (after_B >= before_B - 1e-5)[known].all()
    assert after_B[known].mean() > 1.2 * before_B[known].mean()


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_targeted_ratio_is_its_formula(found: Small, classes: int) -> None:
    task = found.model.task("fault")
    logits = torch.randn(7, 1, classes, generator=generator())
    y = torch.randint(0, classes, (7,), generator=generator(1))
    target = {"y": y, "known": torch.ones(7, dtype=torch.bool)}
    aims = aims_of(task, {"logits": logits}, target, 9)
    assert len(aims) == classes - 1
    for rank, aim_B in enumerate(aims):
        ours = aimed(task, {"logits": logits}, target, aim_B).loss_B
        for row in range(7):
            z, true = logits[row, 0].tolist(), int(y[row])
            others = sorted((c for c in range(classes) if c != true), key=lambda c: -z[c])
            assert others[rank] == aim_B[row]
            p = sorted(z, reverse=True)
            under = {2: 1.0, 3: p[0] - p[-1]}.get(classes) or p[0] - 0.5 * (p[2] + p[3])
            assert ours[row].item() == pytest.approx(
                (z[others[0 + rank]] - z[true]) / under, rel=1e-4
            )


def test_harm_is_that_of_the_answer_that_is_given() -> None:
    found = small(("load", "site"), fuse={"type": "tabm", "width": 16, "members": 3, "layers": 1})
    with torch.no_grad():
        output = found.model(found.batch)
    logits_BKC = output.tasks["fault"]["logits"]
    p_BC = logits_BKC.softmax(-1).mean(1)
    target = found.batch.targets["fault"]
    wanted = -p_BC.gather(1, target["y"][:, None])[:, 0].log()
    ours = harm_of(found.model.task("fault"), output.tasks["fault"], target)
    torch.testing.assert_close(ours.loss_B, wanted)
    assert torch.equal(ours.wrong_B, p_BC.argmax(1) != target["y"])
    task = found.model.task("fault")
    apart_B = behind(task, pooled(task, output.tasks["fault"]), target)
    assert torch.equal(apart_B > 0, ours.wrong_B)
    life = found.batch.targets["life"]
    squared = (output.tasks["life"]["value"].mean(1) - life["y"]) ** 2
    ours = harm_of(found.model.task("life"), output.tasks["life"], life)
    torch.testing.assert_close(ours.loss_B[life["known"]], squared[life["known"]])
    assert not ours.loss_B[~life["known"]].any()


def test_labels_are_wrong_where_any_of_them_is() -> None:
    tasks = {"codes": {"type": "classify", "target": "fault_code", "labels": "multi"}}
    labelled = small(("load",), tasks=tasks)
    task, target = labelled.model.task("codes"), labelled.batch.targets["codes"]
    with torch.no_grad():
        output = labelled.model(labelled.batch)
    out = output.tasks["codes"]
    logits_BC, y_BC = out["logits"][:, 0], target["y"].float()
    ours = harm_of(task, out, target)
    wanted = F.binary_cross_entropy_with_logits(logits_BC, y_BC, reduction="none").sum(1)
    torch.testing.assert_close(ours.loss_B, wanted)
    assert torch.equal(ours.wrong_B, ((logits_BC > 0).float() != y_BC).any(1))
    far = margin(labelled.model, output, labelled.batch).loss_B
    assert torch.equal(far > 0, ours.wrong_B)
    for aim_B in aims_of(task, out, target, 9):
        near_B = aimed(task, out, target, aim_B).loss_B
        for row, label in enumerate(aim_B.tolist()):
            side = -1.0 if y_BC[row, label] else 1.0
            assert near_B[row].item() == pytest.approx(side * logits_BC[row, label].item())
    after = APGD(5, targeted=True)(
        labelled.model, labelled.batch, [Budget("load", 2.0, "sd")], draw=generator()
    )
    with torch.no_grad():
        worse = harm(labelled.model, labelled.model(after), after)
    assert (worse.wrong_B | ~ours.wrong_B).all()


def test_a_text_is_moved_as_freelb_moves_it() -> None:
    """The slow version adds to what the layer of vectors returns, and knows nothing of moves."""
    found = small(("note",))
    size, steps = 0.2, 3
    encoder, note = found.model.encoder("note"), found.batch.values["note"]
    here = found.batch.present["note"]
    mask_BL1 = note["mask"][here][..., None].float()
    usual = encoder.pieces.weight.detach().norm(dim=1).mean()
    radius_B11 = (size * usual * mask_BL1.sum((1, 2)).sqrt())[:, None, None]
    delta = torch.zeros(int(here.sum()), note["ids"].shape[1], encoder.pieces.embedding_dim)
    target = found.batch.targets["fault"]
    for _ in range(steps):
        delta.requires_grad_()
        hook = encoder.pieces.register_forward_hook(lambda _, given, out, d=delta: out + d)
        logits = found.model(found.batch).tasks["fault"]["logits"][:, 0]
        hook.remove()
        F.cross_entropy(logits, target["y"], reduction="sum").backward()
        slope = delta.grad * mask_BL1
        length = slope.flatten(1).norm(dim=1)[:, None, None]
        step = 2.5 / steps * radius_B11 * slope / length
        delta = (delta + step).detach()
        delta = delta / (delta.flatten(1).norm(dim=1)[:, None, None] / radius_B11).clamp_min(1.0)
    budgets = [Budget("note", size, "embedding", "embedding")]
    attack = PGD(steps, random=False, worst=False, tasks=("fault",))
    after = attack(found.model, found.batch, budgets, draw=generator())
    torch.testing.assert_close(after.values["note"]["moved"][here], delta, atol=1e-4, rtol=1e-3)


def test_boxes_are_attacked_by_their_training_loss() -> None:
    tasks = {"boxes": {"type": "locate", "target": "boxes", "labels": "box_names", "on": "photo"}}
    found = small(("photo",), tasks=tasks, rows=4)
    after = PGD(3)(found.model, found.batch, [PHOTO], draw=generator())
    losses = []
    for batch in (found.batch, after):
        with torch.no_grad():
            out = found.model(batch)
            rows = harm(found.model, out, batch).loss_B
            target = {k: v[1:2] for k, v in batch.targets["boxes"].items()}
            alone = found.model.task("boxes").loss(
                {k: v[1:2] for k, v in out.tasks["boxes"].items()}, target
            )
        assert rows[1].item() == pytest.approx(alone.item(), rel=1e-5)
        losses.append(rows)
    assert (losses[1] >= losses[0]).all()
    assert losses[1].mean() > losses[0].mean()


def test_tags_are_attacked_by_their_training_loss() -> None:
    words = {"type": "tokens", "max_tokens": 16, "vocabulary": 128}
    tasks = {"tags": {"type": "tag", "target": "tags", "on": "words"}}
    found = small((), more={"words": words}, tasks=tasks)
    budgets = [Budget("words", 0.3, "embedding", "embedding")]
    losses = []
    for batch in (found.batch, PGD(5)(found.model, found.batch, budgets, draw=generator())):
        with torch.no_grad():
            out = found.model(batch)
            row = harm(found.model, out, batch).loss_B
            task, target = found.model.task("tags"), batch.targets["tags"]
            alone = task.loss(
                {k: v[2:3] for k, v in out.tasks["tags"].items()},
                {k: v[2:3] for k, v in target.items()},
            )
        assert row[2].item() == pytest.approx(alone.item(), rel=1e-6)
        losses.append(row.mean())
    assert losses[1] > losses[0] + 0.05
    with pytest.raises(JobError, match="attack this task by its loss"):
        APGD(2, targeted=True)(found.model, found.batch, budgets, draw=generator())


def test_options_of_attacks_change_what_they_hand_over(found: Small) -> None:
    def after(attack: object) -> Tensor:
        return attack(found.model, found.batch, [PHOTO], draw=generator()).values["photo"]["pixels"]  # type: ignore[operator]

    first = (FGSM(), PGD(2), APGD(2))
    plain = {attack: after(attack) for attack in first}
    pairs = [
        (FGSM(), FGSM(random=True)), (FGSM(), FGSM(step=0.5)), (FGSM(), FGSM(tasks=("life",))),
        (PGD(2), PGD(3)), (PGD(2), PGD(2, step=0.1)), (PGD(2), PGD(2, restarts=2)),
        (PGD(2), PGD(2, random=False)), (APGD(2), APGD(4)), (APGD(2), APGD(2, restarts=2)),
        (APGD(2), APGD(2, targeted=True)),
    ]  # fmt: skip
    for a, b in pairs:
        assert not torch.equal(plain[a], after(b)), (a, b)
