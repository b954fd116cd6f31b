"""Word pieces in, one token a piece and a summary out; one pooled token where that is enough."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.encoders.encoder import Encoder, pool
from modalloy.model.layers.block import Block
from modalloy.model.layers.dropout import Dropout
from modalloy.model.layers.scale import FROZEN_DROPOUT, Standardise
from modalloy.model.tokens import Tokens
from modalloy.model.trunks.dual import PAIRED
from modalloy.model.trunks.huggingface import build_trunk, load_trunk
from modalloy.model.trunks.pretrained import read_weights
from modalloy.model.trunks.trunk import Trunk, from_transformers, model_type, set_trainable
from modalloy.readers.text import TextReader

if TYPE_CHECKING:
    from transformers import CLIPTextModel, PreTrainedModel

SIZES = {"small": (128, 2, 4), "base": (256, 4, 8)}  # width, blocks, heads from scratch
SHAPES = 7  # letter-case classes of the reader
MINILM = {  # sentence-transformers/all-MiniLM-L6-v2
    "vocab_size": 30_522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
    "attention_probs_dropout_prob": 0.0,  # with it CPUs lose the fused attention while training
}


class TextEncoder(Encoder):
    """A transformer over word pieces.

    An uncased trunk still sees letter case: the class of each piece's word has a vector of its own,
    zero at the start under a pretrained trunk. Where the trunk changes it is added to the pieces
    before the trunk, else to the tokens behind it. A frozen trunk keeps only its mean state for
    each row, unless the column is of type `tokens`, whose pieces are tagged.
    """

    def __init__(
        self,
        reader: TextReader,
        options: config.Text,
        width: int,
        *,
        pretrained: bool,
        trunk_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(width)
        self.trunk_config: dict[str, Any] | None = None
        if options.encoder == "scratch":
            self.scratch = ScratchText(reader.vocabulary, reader.max_tokens, options.size)
            inside = outside = SIZES[options.size][0]
            self.blocks = list(self.scratch.blocks)
        else:
            trunk = open_trunk(reader, options, pretrained, trunk_config)
            set_trainable(trunk, options, reader.name)
            self.trunk, self.trunk_config = trunk.module, trunk.config
            self.blocks = trunk.blocks
            inside = self.pieces.embedding_dim
            outside = from_transformers(trunk.module).config.hidden_size
            if model_type(trunk.module) in PAIRED:
                self.paired_width = outside
        self.frozen = self.trunk is not None and options.tune == "frozen"
        self.pooled = self.frozen and reader.kind == "text"
        # Gradients into the input would have to pass all blocks that `last_n` holds still.
        self.shape_first = self.trunk is None or options.tune not in ("frozen", "last_n")
        if not self.pooled:
            self.shape_CF = nn.Embedding(SHAPES, inside if self.shape_first else width)
            nn.init.zeros_(self.shape_CF.weight)
        self.scale: nn.Module = nn.LayerNorm(outside)
        if self.pooled:
            self.scale = Standardise(outside, dropout=FROZEN_DROPOUT)
        self.project = nn.Linear(outside, width)
        self.summarise = nn.Linear(outside if self.trunk is not None else 2 * outside, width)

    @property
    def reading(self) -> list[str]:
        """The network, and letter case where the first block takes it."""
        return [*super().reading, "shape_CF."] if self.shape_first else super().reading

    @property
    def network(self) -> nn.Module:
        """The trunk, or the network from scratch."""
        return self.scratch if self.trunk is None else self.trunk

    @property
    def pieces(self) -> nn.Embedding:
        """The vector of each piece, as the first block takes it."""
        if self.trunk is None:
            return self.scratch.pieces_VF
        pieces = from_transformers(self.trunk).get_input_embeddings()
        assert isinstance(pieces, nn.Embedding)
        return pieces

    def features(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Last states (B, L, F) with mask and words; of a pooled trunk the mean state (B, 1, F).

        A tower of CLIP or SigLIP adds `paired`, (B, F). Where the values hold `moved`, (B, L, F),
        it is added to the vectors of the pieces.
        """
        mask_BL, shape_BLF = values["mask"], None
        if self.shape_first and not self.pooled:
            shape_BLF = self.shape_CF(values["shape"])
        if "moved" in values:
            shape_BLF = values["moved"] + (0.0 if shape_BLF is None else shape_BLF)
        kept: dict[str, Tensor] = {}
        if self.trunk is None:
            states_BLF = self.scratch(values["ids"], mask_BL, shape_BLF)
        elif self.paired_width is not None:
            trunk = from_transformers(self.trunk)
            states_BLF, kept["paired"] = run_tower(trunk, values["ids"], mask_BL, shape_BLF)
        else:
            trunk = from_transformers(self.trunk)
            states_BLF = run_trunk(trunk, values["ids"], mask_BL, shape_BLF)
        if self.pooled:
            return {"features": pool(states_BLF, mask_BL).unsqueeze(1), **kept}
        kept |= {k: values[k] for k in ("mask", "shape", "words") if k in values}
        return {"features": states_BLF, **kept}

    def pooled_features(self, features: Mapping[str, Tensor]) -> Tensor:
        """Mean state of the pieces that exist, as sentence encoders are trained to be read."""
        if self.pooled:
            return features["features"].squeeze(1)
        return pool(features["features"], features["mask"])

    def paired_features(self, features: Mapping[str, Tensor]) -> Tensor:
        """The state at the end of a text: CLIP's at its last piece, SigLIP's in its last place."""
        return features["paired"]

    def embed(self, features: Mapping[str, Tensor]) -> Tokens:
        """One token a piece, or one a row from pooled features; the summary from their mean."""
        z_BLF = self.scale(features["features"])
        mask_BL = features.get("mask", z_BLF.new_ones(z_BLF.shape[:2], dtype=torch.bool))
        x_BLD = self.project(z_BLF)
        if not self.shape_first and not self.pooled:
            x_BLD = x_BLD + self.shape_CF(features["shape"])
        summary_BF = pool(z_BLF, mask_BL)
        if self.trunk is None:  # a word that decides alone is seen best by the maximum
            highest_BF = z_BLF.masked_fill(~mask_BL.unsqueeze(-1), -torch.inf).amax(1)
            summary_BF = torch.cat([summary_BF, highest_BF], dim=1)
        return Tokens(x_BLD, mask_BL, self.summarise(summary_BF), features.get("words"))


