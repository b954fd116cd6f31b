"""What trunks say of the cells of a batch, in the place of the cells: each runs once for all."""

from collections.abc import Collection
from contextlib import nullcontext

from modalloy.model.body import Body
from modalloy.model.layers.shared_norms import as_guest, stand_in
from modalloy.model.tokens import Batch


def with_trunks(body: Body, batch: Batch, names: Collection[str]) -> Batch:
    """The batch with what the trunks of these inputs say of its cells in the place of the cells, so
    that they run once for all that looks at it. Gradients reach trunks that learn.

    Trunks run in the order of the body's inputs, and where another process has rows of an input
    that this one lacks, here too, on a row that counts for nothing: a shared trunk waits for all.
    """
    values = dict(batch.values)
    for name in [n for n in body.inputs if n in names]:
        encoder, own = body.encoder(name), batch.values[name]
        seen = batch.present[name].nonzero().squeeze(1)
        if "features" in own:
            continue
        guest = not encoder.still and encoder.awaited(seen)
        if not guest and not len(seen):
            continue
        with body.number_type(name), as_guest(encoder) if guest else nullcontext():
            some = stand_in(own) if guest else {k: v[seen] for k, v in own.items()}
            found = encoder.trunk_features(some)
        # The size of a picture goes on with it: boxes that are found are put back to scale by it.
        values[name] = {k: v for k, v in own.items() if k == "size"} | {
            key: x.new_zeros((len(batch), *x.shape[1:])).index_copy(0, seen, x[: len(seen)])
            for key, x in found.items()
        }
    return Batch(values, batch.present, batch.targets, batch.rows)
