from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.model.encoders.category import UNKNOWN, CategoryEmbedding
from modalloy.model.encoders.number import NumberEmbedding, Periodic, Piecewise
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.tokens import Tokens
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.target_means import FOLDS, LearnedAnswers, fold_of
from modalloy.readers.time import TimeReader

OPTIONS: dict[str, Any] = {
    "when": config.Time(cycles=("week",)),
    "site": config.Category(min_count=1),
    "load": config.Number(bins=6),
    "heat": config.Number(embed="periodic", bins=4),
    "flow": config.Number(embed="linear"),
    "seen": config.Time(),
    "lone": config.Number(bins=3),
}
READERS = {"number": NumberReader, "category": CategoryReader, "time": TimeReader}


def make_cells(rows: int = 40) -> Cells:
    rng = np.random.default_rng(0)
    days = [datetime(2024, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 300, rows)]
    numbers = {n: list(rng.normal(size=rows)) for n in ("load", "heat", "flow")}
    sites = [str(s) for s in rng.choice(["a", "b", "c"], rows)]
    return Cells({"when": days, "site": sites, **numbers, "seen": days, "lone": [5.0] * rows})


def make_encoder(
    width: int = 16, options: dict[str, Any] = OPTIONS
) -> tuple[TableEncoder, dict[str, Tensor], Tensor]:
    """An encoder of all seven columns with its readers in a mixed order, and a batch of 40 rows."""
    torch.manual_seed(0)
    cells = make_cells()
    readers = [READERS[o.type].fit(n, o, cells) for n, o in options.items()]
    values = {}
    for kind in READERS:
        arrays = [r.read(cells).values["x"] for r in readers if r.kind == kind]
        most = max((a.shape[1] for a in arrays if a.ndim > 1), default=0)
        arrays = [np.pad(a, ((0, 0), (0, most - a.shape[1]))) if most else a for a in arrays]
        values[kind] = torch.from_numpy(np.stack(arrays, 1))
    return TableEncoder(readers, options, width), values, torch.ones(40, 7, dtype=torch.bool)


def take(values: dict[str, Tensor], rows: slice | Tensor) -> dict[str, Tensor]:
    return {n: v[rows] for n, v in values.items()}


def same(a: Tokens, b: Tokens) -> bool:
    pairs = [(a.x_BTD, b.x_BTD), (a.summary_BD, b.summary_BD)]
    return all(torch.allclose(x, y, atol=1e-5) for x, y in pairs)


def test_one_token_a_column_in_the_order_of_present() -> None:
    encoder, values, present = make_encoder()
    assert encoder.columns == ["load", "heat", "flow", "lone", "site", "when", "seen"]
    tokens = encoder.eval()(values, present)
    assert tokens.x_BTD.shape == (40, 7, 16)
    assert tokens.summary_BD.shape == (40, 16)
    for n in range(7):
        fewer = present.clone()
        fewer[:, n] = False
        changed = (encoder(values, fewer).x_BTD - tokens.x_BTD).abs().amax((0, 2)) > 0
        assert changed.tolist() == [i == n for i in range(7)]


def test_each_column_has_a_vector_of_its_own_size() -> None:
    wide = {"load": "base", "site": "base", "when": "base"}
    options = {n: o.model_copy(update={"size": wide.get(n, "small")}) for n, o in OPTIONS.items()}
    encoder, values, present = make_encoder(options=options)
    present[::2] = False
    tokens = encoder(values, present)
    (tokens.x_BTD.square().sum() + tokens.summary_BD.square().sum()).backward()
    used = [32 if n in wide else 12 for n in encoder.columns]
    for parameter in (encoder.absent_Nd, encoder.token_NdD):
        moved = parameter.grad.abs().reshape(7, 32, -1).amax(2) > 0
        assert moved.sum(1).tolist() == used
        assert all(moved[n, :k].all() for n, k in enumerate(used))


def test_columns_of_one_size_are_as_wide_as_it() -> None:
    small, _, _ = make_encoder()
    base, _, _ = make_encoder(
        options={n: o.model_copy(update={"size": "base"}) for n, o in OPTIONS.items()}
    )
    assert [e.inward.in_features for e in (small, base)] == [7 * 12, 7 * 32]


