"""What finds boxes in a DETR or RT-DETR checkpoint: its queries, its decoder and its box heads.

Both are run on the maps that their own encoder made, which is the trunk of an image column. Classes
are named anew: one whose name the checkpoint knows begins as it is there, the others from nothing.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.errors import JobError
from modalloy.model.trunks.huggingface import adjust, explained, known_place, quiet

DETECTORS = {"detr": "DetrForObjectDetection", "rt_detr": "RTDetrForObjectDetection"}
TAKEN_BY = {  # parts that the encoder has already, and such as are never asked
    "detr": ("backbone", "input_projection", "encoder"),
    "rt_detr": ("backbone", "encoder_input_proj", "encoder", "denoising_class_embed"),
}
Said = list[tuple[Tensor, Tensor]]
Net = Any  # `DetrForObjectDetection` or `RTDetrForObjectDetection`


class Detector(nn.Module):
    """The part of a checkpoint behind its encoder; maps in, sets of boxes out.

    family: `detr` or `rt_detr`. queries: how many it has; of DETR at most.
    """

    def __init__(self, net: Net, family: str, names: Sequence[str]) -> None:
        super().__init__()
        self.family = family
        labels = net.config.id2label.items()  # in the order of the file, which may be a text's
        known = [name for _, name in sorted((int(i), str(n).strip()) for i, n in labels)]
        for name in TAKEN_BY[family]:
            if hasattr(net.model, name):
                setattr(net.model, name, nn.Identity())
        rename_classes(net, family, known, names)
        self.net: Net = net

    @property
    def queries(self) -> int:
        """How many boxes it can find on one picture."""
        return self.net.config.num_queries

    def take_queries(self, queries: int, task: str) -> None:
        """Use so many queries; JobError where DETR learned fewer."""
        if self.family == "detr":
            if queries > self.queries:
                raise JobError(
                    f"tasks.{task}.queries: the checkpoint has {self.queries} queries, not "
                    f"{queries}; set queries: {self.queries} or fewer, or leave it out"
                )
            own = self.net.model.query_position_embeddings
            kept = nn.Embedding(queries, own.embedding_dim)
            with torch.no_grad():
                kept.weight.copy_(own.weight[:queries])
            self.net.model.query_position_embeddings = kept
        self.net.config.num_queries = queries

    def refuse_few_cells(self, queries: int, pixels: int, task: str) -> None:
        """JobError where RT-DETR's maps have fewer cells than queries, which begin at its best."""
        strides: Sequence[int] = getattr(self.net.config, "feat_strides", ())
        cells = sum(math.ceil(pixels / stride) ** 2 for stride in strides)
        if self.family == "rt_detr" and queries > cells:
            raise JobError(
                f"tasks.{task}.queries: pictures of {pixels} pixels have {cells} cells, and the "
                f"{queries} queries begin at one each; set queries: {cells} or fewer, or more "
                "pixels"
            )

    def forward(self, maps: Sequence[Tensor]) -> Said:
        """Logits (B, Q, C + 1), the last of which is nothing, and boxes (B, Q, 4), middle and size
        as shares of the picture, of each layer; of RT-DETR those of its encoder first.
        """
        if self.family == "detr":
            return detr_sets(self.net, maps[-1])
        return rt_detr_sets(self.net, maps)


def detr_sets(net: Net, map_BFHW: Tensor) -> Said:
    """What DETR's decoder says on the map of its encoder, layer by layer."""
    model = net.model
    rows = map_BFHW.shape[0]
    # A copy: transformers keeps the table, and one made for prediction cannot serve training.
    place_BTF = model.position_embedding(
        shape=map_BFHW.shape, device=map_BFHW.device, dtype=map_BFHW.dtype
    )
    place_BTF = place_BTF.flatten(2).transpose(1, 2).clone()
    query_BQF = model.query_position_embeddings.weight.expand(rows, -1, -1)
    x_BQF, found = torch.zeros_like(query_BQF), []
    for layer in model.decoder.layers:
        x_BQF = layer(x_BQF, None, place_BTF, query_BQF, map_BFHW.flatten(2).transpose(1, 2))
        z_BQF = model.decoder.layernorm(x_BQF)
        found.append((net.class_labels_classifier(z_BQF), net.bbox_predictor(z_BQF).sigmoid()))
    return found


def rt_detr_sets(net: Net, maps: Sequence[Tensor]) -> Said:
    """What RT-DETR says on the maps of its hybrid encoder. Its classes are each true or not; beside
    them nothing has the logit 0, so that with one class softmax and sigmoid are the same.
    """
    out = net.model(None, inputs_embeds=maps[-1], encoder_outputs=(list(maps),))
    logits, boxes = out.intermediate_logits, out.intermediate_reference_points
    sets = [(out.enc_topk_logits, out.enc_topk_bboxes)]
    sets += zip(logits.unbind(1), boxes.unbind(1), strict=True)
    return [(F.pad(said, (0, 1)), found) for said, found in sets]


def rename_classes(net: Net, family: str, known: Sequence[str], names: Sequence[str]) -> None:
    """Put heads of these classes in place of a checkpoint's; of a name that it knows, its own."""
    if family == "detr":
        old = net.class_labels_classifier
        net.class_labels_classifier = renamed(old, known, names)
        return
    net.model.enc_score_head = renamed(net.model.enc_score_head, known, names)
    heads = net.model.decoder.class_embed
    net.model.decoder.class_embed = nn.ModuleList(renamed(h, known, names) for h in heads)


@torch.no_grad()
def renamed(old: nn.Linear, known: Sequence[str], names: Sequence[str]) -> nn.Linear:
    """A linear map to the classes of these names, and to nothing where the old one has that."""
    extra = old.out_features - len(known)
    new = nn.Linear(old.in_features, len(names) + extra)
    nn.init.xavier_uniform_(new.weight)
    new.bias.copy_(old.bias[: len(known)].mean().expand(len(names) + extra))
    pairs = [(i, known.index(n)) for i, n in enumerate(names) if n in known]
    pairs += [(len(names) + i, len(known) + i) for i in range(extra)]
    for i, j in pairs:
        new.weight[i], new.bias[i] = old.weight[j], old.bias[j]
    return new


def load_detector(encoder: str, family: str, names: Sequence[str]) -> Detector:
    """The detector of the folder (or hub repository) that `hf:...` names, with its weights.

    JobError where the folder holds an encoder alone.
    """
    import transformers

    name = known_place(encoder.removeprefix("hf:").strip())
    with quiet(), explained(encoder):
        config = transformers.AutoConfig.from_pretrained(name)
        adjust(config)
        net, loading = getattr(transformers, DETECTORS[family]).from_pretrained(
            name, config=config, dtype=torch.float32, output_loading_info=True
        )
    missing = sorted(loading["missing_keys"])
    if missing:
        raise JobError(
            f"encoder {encoder}: the folder holds no boxes to go on from: {missing[0]} is the "
            f"first of {len(missing)} weights that it lacks; give a folder that "
            f"{DETECTORS[family]}.save_pretrained wrote, or take head: dense"
        )
    return Detector(net, family, names)


def build_detector(described: dict[str, Any], names: Sequence[str]) -> Detector:
    """The same with random weights, from what a run keeps of its trunk; its own come later."""
    import transformers

    family = described["family"]
    kind = getattr(transformers, DETECTORS[family])
    with quiet():
        return Detector(kind(kind.config_class.from_dict(described["model"])), family, names)
