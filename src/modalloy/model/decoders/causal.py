"""A pretrained causal language model that writes after a soft prefix, which tells it of the row.

The prefix has one length for all rows, so that no row's words move with what stands beside it.
transformers is imported inside the functions: it takes seconds that other jobs never need.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.model.decoders.decoder import Decoder, Going, Memory, cache_name
from modalloy.model.layers.block import attention
from modalloy.model.trunks.huggingface import explained, known_place, quiet
from modalloy.readers.smollm2 import find_smollm2

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HEADS = 4
# Randomness that some checkpoints bring along, by the names that families give it.
STILL = (
    "attention_dropout",
    "attn_pdrop",
    "embd_pdrop",
    "resid_pdrop",
    "hidden_dropout",
    "dropout",
)


@dataclass
class CausalGoing:
    """What the network keeps of all that it has read, and the prefix while it has not."""

    prefix_NPF: Tensor | None
    cache: Any  # transformers' own, which grows in place

    def take(self, index_N: Tensor) -> Self:
        """Some of the texts."""
        if self.prefix_NPF is not None:
            return type(self)(self.prefix_NPF[index_N], self.cache)
        self.cache.reorder_cache(index_N)
        return self


class CausalDecoder(Decoder):
    """A folder's or a package's network behind `prefix` vectors made of the row's tokens.

    network: its configuration. decoder: as in the job. vocabulary: one more than the largest number
    of its tokenizer's pieces. width: of the row's tokens. JobError where transformers does not know
    the network, or it has fewer pieces than that.
    """

    def __init__(
        self, start: int, network: str, decoder: str, vocabulary: int, prefix: int, width: int
    ) -> None:
        super().__init__(start)
        self.decoder = decoder
        settings = json.loads(network)
        model = build_causal(settings, decoder)
        self.trunk = model
        self.cache_name = cache_name(model)
        self.blocks = blocks_of(model)
        pieces = model.get_input_embeddings()
        assert isinstance(pieces, nn.Embedding)
        self.logits = pieces.num_embeddings
        if vocabulary > pieces.num_embeddings:
            raise JobError(
                f"decoder {decoder}: its tokenizer has a piece of number {vocabulary - 1}, its "
                f"model has {pieces.num_embeddings} from 0; take a folder whose two parts belong "
                "together"
            )
        self.prefix = Prefix(prefix, width, pieces.embedding_dim)
        self.tied = tied_name(model)
        if self.tied:  # one tensor under two names would be written, and averaged, twice
            self.register_state_dict_post_hook(drop_tied)
            self.register_load_state_dict_pre_hook(take_tied)

    @property
    def model(self) -> "PreTrainedModel":
        """The whole network."""
        return cast("PreTrainedModel", self.trunk)

    @property
    def network(self) -> nn.Module:
        """The network without its output."""
        return self.model.base_model

    @torch.no_grad()
    def read_pretrained(self) -> None:
        """Weights of the folder or the package, in float32; the prefix begins as large as words."""
        weights = smollm2_weights() if self.decoder == "smollm2" else folder_weights(self.decoder)
        own = self.model.state_dict()
        missing = sorted(own.keys() - weights.keys())
        if missing:
            raise JobError(
                f"decoder {self.decoder}: {len(missing)} of its weights are not there, "
                f"{missing[0]} first; give the folder that save_pretrained wrote"
            )
        self.model.load_state_dict({name: weights[name] for name in own})
        pieces = self.model.get_input_embeddings().get_parameter("weight")
        self.prefix.scale.copy_(pieces.std().expand_as(self.prefix.scale))

    def forward(self, memory: Memory, y_BL: Tensor) -> Tensor:
        """(B, L, V)."""
        prefix_BPF = self.prefix(memory)
        words_BLF = self.model.get_input_embeddings()(self.shifted(y_BL))
        whole = torch.cat([prefix_BPF.to(words_BLF.dtype), words_BLF], 1)
        logits = self.model(inputs_embeds=whole, use_cache=False).logits
        return logits[:, prefix_BPF.shape[1] :]

    def begin(self, memory: Memory) -> CausalGoing:
        """The prefix of each row."""
        from transformers import DynamicCache

        return CausalGoing(self.prefix(memory), DynamicCache(config=self.model.config))

    def step(self, going: Going, ids_N: Tensor) -> Tensor:
        """(N, V)."""
        assert isinstance(going, CausalGoing)
        words_N1F = self.model.get_input_embeddings()(ids_N.unsqueeze(1))
        if going.prefix_NPF is not None:
            words_N1F = torch.cat([going.prefix_NPF.to(words_N1F.dtype), words_N1F], 1)
            going.prefix_NPF = None
        kept = {self.cache_name: going.cache}
        return self.model(inputs_embeds=words_N1F, use_cache=True, **kept).logits[:, -1]


class Prefix(nn.Module):
    """Learned questions that each look at all tokens of a row: P vectors whatever its length
    (Jaegle et al. 2021, 2103.03206)."""

    def __init__(self, vectors: int, width: int, outside: int) -> None:
        super().__init__()
        self.asked_PD = nn.Parameter(torch.randn(vectors, width) * 0.02)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.tell = nn.Linear(width, width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.out = nn.Linear(width, outside)
        self.norm_out = nn.LayerNorm(outside)
        self.scale = nn.Parameter(torch.full((1,), 0.02))

    def forward(self, memory: Memory) -> Tensor:
        """(B, P, F)."""
        asked_BPD = self.asked_PD.expand(memory.rows, -1, -1)
        q, k, v = self.query(asked_BPD), self.key(memory.x_BTD), self.value(memory.x_BTD)
        split = [x.unflatten(2, (HEADS, -1)).transpose(1, 2) for x in (q, k, v)]
        told = attention(split[0], split[1], split[2], memory.mask_BT[:, None, None, :])
        x_BPD = asked_BPD + self.tell(told.transpose(1, 2).flatten(2))
        x_BPD = x_BPD + self.down(F.gelu(self.up(self.norm(x_BPD))))
        return self.norm_out(self.out(x_BPD)) * self.scale


def tied_name(model: "PreTrainedModel") -> str:
    """The name of the output's weights where they are those of the input, "" elsewhere."""
    out = model.get_output_embeddings()
    if out is None or out.weight is not model.get_input_embeddings().weight:
        return ""
    return next(f"{name}.weight" for name, module in model.named_modules() if module is out)