class ScratchText(nn.Module):
    """A small pre-norm transformer over learned pieces and positions."""

    def __init__(self, vocabulary: int, length: int, size: str, dropout: float = 0.1) -> None:
        super().__init__()
        width, blocks, heads = SIZES[size]
        self.pieces_VF = nn.Embedding(vocabulary, width)
        self.places_LF = nn.Parameter(torch.randn(length, width) * 0.02)
        nn.init.normal_(self.pieces_VF.weight, std=0.1)
        self.drop = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(blocks))

    def forward(self, ids_BL: Tensor, mask_BL: Tensor, shape_BLF: Tensor) -> Tensor:
        """States (B, L, F)."""
        x_BLF = self.pieces_VF(ids_BL) + self.places_LF[: ids_BL.shape[1]] + shape_BLF
        x_BLF = self.drop(x_BLF)
        for block in self.blocks:
            x_BLF = block(x_BLF, mask_BL)
        return x_BLF


def open_trunk(
    reader: TextReader, options: config.Text, pretrained: bool, described: dict[str, Any] | None
) -> Trunk:
    """The pretrained trunk; JobError where the tokenizer knows pieces that it does not."""
    if options.encoder == "minilm":
        from transformers import BertConfig, BertModel  # seconds that other jobs never need

        model = BertModel(BertConfig(**MINILM), add_pooling_layer=False)
        if pretrained:
            weights = read_weights("minilm")
            own = model.state_dict().keys()
            model.load_state_dict({k: weights[k] for k in own})
        trunk = Trunk(model, list(model.encoder.layer))
    elif described is not None and not pretrained:
        trunk = build_trunk(described)
    else:
        trunk = load_trunk("text", options.encoder)
    known = from_transformers(trunk.module).config.vocab_size
    if reader.vocabulary > known:
        raise JobError(
            f"columns.{reader.name}: the tokenizer of {options.encoder} has {reader.vocabulary} "
            f"pieces, its model {known}; take a folder whose two parts belong together"
        )
    return trunk


