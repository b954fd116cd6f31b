"""The tagging head: its loss against a loop, answers of its outputs, absent texts."""

import numpy as np
import pytest
import torch
from torch import Tensor

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.build import decode
from modalloy.job import config
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.tag import Tag
from modalloy.model.tokens import Batch, Fused, Tokens, arrays
from modalloy.readers.targets.tag import TagTarget

NAMES = ("O", "B-part", "I-part", "B-fault", "I-fault")
D = 8
OPTIONS = config.Tag(target="tags", on="words")
TARGET = TagTarget("parts", "tags", "words", NAMES)


def answer_of(outputs: dict[str, torch.Tensor]) -> Answer:
    return decode(OPTIONS, TARGET, arrays(outputs))


NOTHING = Batch({}, {})  # the head looks at summaries and tokens alone


def make_task(*, members: int = 1, smoothing: float = 0.0) -> Tag:
    task = build_task("parts", OPTIONS, TARGET, D, members, smoothing)
    assert isinstance(task, Tag)
    torch.nn.init.normal_(task.row.weight, std=0.2)  # so that the row counts from the start
    return task


def make_tokens(words: list[list[int]], seed: int = 0, length: int = 7) -> Tokens:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(words), length, D, generator=generator)
    mask = torch.ones(len(words), length, dtype=torch.bool)
    return Tokens(x, mask, x.mean(1), torch.tensor(words))


def make_target(y: list[list[int]], known: list[bool] | None = None) -> dict[str, Tensor]:
    known_B = torch.ones(len(y), dtype=torch.bool) if known is None else torch.tensor(known)
    return {"y": torch.tensor(y), "known": known_B}


def fused(rows: int, members: int = 1) -> Fused:
    return Fused(torch.randn(rows, members, D))


def well_formed(tags: tuple[str, ...]) -> bool:
    before = "O"
    for tag in tags:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            return False
        before = tag
    return True


def test_loss_agrees_with_a_loop() -> None:
    task = make_task(members=2)
    tokens = {"words": make_tokens([[1, 2, 4, -1], [3, 5, -1, -1]])}
    # A tag of unknown kind, a word cut off by max_tokens, and one column more than the words have.
    target = make_target([[1, 2, -100, 0, -100], [0, 3, 4, -100, -100]])
    outputs = task(fused(2, 2), tokens, NOTHING)
    log_p = outputs["logits"].log_softmax(-1).detach().numpy()
    places = [(0, 0, 1), (0, 1, 2), (1, 0, 0), (1, 1, 3)]
    expected = -np.mean([log_p[b, k, w, c] for b, w, c in places for k in range(2)])
    assert task.loss(outputs, target).item() == pytest.approx(expected, rel=1e-5)


def test_logits_are_those_of_word_plus_row() -> None:
    task = make_task(members=2)
    text = make_tokens([[1, 3, -1]])
    z = fused(1, 2)
    logits = task(z, {"words": text}, NOTHING)["logits"]
    for k, w, piece in ((0, 0, 1), (1, 1, 3)):
        x = task.norm(text.x_BTD[0, piece]) + task.row(z.summary_BKD[0, k])
        slow = x @ task.head.weight_KDC[k] + task.head.bias_KC[k]
        assert torch.allclose(logits[0, k, w], slow, atol=1e-5)


def test_label_smoothing_raises_the_cost_of_certainty() -> None:
    plain, smooth = make_task(), make_task(smoothing=0.3)
    logits = torch.full((1, 1, 1, 5), -20.0)
    logits[..., 1] = 20.0
    outputs = {"logits": logits, "words": torch.ones(1, 1, dtype=torch.bool)}
    target = make_target([[1]])
    assert plain.loss(outputs, target).item() < 1e-3
    assert smooth.loss(outputs, target).item() > 1.0