def drop_tied(module: nn.Module, state: dict[str, Any], prefix: str, local: Any) -> None:
    """The output's weights are not told beside the input's."""
    state.pop(f"{prefix}trunk.{module.tied}", None)


def take_tied(
    module: nn.Module, state: dict[str, Any], prefix: str, local: Any, strict: bool, *rest: Any
) -> None:
    """The output's weights are the input's."""
    assert isinstance(module, CausalDecoder)
    pieces = module.model.get_input_embeddings()
    own = next(name for name, m in module.named_modules() if m is pieces)
    if f"{prefix}{own}.weight" in state:
        state[f"{prefix}trunk.{module.tied}"] = state[f"{prefix}{own}.weight"]


def build_causal(settings: dict[str, Any], decoder: str) -> "PreTrainedModel":
    """The network of a configuration with random weights; its own randomness is switched off."""
    import transformers

    with quiet(), explained(decoder, "decoder"):
        config = transformers.AutoConfig.for_model(**settings)
        for name in STILL:
            if isinstance(getattr(config, name, None), float):
                setattr(config, name, 0.0)
        return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def folder_weights(decoder: str) -> dict[str, Tensor]:
    """All weights of a folder, tied ones under both of their names."""
    import transformers

    name = known_place(decoder.removeprefix("hf:").strip(), "decoder")
    with quiet(), explained(decoder, "decoder"):
        model, loading = transformers.AutoModelForCausalLM.from_pretrained(
            name, dtype=torch.float32, output_loading_info=True
        )
    absent = set(loading["missing_keys"])
    return {n: t for n, t in model.state_dict().items() if n not in absent}


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The blocks of a network: its longest list of modules of one kind."""
    lists = [list(m.children()) for m in model.modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=len, default=[])


def smollm2_weights() -> dict[str, Tensor]:
    """The weights of SmolLM2-135M-Instruct under transformers' names, out of 4 and 8 bits."""
    return llama_weights(find_smollm2())


def llama_weights(path: Any) -> dict[str, Tensor]:
    """The weights of the Llama in a GGUF file under transformers' names, in float32.

    GGUF keeps the two halves of a head's queries and keys interleaved.
    """
    from gguf import GGUFReader, dequantize

    reader = GGUFReader(path)
    heads = {
        "attn_q": int(reader.fields["llama.attention.head_count"].contents()),
        "attn_k": int(reader.fields["llama.attention.head_count_kv"].contents()),
    }
    found: dict[str, Tensor] = {}
    for tensor in reader.tensors:
        x = np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        name, _, rest = tensor.name.removesuffix(".weight").partition(".")
        if name != "blk":
            found[OUTSIDE[tensor.name.removesuffix(".weight")]] = torch.from_numpy(x.copy())
            continue
        layer, part = rest.split(".")
        if part in heads:
            count = heads[part]
            x = x.reshape(count, len(x) // count // 2, 2, -1).swapaxes(1, 2).reshape(x.shape)
        found[f"model.layers.{layer}.{INSIDE[part]}.weight"] = torch.from_numpy(x.copy())
    found.setdefault("lm_head.weight", found["model.embed_tokens.weight"])
    return found


OUTSIDE = {
    "token_embd": "model.embed_tokens.weight",
    "output_norm": "model.norm.weight",
    "output": "lm_head.weight",
}
INSIDE = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