def run_trunk(
    trunk: "PreTrainedModel", ids_BL: Tensor, mask_BL: Tensor, shape_BLF: Tensor | None
) -> Tensor:
    """Last states (B, L, F) of a transformers text model, with letter case added to its input."""
    x_BLF = pieces_of(trunk, ids_BL, shape_BLF)
    return trunk(inputs_embeds=x_BLF, attention_mask=mask_BL).last_hidden_state


def pieces_of(trunk: "PreTrainedModel", ids_BL: Tensor, shape_BLF: Tensor | None) -> Tensor:
    """The vectors of pieces (B, L, F) with letter case added."""
    x_BLF = trunk.get_input_embeddings()(ids_BL)
    return x_BLF if shape_BLF is None else x_BLF + shape_BLF


def run_tower(
    trunk: "PreTrainedModel", ids_BL: Tensor, mask_BL: Tensor, shape_BLF: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Last states (B, L, F) of the text tower of CLIP or SigLIP, and the state that its projection
    reads (B, F). Such towers take ids alone, so their three steps are taken here.
    """
    length, x_BLF = ids_BL.shape[1], pieces_of(trunk, ids_BL, shape_BLF)
    if is_clip(trunk):  # it looks back only
        back_LL = torch.ones(length, length, dtype=torch.bool, device=ids_BL.device).tril()
        states_BLF = through(trunk, x_BLF, back_LL & mask_BL[:, None, None, :])
        last_B11 = ends_of(trunk, ids_BL, mask_BL)[:, None, None]
        last_B1F = last_B11.expand(-1, 1, states_BLF.shape[2])
        return states_BLF, states_BLF.gather(1, last_B1F).squeeze(1)
    # SigLIP learned from texts filled up to one length, and looks at what they are filled with.
    settings = trunk.config
    filler_F = trunk.get_input_embeddings()(ids_BL.new_tensor(settings.pad_token_id))
    x_BLF = torch.where(mask_BL.unsqueeze(2), x_BLF, filler_F)
    more = settings.max_position_embeddings - length
    filler_BLF = filler_F.expand(ids_BL.shape[0], max(more, 0), -1)
    states_BLF = through(trunk, torch.cat([x_BLF, filler_BLF], dim=1), None)
    return states_BLF[:, :length], states_BLF[:, -1]


def through(trunk: "PreTrainedModel", x_BLF: Tensor, seen: Tensor | None) -> Tensor:
    """The three steps of a text tower: places, blocks, norm."""
    x_BLF = trunk.get_submodule("embeddings")(inputs_embeds=x_BLF)
    found = trunk.get_submodule("encoder")(inputs_embeds=x_BLF, attention_mask=seen)
    return trunk.get_submodule("final_layer_norm")(found.last_hidden_state)


def ends_of(trunk: "PreTrainedModel", ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
    """Where CLIP takes the state of a whole text from, (B,): the first end mark, or the last piece
    of a text without one. Early checkpoints name another mark than their texts end with: the
    highest id then ends them.
    """
    end = trunk.config.eos_token_id
    if end == 2:
        return torch.where(mask_BL, ids_BL, -1).argmax(1)
    ends_BL = (ids_BL == end) & mask_BL
    last_B = mask_BL.sum(1) - 1
    return torch.where(ends_BL.any(1), ends_BL.int().argmax(1), last_B)


def is_clip(trunk: nn.Module) -> TypeGuard["CLIPTextModel"]:
    """Whether a trunk of transformers is CLIP's text tower."""
    return model_type(trunk) == "clip_text_model"
