"""Names of losses are read as they were made, whatever users call their tasks and columns."""

from hypothesis import given
from hypothesis import strategies as st

from modalloy.objectives.names import METHODS, method_loss, read_name, task_loss

WORDS = st.text() | st.sampled_from([*METHODS, "%", "/", "~", "%63onsistency", "a/b~c%", "é%2F"])


def test_names_are_plain_where_words_are() -> None:
    assert task_loss("fault") == "fault"
    assert task_loss("fault", "photo") == "fault/photo"
    assert method_loss("consistency") == "consistency"
    assert method_loss("consistency", "photo", "note") == "consistency/photo~note"
    assert task_loss("rate kg/h", "50 %") == "rate kg%2Fh/50 %25"
    assert task_loss("consistency") == "%63onsistency"


@given(WORDS, st.none() | WORDS)
def test_a_loss_of_a_task_says_its_task_and_input(task: str, column: str | None) -> None:
    found = read_name(task_loss(task, column))
    assert found == (task, None, () if column is None else (column,))


@given(st.lists(WORDS, max_size=3))
def test_a_loss_of_a_method_says_its_inputs(inputs: list[str]) -> None:
    assert read_name(method_loss("consistency", *inputs)) == (None, "consistency", tuple(inputs))


@given(WORDS, st.none() | WORDS, WORDS, st.none() | WORDS)
def test_no_two_losses_share_a_name(
    task: str, column: str | None, other: str, second: str | None
) -> None:
    same = (task, column) == (other, second)
    assert (task_loss(task, column) == task_loss(other, second)) == same
    assert task_loss(task, column) != method_loss("consistency", *([column] if column else []))
