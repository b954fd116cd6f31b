"""The sets and the methods of the bench: three encoders, one task each, and how each is adapted."""

from typing import Any, NamedTuple

LABELS = 500
TESTED = 1500  # test rows at most, the same for every method
METHODS = ("head", "full", "lora", "rslora", "dora", "adalora", "ia3", "ours")


class Case(NamedTuple):
    """A shared set: its media column and task, passes over the labels, and seeds.

    rank: of low-rank methods, so that at most 3 % of the numbers learn; layers: which ones they
    stand beside. budget_kb: of the method `ours`.
    """

    column: str
    options: dict[str, Any]
    task: dict[str, Any]
    metric: str
    first: int  # passes of the heads alone, from which every method starts
    passes: int
    seeds: tuple[int, ...]
    rank: int = 8
    layers: str = "attention"
    budget_kb: float = 200.0
    encoder_lr: float = 1e-4


CASES = {
    "banking77": Case(
        "text",
        {"type": "text", "encoder": "minilm", "max_tokens": 64},
        {"type": "classify", "target": "intent"},
        "accuracy",
        first=30,
        passes=12,
        seeds=(0, 1),
    ),
    "elpv": Case(
        "image",
        {"type": "image", "encoder": "efficientnet_lite0", "pixels": 128, "augment": "flip"},
        {"type": "classify", "target": "defective"},
        "accuracy",
        first=20,
        passes=6,
        seeds=(0, 1),
        rank=4,
        encoder_lr=3e-4,
    ),
    "maintie": Case(
        "tokens",
        {"type": "tokens", "encoder": "minilm", "max_tokens": 64},
        {"type": "tag", "target": "ner_tags", "on": "tokens"},
        "span_f1",
        first=15,
        passes=10,
        seeds=(0,),
        layers="all",  # .872 of span F1 beside .832 on the training rows that nothing learns from
        budget_kb=870.0,
        encoder_lr=2e-4,
    ),
}
