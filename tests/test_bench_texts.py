"""The benches of texts and of speech: noise as loud as is said, words as they are counted."""

import numpy as np
import pytest
from bench import generate, speech

from modalloy.job.job_file import load_job


def test_noise_is_ten_decibels_below_the_speech() -> None:
    wave = np.sin(np.arange(40_000) / 7).astype(np.float32)
    noise = speech.noisy(wave, np.random.default_rng(0)) - wave
    ratio_db = 10 * np.log10(np.square(wave).mean() / np.square(noise).mean())
    assert ratio_db == pytest.approx(10.0, abs=0.1)


def test_words_are_counted_without_case_and_marks() -> None:
    assert speech.plain("The pump's hot, order 2!") == ["the", "pump's", "hot", "order", "2"]
    wrong, words = np.array([0, 1, 2]), np.array([5, 5, 5])
    low, high = speech.spread(wrong, words, np.random.default_rng(0))
    assert low < 0.2 < high


@pytest.mark.parametrize("name", generate.SETS)
def test_jobs_of_the_bench_are_jobs(name: str) -> None:
    job = load_job({"table": "x.csv", **generate.SETS[name].job})
    (task,) = job.tasks.values()
    assert task.type == "generate"
