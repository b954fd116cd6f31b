"""chrF and BLEU are sacrebleu's; their intervals weigh rows; word errors are counted by hand."""

import numpy as np
import pytest
import sacrebleu

from modalloy.job import config
from modalloy.judge.metrics.bootstrap import intervals
from modalloy.judge.metrics.overlap import word_errors
from modalloy.judge.metrics.texts import TextMeasure, TextTally, text_losses

TRUE = [
    "wall shelf. stainless steel. Saves space on the worktop.",
    "The pump's bearing (P-101) ran hot at 3.5 bar, 12-14 times & stopped.",
    "replace seal",
    "ein Gehäuse, Größe 12",
    "yes",
]
SAID = [
    "wall shelf. black. Saves space on the wall.",
    "The pump bearing P-101 ran hot at 3.5 bar, 12 times &amp; stopped.",
    "replace the seal; check oil-level",
    "Gehäuse, Größe 13",
    "no",
]


def figures(truth: list, said: list) -> dict[str, float]:
    return TextTally(truth, said).score()


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4], [0], [1], [2, 3], [3, 0]])
def test_chrf_and_bleu_are_those_of_sacrebleu(rows: list[int]) -> None:
    truth, said = [TRUE[i] for i in rows], [SAID[i] for i in rows]
    found = figures(truth, said)
    assert found["chrf"] == pytest.approx(
        sacrebleu.corpus_chrf(said, [truth]).score / 100, abs=1e-6
    )
    assert found["bleu"] == pytest.approx(
        sacrebleu.corpus_bleu(said, [truth]).score / 100, abs=1e-6
    )


def test_random_texts_are_scored_as_by_sacrebleu() -> None:
    draw = np.random.default_rng(0)
    words = ["pump", "seal", "is", "hot.", "at", "3.5", "bar", "-", "(left)", "12-14"]

    def text() -> str:
        return " ".join(draw.choice(words, draw.integers(4, 12)))

    for _ in range(20):
        truth, said = [text() for _ in range(3)], [text() for _ in range(3)]
        found = figures(truth, said)
        assert found["chrf"] * 100 == pytest.approx(
            sacrebleu.corpus_chrf(said, [truth]).score, abs=1e-4
        )
        assert found["bleu"] * 100 == pytest.approx(
            sacrebleu.corpus_bleu(said, [truth]).score, abs=1e-4
        )


def test_chinese_texts_are_scored_letter_by_letter_as_by_sacrebleu() -> None:
    truth = ["主轴温度过高，已停机3.5小时。更换M6螺栓", "密封圈磨损，需更换", "振动偏大（左侧）"]
    said = ["主轴温度偏高，已停机4小时。更换M6螺栓", "密封圈老化，需要更换", "振动偏大（右侧）"]
    score = sacrebleu.corpus_bleu(said, [truth], tokenize="zh").score
    assert score > 30
    assert figures(truth, said)["bleu"] * 100 == pytest.approx(score, abs=1e-4)


def test_short_truths_beside_longer_answers_are_scored_as_by_sacrebleu() -> None:
    draw = np.random.default_rng(1)

    def text(least: int, most: int) -> str:
        return "".join(draw.choice(list("abc"), draw.integers(least, most + 1)))

    for _ in range(20):
        truth = [text(1, 5) for _ in range(4)]
        said = [t + text(0, 9) for t in truth]
        assert figures(truth, said)["chrf"] * 100 == pytest.approx(
            sacrebleu.corpus_chrf(said, [truth]).score, abs=1e-4
        )
        pairs = zip(said, truth, strict=True)
        losses = [1 - sacrebleu.sentence_chrf(s, [t]).score / 100 for s, t in pairs]
        assert text_losses(truth, said).tolist() == pytest.approx(losses, abs=1e-6)


def test_a_text_without_four_words_has_no_bleu_and_an_empty_one_counts_as_nothing() -> None:
    found = figures(["yes", "no"], ["yes", "yes"])
    assert found.keys() == {"chrf", "exact_match"}
    assert found["exact_match"] == 0.5
    assert figures(["yes"], [""]) == {"chrf": 0.0, "exact_match": 0.0}
    assert figures([None], ["yes"]) == {}


def test_rows_drawn_twice_count_twice_and_unknown_ones_not_at_all() -> None:
    tally = TextTally([TRUE[0], None, TRUE[1]], [SAID[0], "x", SAID[1]])
    twice = tally.figures(np.array([[2.0], [1.0]]))
    same = figures([TRUE[0], TRUE[0], TRUE[1]], [SAID[0], SAID[0], SAID[1]])
    for name, value in same.items():
        assert twice[name][0] == pytest.approx(value)
    assert intervals(tally).keys() == {"chrf", "bleu", "exact_match"}


def test_losses_are_of_each_text_alone_and_chrf_chooses() -> None:
    loss_B = text_losses([TRUE[0], None], [SAID[0], "x"])
    whole = sacrebleu.sentence_chrf(SAID[0], [TRUE[0]]).score
    assert loss_B.tolist() == pytest.approx([1 - whole / 100, 0.0], abs=1e-6)
    options = config.Generate(target="t")
    assert TextMeasure().primary(options) == ("chrf", True)
    assert TextMeasure().skill(options, 0) == ["chrf"]


@pytest.mark.parametrize(
    ("true", "said", "errors"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a b c", "a x c d", 2),
        ("a b", "", 2),
        ("", "a", 1),
        ("the cat sat", "cat the sat", 2),
    ],
)
def test_word_errors(true: str, said: str, errors: int) -> None:
    assert word_errors(true.split(), said.split()) == errors
