"""Names of losses: of a task, of a task's own head for one input, or of a method between inputs.

    fault                  the task `fault`
    fault/photo            the head that answers `fault` from the input `photo` alone
    consistency            a method that is no task
    contrast/photo~note    a method between two inputs

Tasks and inputs are called by their users and may hold any character. So `%`, `/` and `~` of theirs
are quoted as in an address (`%25`, `%2F`, `%7E`), and so is the first letter of a task that is
called as a method is: the task `consistency` has the loss `%63onsistency`.
"""

from typing import Literal, NamedTuple, get_args
from urllib.parse import unquote

Method = Literal["consistency", "masked", "autoregress", "contrast", "matching", "distil"]
METHODS: tuple[str, ...] = get_args(Method)
CODES = {"%": "%25", "/": "%2F", "~": "%7E"}


class Named(NamedTuple):
    """What a loss is of: a task, and the input of its own head; or a method and its inputs."""

    task: str | None
    method: str | None
    inputs: tuple[str, ...]


def task_loss(task: str, input: str | None = None) -> str:
    """The name of a task's loss, or of the loss of its own head for one input."""
    name = quoted(task)
    if name in METHODS:
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return name if input is None else f"{name}/{quoted(input)}"


def method_loss(method: Method, *inputs: str) -> str:
    """The name of a method's loss, with the inputs that it compares."""
    return f"{method}/{'~'.join(map(quoted, inputs))}" if inputs else method


def read_name(name: str) -> Named:
    """What a loss of this name is of."""
    first, slash, rest = name.partition("/")
    inputs = tuple(unquote(part) for part in rest.split("~")) if slash else ()
    if first in METHODS:
        return Named(None, first, inputs)
    return Named(unquote(first), None, inputs)


def quoted(text: str) -> str:
    """A user's word without a character that parts the names of losses."""
    return "".join(CODES.get(c, c) for c in text)
