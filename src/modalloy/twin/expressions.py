"""Arithmetic that a twin file writes, as in `wall_5 * 1.2`: parsed once, never run as code."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modalloy.job.options import listed

LONGEST = 500  # characters; deeper nesting than that needs would end the parser itself
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "exp": np.exp,
    "log": np.log,
}
FOLDED: dict[str, Callable[[Any, Any], Any]] = {"min": np.minimum, "max": np.maximum}
KNOWN = (*FOLDED, *FUNCTIONS)
TAKES = f"only + - * / ** ( ), numbers, names of variables and {listed(KNOWN)} may stand in it"


@dataclass(frozen=True)
class Expression:
    """A formula. names: what it reads, in the order of the text; `tank.level` and `x[1]`, as FMUs
    name their variables, are one name each.
    """

    text: str
    names: tuple[str, ...]
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> "Expression":
        """The formula of a text.

        ValueError with one sentence for anything but arithmetic.
        """
        if len(text) > LONGEST:
            raise ValueError(f"the formula has {len(text)} characters; {LONGEST} are the most")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ValueError(f"'{text}' is no formula, as in 'wall * 1.2'; {TAKES}") from None
        return cls(text, tuple(dict.fromkeys(_names(tree, text))), tree)

    def value(self, values: Mapping[str, Any]) -> Any:
        """What it amounts to: a float, or an array of N where values are arrays of N.

        values: name -> number or x_N. ValueError where one is no number, or the result is not
        finite.
        """
        given: dict[str, Any] = {}
        for name in self.names:
            array = np.asarray(values[name])
            if array.dtype.kind not in "iuf":
                raise ValueError(f"'{self.text}' needs numbers, and {name} is '{values[name]}'")
            given[name] = array.astype(np.float64)
        with np.errstate(all="ignore"):
            found = np.asarray(_value(self.tree, given), dtype=np.float64)
        if not np.isfinite(found).all():
            at = np.unravel_index(np.argmin(np.isfinite(found)), found.shape)
            told = [f"{n} = {np.broadcast_to(given[n], found.shape)[at]:g}" for n in self.names]
            raise ValueError(f"'{self.text}' has no finite value at {', '.join(told)}")
        return found if found.ndim else float(found)


def _names(tree: ast.expr, text: str) -> Iterator[str]:
    """Names in a formula; ValueError where anything else than arithmetic stands in it."""
    match tree:
        case ast.Constant(value=value) if type(value) in (int, float):
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            yield from _names(left, text)
            yield from _names(right, text)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            yield from _names(operand, text)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in KNOWN:
            fits = len(args) >= 2 if name in FOLDED else len(args) == 1
            if not fits:
                takes = "two numbers or more" if name in FOLDED else "one number"
                raise ValueError(f"'{text}': {name} takes {takes}")
            for arg in args:
                yield from _names(arg, text)
        case ast.Name() | ast.Attribute() | ast.Subscript() if _dotted(tree):
            yield ast.unparse(tree)
        case _:
            raise ValueError(f"'{text}' is not arithmetic: '{_part(tree)}'; {TAKES}")


def _dotted(tree: ast.expr) -> bool:
    """Whether a part is a name as FMUs write them: `tank`, `tank.level`, `x[1]`, `a.b[2].c`."""
    match tree:
        case ast.Name(id=name):
            return name not in KNOWN
        case ast.Attribute(value=inner):
            return _dotted(inner)
        case ast.Subscript(value=inner, slice=ast.Constant(value=int())):
            return _dotted(inner)
        case _:
            return False


def _part(tree: ast.expr) -> str:
    """A part of a formula, shortened."""
    text = ast.unparse(tree)
    return text if len(text) <= 40 else text[:37] + "..."


def _value(tree: ast.expr, given: Mapping[str, Any]) -> Any:
    """The value of a part that `_names` has passed."""
    match tree:
        case ast.Constant(value=int() | float() as value):
            return np.float64(value)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left, given), _value(right, given))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, given)
        case ast.UnaryOp(operand=operand):
            return _value(operand, given)
        case ast.Call(func=ast.Name(id=name), args=args):
            found = [_value(arg, given) for arg in args]
            if name in FUNCTIONS:
                return FUNCTIONS[name](found[0])
            least = found[0]
            for other in found[1:]:
                least = FOLDED[name](least, other)
            return least
        case _:
            return given[ast.unparse(tree)]
