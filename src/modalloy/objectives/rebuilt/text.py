"""Texts: one place a word piece, hidden as the tokenizer's mask; the head is tied to the pieces."""

import json
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.model.encoders.text import TextEncoder
from modalloy.objectives.rebuilt.rebuilt import Rebuilt, at_hidden
from modalloy.readers.text import SPECIAL, TextReader

MASKS = ("[MASK]", "<mask>")  # of BERT and its kin, and of RoBERTa's


class RebuiltText(Rebuilt):
    """Word pieces of one column: masked-language modelling (Devlin et al. 2018, 1810.04805).

    Logits are products with the vectors of the pieces, the encoder's own (Press & Wolf 2016,
    1608.05859), so that a pretrained encoder goes on where its head would. Every hidden piece is
    the mask; where a tokenizer knows none, it is padding that can be seen.
    """

    own_tokens = True

    def __init__(self, encoder: TextEncoder, reader: TextReader, width: int) -> None:
        super().__init__()
        self.most = reader.max_tokens
        self.mask = mask_of(reader)
        vectors = encoder.pieces
        self.pieces = [vectors]  # in a list: its weights are the encoder's
        size = vectors.embedding_dim
        self.inward, self.norm = nn.Linear(width, size), nn.LayerNorm(size)
        self.scale = size**-0.5 / float(vectors.weight.detach().std())
        self.bias_V = nn.Parameter(torch.zeros(vectors.num_embeddings))

    def there(self, values: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """Pieces of words, not those that only mark a start or an end."""
        return values["mask"] & (values["shape"] != SPECIAL) & present[:, None]

    def hide(self, values: Mapping[str, Tensor], hidden_BP: Tensor) -> dict[str, Tensor]:
        """The mask in place of pieces and of how they are written."""
        ids = values["ids"].masked_fill(hidden_BP, self.mask)
        return {**values, "ids": ids, "shape": values["shape"].masked_fill(hidden_BP, SPECIAL)}

    def loss(self, z_BPE: Tensor, values: Mapping[str, Tensor], hidden_BP: Tensor) -> Tensor:
        """(B, P): cross-entropy over the logarithm of the number of pieces, of hidden ones alone;
        a batch without any gives zeros.
        """
        z_NF = self.norm(F.gelu(self.inward(z_BPE[hidden_BP])))
        vectors_VF = self.pieces[0].weight
        logits_NV = z_NF @ vectors_VF.t() * self.scale + self.bias_V
        cost_N = F.cross_entropy(logits_NV, values["ids"][hidden_BP], reduction="none")
        cost_N = cost_N / math.log(max(2, len(vectors_VF)))
        return at_hidden(cost_N, hidden_BP, z_BPE)


def mask_of(reader: TextReader) -> int:
    """The number of the mask in a reader's tokenizer, 0 where it has none."""
    known = json.loads(reader.tokenizer)
    named = {t["content"]: t["id"] for t in known.get("added_tokens", ())}
    vocab = known["model"].get("vocab", {})
    named |= {w: vocab[w] for w in MASKS if isinstance(vocab, dict) and w in vocab}
    return next((int(named[word]) for word in MASKS if word in named), 0)
