"""Tensors on the processor in, the same tensors pretending to lie on an accelerator out.

Every operation is computed by the processor, so that its numbers can be compared; one that mixes
pretending tensors with others fails as it would with a GPU. Needs no GPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

AWAY = torch.device("cuda:0")
# Operations that a GPU allows between devices; indices may lie on the processor as well.
CROSSING = {"aten::_to_copy", "aten::copy_"}
INDEXING = {"aten::index.Tensor": 1, "aten::index_put_": 2, "aten::_index_put_impl_": 2}


class Away(Tensor):
    """A tensor that says it is on `AWAY`, and holds the real one."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, real: Tensor) -> "Away":
        """A pretending tensor of the same shape and strides."""
        made = Tensor._make_wrapper_subclass(
            cls,
            real.size(),
            strides=real.stride(),
            storage_offset=real.storage_offset(),
            dtype=real.dtype,
            device="meta",
        )
        made.held = real
        return made

    @property
    def device(self) -> torch.device:
        """Where it pretends to be."""
        return AWAY

    def tolist(self) -> Any:
        """PyTorch refuses this for subclasses, though not for a GPU's tensors."""
        return self.detach().cpu().tolist()

    def new_tensor(self, data: Any, **options: Any) -> Tensor:
        """PyTorch makes these behind the back of `__torch_dispatch__`."""
        return torch.tensor(data, **{"dtype": self.dtype} | options).to(AWAY)

    def __getitem__(self, key: Any) -> Any:
        """PyTorch turns lists into indices behind its back, too."""
        return super().__getitem__(indices(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        """The same."""
        super().__setitem__(indices(key), value)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operation on such a tensor."""
        return compute(func, args, kwargs or {})


class Pretend(TorchDispatchMode):
    """Catches operations without a pretending tensor too: moves, and tensors made on `AWAY`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Every operation."""
        return compute(func, args, kwargs or {})


def compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation, computed by the processor; its results pretend where a GPU's would."""
    name, device = func.name(), kwargs.get("device")
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    away = any(isinstance(t, Away) for t in tensors)
    assert all(isinstance(t, Away) or not t.is_meta for t in tensors), f"{name}: no data to see"
    if away and name not in CROSSING:
        checked = tree_leaves(args[: INDEXING.get(name, 0)][:1] or (args, kwargs))
        if name in INDEXING:
            checked += tree_leaves(args[2:])
            away = isinstance(args[0], Away)
        mixed = [t for t in checked if isinstance(t, Tensor) and not isinstance(t, Away)]
        if any(t.ndim for t in mixed) or (name in INDEXING and not away):
            raise RuntimeError(f"{name}: its tensors are on two devices")
    if device is not None:
        away = torch.device(device).type != "cpu"
        kwargs = kwargs | {"device": torch.device("cpu")}
    if name == "aten::copy_":
        away = isinstance(args[0], Away)
    known = {id(t.held): t for t in tensors if isinstance(t, Away)}
    real_args, real_kwargs = tree_map(real_of, (args, kwargs))
    found = func(*real_args, **real_kwargs)
    if torch.Tag.inplace_view in func.tags:  # the pretending one must change its shape as well
        with no_dispatch():
            func(*args, **kwargs)

    def wrap(t: Any) -> Any:
        if not isinstance(t, Tensor) or not away:
            return t
        return known[id(t)] if id(t) in known else Away(t)

    return tree_map(wrap, found)


def indices(key: Any) -> Any:
    """Where to look in a pretending tensor: lists as tensors."""
    if isinstance(key, tuple):
        return tuple(indices(k) for k in key)
    return torch.tensor(key).to(AWAY) if isinstance(key, list) else key


def real_of(value: Any) -> Any:
    """What lies behind a pretending tensor."""
    return value.held if isinstance(value, Away) else value


@contextmanager
def pretending() -> Iterator[None]:
    """A machine whose models are placed on `AWAY`; `cuda` itself is still said to be absent."""
    with pytest.MonkeyPatch.context() as patch, Pretend():
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        patch.setattr("modalloy.model.device.device", lambda: AWAY)
        yield
