"""Tags: the best of all well-formed sequences, words that were not read, how sure they are."""

import itertools

import numpy as np
import pytest

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.build import decode
from modalloy.answer.decoding.tag import allowed_steps, best_path
from modalloy.job import config
from modalloy.readers.targets.tag import TagTarget

NAMES = ("O", "B-part", "I-part", "B-fault", "I-fault")
TARGET = TagTarget("parts", "tags", "words", NAMES)


def answer_of(logits_BKWC: np.ndarray, read: list[list[bool]]) -> Answer:
    outputs = {"logits": np.asarray(logits_BKWC, dtype=np.float32), "words": np.array(read)}
    return decode(config.Tag(target="tags", on="words"), TARGET, outputs)


def well_formed(tags: tuple[str, ...]) -> bool:
    before = "O"
    for tag in tags:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            return False
        before = tag
    return True


@pytest.mark.parametrize("seed", range(6))
def test_best_path_is_the_best_of_all_well_formed_ones(seed: int) -> None:
    score_BWC = np.random.default_rng(seed).normal(size=(3, 4, 5))
    found = best_path(score_BWC, *allowed_steps(NAMES))
    for row, path in zip(score_BWC, found, strict=True):
        fine = [
            p
            for p in itertools.product(range(5), repeat=4)
            if well_formed(tuple(NAMES[c] for c in p))
        ]
        best = max(fine, key=lambda p: sum(row[w, c] for w, c in enumerate(p)))
        assert path.tolist() == list(best)


def test_a_word_that_was_not_read_is_outside() -> None:
    logits = np.full((1, 1, 3, 5), -9.0)
    logits[0, 0, :, 2] = 9.0  # all say I-part
    logits[0, 0, 0, 1] = 12.0  # the first begins it
    answer = answer_of(logits, [[True, False, True]])
    # The last must not go on with a span that the hole has ended.
    assert answer["tags"][0] == ["B-part", "O", "O"]


def test_confidence_is_the_mean_probability_of_the_tags() -> None:
    logits = np.array([[[[0.0, 2, 0, 0, 0], [0, 0, 3, 0, 0], [9, 9, 9, 9, 9]]]])
    answer = answer_of(logits, [[True, True, False]])
    first, second = (np.exp(x) / np.exp(x).sum() for x in logits[0, 0, :2])
    assert answer["tags"][0] == ["B-part", "I-part"]
    assert answer["confidence"][0] == pytest.approx((first[1] + second[2]) / 2)


def test_a_text_without_a_word_has_no_tag_and_no_doubt() -> None:
    answer = answer_of(np.zeros((2, 1, 0, 5)), [[], []])
    assert answer["tags"].tolist() == [[], []]
    assert answer["confidence"].tolist() == [1.0, 1.0]


def test_a_row_has_the_same_tags_in_any_company() -> None:
    draw = np.random.default_rng(0)
    logits, read = (
        draw.normal(0, 3, (6, 2, 5, 5)),
        [[True] * (5 - i % 3) + [False] * (i % 3) for i in range(6)],
    )
    whole = answer_of(logits, read)
    for row in range(6):
        alone = answer_of(logits[row : row + 1], read[row : row + 1])
        assert alone["tags"][0] == whole["tags"][row]
        assert np.array_equal(alone["confidence"][0], whole["confidence"][row])
