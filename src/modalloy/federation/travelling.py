"""Which weights of a model travel: those that learn, in blocks of one input each, less what a site
keeps for itself.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from modalloy.errors import FederationError, JobError
from modalloy.model.adapters.attach import HEADS
from modalloy.model.layers.named import key
from modalloy.model.layers.scale import Standardise
from modalloy.model.model import Model
from modalloy.readers.batch import TABLE

Arrays = dict[str, np.ndarray]
FIGURES = (nn.BatchNorm1d, nn.BatchNorm2d)
NORMS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.RMSNorm)
# Where several factors learn, their mean is not the mean of their products: one of them stands.
EXACT = ("lora", "rslora", "pissa", "vera", "ia3", "layernorm")
STILL = ("lora_A", "vera_lambda_d")


def hold_factors(model: Model) -> None:
    """Let one factor of what stands beside layers learn, and the others stand as they begin.

    The mean of sites' factors then is exactly the mean of what they add to the weights (FFA-LoRA,
    Sun et al. 2024, 2403.12313). FederationError for methods of which that cannot be had.
    """
    if model.adapted is None:
        return
    for place in model.adapted.places:
        method = place.options.method
        if method not in EXACT:
            raise FederationError(
                f"{place.whose}: the mean of several sites' {method} parts is not the mean of what "
                f"they add to the weights; take one of {', '.join(EXACT)}"
            )
    for name, p in model.named_parameters():
        if any(part in name for part in STILL):
            p.requires_grad_(False)


def travelling(model: Model, personal: Sequence[str] = ()) -> list[str]:
    """Names of the weights that sites send: what learns and running figures of norms, in order."""
    own = personal_names(model, personal)
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    for path, module in model.named_modules():
        if isinstance(module, FIGURES):
            names += [f"{path}.running_mean", f"{path}.running_var"]
    return [n for n in names if n not in own]


def personal_names(model: Model, personal: Sequence[str]) -> set[str]:
    """Names of the weights that stay at a site. JobError for what is no part of the model."""
    found: set[str] = set()
    for part in personal:
        if part == "heads":
            found |= {n for n, _ in model.named_parameters() if n.startswith(HEADS)}
        elif part == "norms":
            for path, module in model.named_modules():
                if isinstance(module, NORMS):
                    found |= {f"{path}.{n}" for n in module.state_dict()}
        elif part in model.encoders:
            front = f"encoders.{key(part)}."
            found |= {n for n in model.state_dict() if n.startswith(front)}
        else:
            raise JobError(
                f"federate.personal: '{part}' is none of heads, norms, "
                f"{', '.join(model.encoders.names)}."
            )
    return found


def fitted_figures(model: Model) -> list[str]:
    """Names of what encoders take from rows before any learning, such as random convolutions."""
    found = []
    for name, encoder in model.encoders.items():
        if encoder.fits:
            front = f"encoders.{key(name)}."
            learns = {n for n, p in model.named_parameters() if p.requires_grad}
            learns |= {f"{path}.{part}" for path, m in model.named_modules()
                       if isinstance(m, Standardise) for part in m.state_dict()}  # fmt: skip
            found += [n for n in model.state_dict() if n.startswith(front) and n not in learns]
    return found


def blocks(model: Model, names: Sequence[str]) -> dict[str, list[str]]:
    """Weights of the encoder of each input, those of plain columns among them; the rest is shared
    by all and stands in none."""
    found = {}
    for name in model.encoders.names:
        fronts = [f"encoders.{key(name)}."]
        fronts += [f"auxiliary.{key(t)}.{key(name)}." for t in model.auxiliary.names]
        own = [n for n in names if n.startswith(tuple(fronts))]
        if own:
            found[name] = own
    return found


def lacking(model: Model, has: Sequence[str]) -> set[str]:
    """Inputs of which a site has no column; of plain ones, where it has none of them all."""
    tabular = {n for n in model.readers if n not in model.inputs}
    gone = {n for n in model.encoders.names if n != TABLE and n not in has}
    return gone | ({TABLE} if TABLE in model.inputs and not tabular & set(has) else set())


def weights_of(model: Model, names: Sequence[str]) -> Arrays:
    """Copies of these weights, float32 (figures keep their type)."""
    state = model.state_dict()
    return {n: state[n].detach().cpu().numpy().copy() for n in names}


@torch.no_grad()
def take_weights(model: Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Put weights into a model; FederationError for one that it lacks or that has another shape."""
    state = model.state_dict()
    for name, x in arrays.items():
        if name not in state or tuple(state[name].shape) != x.shape:
            raise FederationError(
                f"weights '{name}' of the server do not fit this site's model; give both the same "
                "job and version"
            )
        state[name].copy_(torch.from_numpy(np.array(x)))


def personal_of(model: Model, own: list[str]) -> list[str]:
    """Weights that learn and stay at the site."""
    sent = set(own)
    return [n for n in travelling(model) if n not in sent]


def frozen_print(model: Model, travels: list[str], fits: list[str]) -> str:
    """A print of all that neither travels nor is fitted anew: sites must build on the same."""
    found = hashlib.sha256()
    skip = {*travels, *fits}
    for name, x in model.state_dict().items():
        if name not in skip:
            found.update(name.encode())
            found.update(np.ascontiguousarray(x.detach().cpu().numpy()).tobytes())
    return found.hexdigest()[:16]
