"""What trunks say of the cells of a batch, in the place of the cells: each runs once for all."""

from collections.abc import Collection

from modalloy.model.body import Body
from modalloy.model.tokens import Batch


def with_trunks(body: Body, batch: Batch, names: Collection[str]) -> Batch:
    """The batch with what the trunks of these inputs say of its cells in the place of the cells, so
    that they run once for all that looks at it. Gradients reach trunks that learn.
    """
    values = dict(batch.values)
    for name in names:
        encoder, own = body.encoder(name), batch.values[name]
        seen = batch.present[name].nonzero().squeeze(1)
        if "features" in own or not len(seen):
            continue
        values[name] = {
            key: x.new_zeros((len(batch), *x.shape[1:])).index_copy(0, seen, x)
            for key, x in encoder.trunk_features({k: v[seen] for k, v in own.items()}).items()
        }
    return Batch(values, batch.present, batch.targets, batch.rows)
