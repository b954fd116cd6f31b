"""Messages come back as they were; those of another form, job or with NaN are refused."""

import numpy as np
import pytest

from modalloy.errors import FederationError
from modalloy.federation.wire import Message, fingerprint, pack, unpack
from plants import job_of


def test_a_message_comes_back() -> None:
    arrays = {"a": np.arange(6.0, dtype=np.float32).reshape(2, 3), "b": np.zeros(0, np.int8)}
    arrays["c"] = np.array(7, np.int64)
    data = pack(Message("learn", {"round": 3}, arrays), "j")
    found = unpack(data, "j")
    assert (found.kind, found.facts) == ("learn", {"round": 3})
    for name, x in arrays.items():
        np.testing.assert_array_equal(found.arrays[name], x)
        assert found.arrays[name].dtype == x.dtype
        assert found.arrays[name].shape == x.shape


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda d: b"GET / HTTP/1.1", "no message of a federation"),
        (lambda d: d[:4] + bytes([9]) + d[5:], "form 9 and this version of modalloy reads form 1"),
        (lambda d: d[:-3], "is broken"),
        (lambda d: b"", "no message of a federation"),
    ],
)
def test_what_is_no_message_is_refused(spoil, said: str) -> None:
    data = pack(Message("learn", {}, {"w": np.ones(100, np.float32)}), "j")
    with pytest.raises(FederationError, match=said):
        unpack(spoil(data), "j")


def test_another_job_and_numbers_that_are_none_are_refused() -> None:
    data = pack(Message("learn"), "j")
    with pytest.raises(FederationError, match="belongs to job j and this is job k"):
        unpack(data, "k")
    bad = pack(Message("learn", {}, {"w": np.array([1.0, np.nan])}), "j")
    with pytest.raises(FederationError, match="'w' of a message holds NaN"):
        unpack(bad, "j")


def test_a_job_is_told_by_what_sites_share() -> None:
    assert fingerprint(job_of()) == fingerprint(job_of(columns={"B": {"load": {"times": 2.0}}}))
    assert fingerprint(job_of()) != fingerprint(job_of(keep=0.5))
    moved = job_of().model_copy(update={"table": "elsewhere.csv"})
    assert fingerprint(moved) == fingerprint(job_of())