def test_answers_are_well_formed_and_as_long_as_what_was_read() -> None:
    task = make_task()
    tokens = {"words": make_tokens([[1, 2, 3, 4], [1, 2, -1, -1], [-1, -1, -1, -1]])}
    for _ in range(20):
        torch.nn.init.normal_(task.head.weight_KDC)
        answer = answer_of(task(fused(3), tokens, NOTHING))
        assert [len(t) for t in answer["tags"]] == [4, 2, 0]
        assert all(well_formed(tuple(t)) for t in answer["tags"])
        assert ((answer["confidence"] > 0) & (answer["confidence"] <= 1)).all()
    assert answer["confidence"][2] == 1.0


def test_members_probabilities_are_averaged() -> None:
    task = make_task(members=3)
    tokens = {"words": make_tokens([[1, 2, 3]])}
    outputs = task(fused(1, 3), tokens, NOTHING)
    p = outputs["logits"].softmax(-1).mean(1, keepdim=True)
    mean = {"logits": p.log(), "words": outputs["words"]}
    assert answer_of(outputs)["tags"][0] == answer_of(mean)["tags"][0]
    assert answer_of(outputs)["confidence"] == pytest.approx(answer_of(mean)["confidence"])


def test_texts_that_are_absent_have_no_tags_and_teach_nothing() -> None:
    task = make_task()
    x = torch.zeros(2, 1, D)
    absent = Tokens(x, torch.ones(2, 1, dtype=torch.bool), x[:, 0])
    target = make_target([[1, 2], [0, 0]])
    outputs = task(fused(2), {"words": absent}, NOTHING)
    assert answer_of(outputs)["tags"].tolist() == [[], []]
    loss = task.loss(outputs, target)
    assert loss.item() == 0.0
    loss.backward()
    assert task.head.weight_KDC.grad is not None
    assert (task.head.weight_KDC.grad == 0).all()


def test_unknown_rows_teach_nothing() -> None:
    task = make_task()
    text = make_tokens([[1, 2], [3, 4]])
    x = text.x_BTD.clone().requires_grad_()
    target = make_target([[1, 2], [3, 4]], [True, False])
    loss = task.loss(task(fused(2), {"words": text._replace(x_BTD=x)}, NOTHING), target)
    loss.backward()
    assert x.grad is not None
    assert (x.grad[1] == 0).all()
    assert (x.grad[0] != 0).any()
    none = make_target([[1, 2], [3, 4]], [False, False])
    assert task.loss(task(fused(2), {"words": text}, NOTHING), none).item() == 0.0


def test_a_row_alone_is_answered_as_in_a_batch() -> None:
    task = make_task(members=2).eval()
    text = make_tokens([[1, 2, 3, 4], [2, 5, -1, -1]])
    z = fused(2, 2)
    whole = answer_of(task(z, {"words": text}, NOTHING))
    lone = Tokens(text.x_BTD[1:], text.mask_BT[1:], text.summary_BD[1:], text.words_BW[1:, :2])
    alone = answer_of(task(Fused(z.summary_BKD[1:]), {"words": lone}, NOTHING))
    assert alone["tags"][0] == whole["tags"][1]
    assert alone["confidence"][0] == pytest.approx(whole["confidence"][1], abs=1e-6)


def test_a_run_from_before_rows_scaled_their_words_answers_as_it_did() -> None:
    task, other = make_task(), make_task()
    old = {k: v for k, v in task.state_dict().items() if not k.startswith("scale.")}
    other.load_state_dict(old)
    assert not any(p.any() for p in other.scale.parameters())
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({k: v for k, v in old.items() if k != "norm.weight"})


def test_beside_other_columns_a_row_scales_its_words() -> None:
    task, z = make_task(), fused(1)
    text = make_tokens([[0, 2, 3]])
    with torch.no_grad():
        found = task(z, {"words": text, "site": make_tokens([[0]])}, NOTHING)["logits"][0, 0]
        summary = z.summary_BKD[0, 0]
        for word, piece in enumerate((0, 2, 3)):
            x = task.norm(text.x_BTD[0, piece]) * (1 + task.scale(summary)) + task.row(summary)
            expected = x @ task.head.weight_KDC[0] + task.head.bias_KC[0]
            torch.testing.assert_close(found[word], expected)