def test_a_row_alone_is_the_row_in_a_batch() -> None:
    encoder, values, present = make_encoder()
    encoder.eval()
    present[::3, 1] = False
    whole = encoder(values, present)
    for row in range(6):
        alone = encoder(take(values, slice(row, row + 1)), present[row : row + 1])
        one = Tokens(whole.x_BTD[[row]], whole.mask_BT[[row]], whole.summary_BD[[row]])
        assert same(alone, one)


def test_absent_cells_may_hold_anything() -> None:
    encoder, values, present = make_encoder()
    encoder.eval()
    present = torch.rand(present.shape) < 0.5
    garbage = {
        "number": values["number"].masked_fill(~present[:, :4], 1e3),
        "category": values["category"].masked_fill(~present[:, 4:5], 0),
        "time": values["time"].masked_fill(~present[:, 5:, None], -1e3),
    }
    assert same(encoder(values, present), encoder(garbage, present))


def test_a_row_without_any_cell_has_the_absent_tokens() -> None:
    encoder, values, present = make_encoder()
    encoder.eval()
    present[3] = False
    tokens = encoder(values, present)
    absent = encoder.absent(1)
    assert absent.mask_BT.all()
    assert torch.allclose(tokens.summary_BD[3], absent.summary_BD[0], atol=1e-5)
    assert torch.allclose(tokens.x_BTD[3], absent.x_BTD[0], atol=1e-5)


def test_gradients_are_finite_and_reach_every_column() -> None:
    encoder, values, present = make_encoder()
    present[::2, ::2] = False
    tokens = encoder.train()(values, present)
    ((tokens.summary_BD * torch.randn(16)).sum() + tokens.x_BTD.square().sum()).backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert (parameter.grad != 0).any(), name


def test_piecewise_agrees_with_the_plain_formula() -> None:
    torch.manual_seed(0)
    edges = [(-1.0, 0.0, 0.5, 2.0), (0.0, 1.0)]
    module = Piecewise(edges, 5)
    x_BN = torch.tensor([[-2.0, 0.3], [0.25, 3.0], [1.0, -1.0]])
    found = module(x_BN)
    for row in range(3):
        for n, e in enumerate(edges):
            x = x_BN[row, n].item()
            ways = [np.clip((x - a) / (b - a), 0, 1) for a, b in pairwise(e)]
            ways = ways + [0.0] * (3 - len(ways)) + [x]
            weight = module.linear.weight_NFd[n].detach().double()
            out = torch.tensor(ways).double() @ weight + module.linear.bias_Nd[n].detach()
            assert torch.allclose(found[row, n].double(), out.clamp_min(0), atol=1e-5)


def test_periodic_agrees_with_the_plain_formula() -> None:
    torch.manual_seed(0)
    frequencies = [2, 5]
    module = Periodic(frequencies, 4)
    x_BN = torch.tensor([[-2.0, 0.3], [0.25, 3.0], [1.0, -1.0]])
    found = module(x_BN)
    for row in range(3):
        for n, count in enumerate(frequencies):
            expected = module.linear.bias_Nd[n].detach().double()
            for f in range(count):
                turns = 2 * np.pi * module.rate_NF[n, f].item() * x_BN[row, n].item()
                sine, cosine = module.linear.weight_NFd[n, [f, 5 + f]].detach().double()
                expected = expected + np.sin(turns) * sine + np.cos(turns) * cosine
            assert torch.allclose(found[row, n].double(), expected.clamp_min(0), atol=1e-5)
    spread = Periodic([64] * 50, 1).rate_NF.std().item()
    assert spread == pytest.approx(0.3, abs=0.02)  # turns for each unit of the scaled number


def test_periodic_ignores_frequencies_a_column_does_not_have() -> None:
    torch.manual_seed(0)
    module = Periodic([2, 5], 4)
    x_BN = torch.randn(6, 2)
    before = module(x_BN)
    with torch.no_grad():
        module.rate_NF[0, 2:] = 9.0
    assert torch.allclose(module(x_BN), before)
    with torch.no_grad():
        module.rate_NF[0, 1] = 9.0
    assert not torch.allclose(module(x_BN)[:, 0], before[:, 0])


