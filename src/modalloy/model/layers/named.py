"""Modules by the user's own names: columns may be called `type`, `train` or `a.b`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from torch import nn

Part = TypeVar("Part", bound=nn.Module)
CODES = {"%": "%25", ".": "%2E"}  # a dot parts the names of weights


class Named(nn.Module, Generic[Part]):
    """A dictionary of modules whose keys may be any text; weights are called `in_NAME...`."""

    def __init__(self, modules: Mapping[str, Part] | Iterable[tuple[str, Part]]) -> None:
        super().__init__()
        listed = dict(modules)
        self.names = list(listed)
        for name, module in listed.items():
            self.add_module(key(name), module)

    def __getitem__(self, name: str) -> Part:
        return self._modules[key(name)]  # pyrefly: ignore[bad-return] holds what was given

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def keys(self) -> list[str]:
        """The names as they were given."""
        return list(self.names)

    def values(self) -> list[Part]:
        """The modules in the order of their names."""
        return [self[name] for name in self.names]

    def items(self) -> list[tuple[str, Part]]:
        """Both."""
        return [(name, self[name]) for name in self.names]


def key(name: str) -> str:
    """A name as PyTorch takes it: no dot, and never that of a method."""
    return "in_" + "".join(CODES.get(c, c) for c in name)
