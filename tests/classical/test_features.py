"""Features are fitted on training rows alone, and say of a row alone what they say in a batch."""

import json

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from modalloy.classical.blocks import FeatureBlock, words_of
from modalloy.classical.boosting import side_by_side
from modalloy.classical.features import Codes, Directions, Features, TextDirections, matrix_of
from modalloy.classical.texts import MOST, Vocabulary

TEXTS = ["Crack seen at seal 3", "", "nothing to see", "seal leaks; seal is new", "a  b ä é", "!!"]


def test_texts_are_weighed_as_scikit_learn_does() -> None:
    shared = {"max_features": MOST, "sublinear_tf": True}
    kinds = [
        TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), **shared),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared),
    ]
    other = [*TEXTS, "unknown words", "SEAL seal"]
    theirs = hstack([kind.fit(TEXTS).transform(other) for kind in kinds]) / 2**0.5
    vocabulary = Vocabulary.fit(TEXTS)
    assert vocabulary is not None
    ours = matrix_of(vocabulary.weigh(other), len(vocabulary))
    assert ours.toarray() == pytest.approx(theirs.toarray(), abs=1e-12)
    assert Vocabulary.fit(["", "!!"]) is None


def test_texts_become_leading_directions() -> None:
    texts = [f"{t} {n % 7}" for n in range(10) for t in TEXTS]
    fitted = TextDirections.fit(texts, 5, 0)
    assert fitted.vocabulary is not None
    x = matrix_of(fitted.vocabulary.weigh(texts), len(fitted.vocabulary))
    theirs = TruncatedSVD(5, random_state=0).fit(x).transform(x)
    assert fitted.apply(texts) == pytest.approx(theirs, abs=1e-6)


def test_wide_blocks_are_reduced_by_training_rows_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (50, 200))
    x[3, 7] = np.nan
    fitted = Directions.fit(x[:40], 5, 0)
    found = fitted.apply(x)
    assert found.shape == (50, 5)
    assert np.isfinite(found).all()
    filled = np.where(np.isnan(x), np.nanmean(x[:40], 0), x)
    z = (filled - filled[:40].mean(0)) / filled[:40].std(0)
    theirs = PCA(5, svd_solver="randomized", random_state=0).fit(z[:40]).transform(z)
    assert found == pytest.approx(theirs, abs=1e-9)


def test_all_kinds_side_by_side_alone_as_in_a_batch_and_kept() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (50, 1)).astype(float)
    codes[2] = np.nan
    blocks = {
        "w.x": FeatureBlock("w.x", rng.normal(0, 1, (50, 200))),
        "w": FeatureBlock("w", rng.normal(0, 1, (50, 3))),
        "c": FeatureBlock("c", codes, codes=True),
        "t": FeatureBlock("t", [f"seal {k % 5} leaks {k % 3}" for k in range(50)]),
    }
    fitted = Features.fit(list(blocks.values()), kept=10, embedded=10, seed=0)
    joined, which = side_by_side(fitted, blocks, 50)
    assert joined.shape == (50, 1 + 10 + 3 + 1 + 10)
    assert np.flatnonzero(which).tolist() == [14]
    meta, arrays = fitted.state()
    again = Features.from_state(json.loads(json.dumps(meta)), arrays)
    assert np.array_equal(side_by_side(again, blocks, 50)[0], joined, equal_nan=True)
    for row in (0, 2, 49):
        one = {n: b.take(np.array([row])) for n, b in blocks.items()}
        found, _ = side_by_side(fitted, one, 1)
        assert np.array_equal(found[0], joined[row], equal_nan=True)


def test_empty_texts_and_no_columns_are_no_obstacle() -> None:
    blocks = {"t": FeatureBlock("t", ["", "!!"])}
    fitted = Features.fit(list(blocks.values()), kept=8, embedded=8, seed=0)
    joined, codes = side_by_side(fitted, blocks, 2)
    assert joined.shape == (2, 1)
    assert not codes.any()


def test_media_of_which_every_cell_is_absent_have_as_many_features() -> None:
    x = np.arange(12.0).reshape(4, 3)
    fitted = Features.fit([FeatureBlock("m", x)], kept=8, embedded=8, seed=0)
    found = fitted.apply({"m": FeatureBlock("m", np.full((2, 1), np.nan))})["m"]
    assert found.shape == (2, 3)
    assert np.isnan(found).all()


def test_a_category_of_many_names_keeps_its_commonest_apart() -> None:
    codes = np.array([float(k % 300) for k in range(600)] + [7.0] * 50 + [np.nan])[:, None]
    values = Codes.fit(codes).apply(codes)
    assert np.isnan(values[-1, 0])
    assert values[7, 0] == values[610, 0] > 0
    assert len(np.unique(values[:-1])) == 200  # 199 names, and all others as one
    assert (values[:-1] == 0).sum() > 100


def test_words_are_the_same_however_a_table_writes_them() -> None:
    written = ["pump leaks", '["pump", "leaks"]', ["pump", "leaks"], np.array(["pump", "leaks"])]
    assert {words_of(cell) for cell in written} == {"pump leaks"}
    assert [words_of(cell) for cell in (None, "", "[1", [1, 2])] == ["", "", "", ""]
