"""Each method as peft is asked for it: its class, and what that is told of each layer's rank.

LoRA (Hu et al. 2021, 2106.09685), rsLoRA (Kalajdzievski 2023, 2312.03732), DoRA (Liu et al. 2024,
2402.09353), PiSSA (Meng et al. 2024, 2404.02948), AdaLoRA (Zhang et al. 2023, 2303.10512), (IA)^3
(Liu et al. 2022, 2205.05638), VeRA (Kopiczko et al. 2024, 2310.11454), norms alone (Qi et al. 2022,
2210.10707; Zhao et al. 2023, 2312.11420). The layers are found by us, see `places.py`.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from modalloy.job import config
from modalloy.model.adapters.places import Found

if TYPE_CHECKING:
    from peft.tuners.tuners_utils import BaseTuner

SPARE = 1.5  # times the rank that AdaLoRA ends with, which it begins with
DOUBLE = ("lora", "dora", "adalora")  # methods whose alpha is twice the rank
# What peft warns of and we see to: VeRA's matrices are in our files, norms of any kind are copied.
KNOWN = ("Specified to not save vera_A", "Unsupported layer type")
LONG = 1_000_000  # steps of a training, until they are known


def put(
    model: nn.Module,
    options: config.Adapter,
    found: Sequence[Found],
    ranks: Mapping[str, int],
    name: str,
) -> "BaseTuner":
    """Put a method's parts beside these layers of a model, in place; peft's own object.

    name: of the adapter, which its weights bear.
    """
    with warnings.catch_warnings():
        for known in KNOWN:
            warnings.filterwarnings("ignore", known, UserWarning)
        tuner, settings = asked(options, found, ranks)
        settings.target_modules = "|".join(re.escape(f.name) for f in found)
        made = tuner(model, settings, name)
    del model.peft_config  # what peft leaves for its own wrappers
    return made


def asked(
    options: config.Adapter, found: Sequence[Found], ranks: Mapping[str, int]
) -> tuple[type["BaseTuner"], Any]:
    """peft's class for a method, and its settings but for the layers' names."""
    import peft

    rank = max(ranks.values())
    alpha: Any = options.alpha or rank * (2 if options.method in DOUBLE else 1)
    match options.method:
        case "lora" | "rslora" | "dora" | "pissa":
            stable = options.method == "rslora"
            smaller = {n: r for n, r in ranks.items() if r != rank}
            settings = peft.LoraConfig(
                r=rank,
                lora_alpha=alpha,
                use_rslora=stable,
                use_dora=options.method == "dora",
                init_lora_weights="pissa" if options.method == "pissa" else True,
                rank_pattern={re.escape(n): r for n, r in smaller.items()},
                # A layer of a smaller rank acts as strongly as the others.
                alpha_pattern={
                    re.escape(n): alpha if stable else alpha * r / rank for n, r in smaller.items()
                },
            )
            return peft.LoraModel, settings
        case "adalora":
            first = max(rank + 1, round(SPARE * rank))
            settings = peft.AdaLoraConfig(
                init_r=first, target_r=rank, lora_alpha=alpha, total_step=LONG, tinit=0, tfinal=0
            )
            return peft.AdaLoraModel, settings
        case "ia3":
            down = [re.escape(f.name) for f in found if f.down]
            return peft.IA3Model, peft.IA3Config(feedforward_modules="|".join(down))
        case "vera":
            return peft.VeraModel, peft.VeraConfig(r=rank, save_projection=False)
        case "layernorm":
            return peft.LNTuningModel, peft.LNTuningConfig()
        case "head" | "last_n" | "full":
            raise AssertionError("nothing stands beside layers")