@pytest.mark.parametrize("embed", ["piecewise", "periodic", "linear"])
def test_grouped_columns_are_as_single_ones(embed: str) -> None:
    cells = make_cells()
    options = [config.Number(embed=embed, bins=b) for b in (3, 5)]
    readers = [
        NumberReader.fit(n, o, cells) for n, o in zip(("load", "heat"), options, strict=True)
    ]
    both = NumberEmbedding(readers, options, 4)
    x_BN = torch.randn(7, 2)
    alone = NumberEmbedding(readers[1:], options[1:], 4)
    source = dict(both.named_parameters())
    for name, parameter in alone.named_parameters():
        theirs = source[name].data[1:]
        parameter.data = theirs[:, : parameter.shape[1]].clone()
    if embed == "periodic":
        assert torch.allclose(both(x_BN)[:, 1:], alone(x_BN[:, 1:]), atol=1e-6)
    else:
        assert torch.allclose(both(x_BN)[:, 1], alone(x_BN[:, 1:])[:, 0], atol=1e-6)


def test_unknown_is_learned_from_known_names() -> None:
    torch.manual_seed(0)
    module = CategoryEmbedding([CategoryReader("a", ("x", "y")), CategoryReader("b", ("z",))], 3)
    nn.init.zeros_(module.vectors.weight)
    with torch.no_grad():
        module.vectors.weight[[0, 3]] = 1.0  # the unknown of each column
    x_BN = torch.ones(20_000, 2, dtype=torch.int64)
    share_N = module.train()(x_BN)[..., 0].mean(0)
    assert torch.allclose(share_N, torch.full((2,), UNKNOWN), atol=0.003)
    assert (module.eval()(x_BN) == 0).all()
    assert (module(x_BN * 0) == 1).all()


def answering(name: str, names: str, answers: int) -> CategoryReader:
    """A reader that knows what 60 rows of these names answered."""
    cells = Cells({name: [names[i % len(names)] for i in range(60)]})
    y_RT = np.random.default_rng(len(names)).normal(size=(60, answers))
    known = LearnedAnswers(y_RT, fold_of(np.arange(60)))
    return CategoryReader.fit(name, config.Category(statistics="means"), cells, known)


def test_a_name_shows_what_its_rows_answered_and_in_training_those_of_other_folds() -> None:
    torch.manual_seed(0)
    readers = [answering("a", "xyz", 2), CategoryReader("b", ("z",)), answering("c", "pq", 1)]
    module = CategoryEmbedding(readers, 4)
    x_BN = torch.tensor([[1, 1, 2], [3, 0, 1], [0, 1, 0]])
    fold_B = torch.tensor([0, 3, 4])
    plain_BNd = module.vectors(x_BN + module.starts_N)

    def expected(fold_B: list[int]) -> Tensor:
        added_BNd = torch.zeros(3, 3, 4)
        for n, reader in enumerate(readers):
            for b in range(3):
                for t in range(reader.answers):
                    mean = float(reader.means[fold_B[b], int(x_BN[b, n]), t])
                    added_BNd[b, n] += mean * module.weight_NTd[n, t].detach()
        return plain_BNd + added_BNd

    assert torch.allclose(module.eval()(x_BN), expected([FOLDS] * 3), atol=1e-6)
    assert torch.equal(module(x_BN, fold_B), module(x_BN))
    assert torch.allclose(module(x_BN[1:2]), module(x_BN)[1:2], atol=1e-6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modalloy.model.encoders.category.UNKNOWN", 0.0)
        seen = module.train()(x_BN, fold_B)
    assert torch.allclose(seen, expected([0, 3, 4]), atol=1e-6)
    with pytest.raises(AssertionError, match="must not see their own answers"):
        module(x_BN)
    assert not {"means_FKT"} & set(module.state_dict())


def test_learns_a_product_of_two_columns() -> None:
    """What a linear model cannot: the sign of load times heat, within a few seconds."""
    encoder, _, _ = make_encoder(32)
    torch.manual_seed(0)
    head = nn.Linear(32, 1)
    values = {
        "number": torch.randn(256, 4),
        "category": torch.randint(0, 4, (256, 1)),
        "time": torch.randn(256, 2, 7),
    }
    present = torch.ones(256, 7, dtype=torch.bool)
    y_B = (values["number"][:, 0] * values["number"][:, 1] > 0).float()
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=3e-3)
    for _ in range(60):
        logit_B = head(encoder.train()(values, present).summary_BD).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logit_B, y_B)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    logit_B = head(encoder.eval()(values, present).summary_BD).squeeze(1)
    assert ((logit_B > 0) == (y_B > 0)).float().mean() > 0.95
