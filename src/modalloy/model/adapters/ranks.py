"""What was given to each layer and each column of an adapted model, as data."""

from typing import Any

from modalloy.model.adapters.attach import column_of, own_parameters
from modalloy.model.adapters.product import AS_LORA, layer_of, product
from modalloy.model.body import Body


def told_ranks(model: Body) -> dict[str, Any]:
    """Which column needed how much: method, ranks of layers, and by column ranks and numbers.

    Of AdaLoRA what is left counts, of PiSSA what it began with. `columns` is ordered by capacity;
    what no single column has is called `fusion`; `owners` says whose each layer is. Under a budget
    `asked` says how much the layers of a column asked for: the squared length of their gradients
    that both halves of the rows agree on.
    """
    adapted = model.adapted
    assert adapted is not None, "nothing is attached"
    layers: dict[str, int] = {}
    columns: dict[str, dict[str, float]] = {}
    for name, rank in adapted.layers.items():
        method = adapted.place_of(name).options.method
        if method in AS_LORA:
            rank = len(product(layer_of(model, name), None).down)
        layers[name] = rank
        own = columns.setdefault(column_of(model, name), {"rank": 0, "layers": 0, "numbers": 0})
        own["rank"] += rank
        own["layers"] += rank > 0 or method not in AS_LORA
    for name, worth in adapted.worth.items():
        column = column_of(model, name)
        own = columns.setdefault(column, {"rank": 0, "layers": 0, "numbers": 0})
        own["asked"] = own.get("asked", 0.0) + worth
    learned = own_parameters(model, adapted)
    ids = {id(p): n for n, p in model.named_parameters()}
    for p in learned:
        columns[column_of(model, ids[id(p)])]["numbers"] += p.numel()
    methods = dict.fromkeys(place.options.method for place in adapted.places)
    order = sorted(columns, key=lambda c: (-columns[c]["rank"], -columns[c]["numbers"]))
    return {
        "method": ", ".join(methods),
        "layers": layers,
        "owners": {name: column_of(model, name) for name in layers},
        "columns": {name: columns[name] for name in order},
        "learned": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
