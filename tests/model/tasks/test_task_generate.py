"""The head that writes texts: its loss, what it looks at, and that each option changes a number."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from modalloy.answer.decoding.build import decode
from modalloy.cells.cells import Cells
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.decoders.scratch import ScratchDecoder
from modalloy.model.tasks.build import build_task
from modalloy.model.tasks.generate import Generate
from modalloy.model.tokens import Batch, Fused, Tokens, arrays
from modalloy.readers.build import fit_target
from tiny_causal import TEXTS, tiny_folder

WIDTH, ROWS = 16, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_folder(tmp_path_factory.mktemp("head") / "llama")


def head(options: dict[str, Any]) -> tuple[Generate, Any]:
    some = config.Generate.model_validate({"target": "t", **options})
    cells = Cells({"t": [*TEXTS, None]}, Path(), False)
    target = fit_target("note", some, lambda columns: cells)
    torch.manual_seed(0)
    made = build_task("note", some, target, WIDTH, 1, 0.0, {"photo": (), "table": ()})
    made.read_pretrained()
    assert isinstance(made, Generate)
    if isinstance(made.decoder, ScratchDecoder):  # as undecided as a trained one, and with ends
        with torch.no_grad():
            made.decoder.norm.weight.copy_(6 * torch.randn(len(made.decoder.norm.weight)))
            made.decoder.bias_V[target.end] = 2.0
    return made, target


def seen(batch: dict[str, Any] | None = None) -> tuple[Fused, dict[str, Tokens], Batch]:
    torch.manual_seed(1)
    tokens = {}
    for name, count in (("photo", 4), ("table", 2)):
        x = torch.randn(ROWS, count, WIDTH)
        tokens[name] = Tokens(x, torch.ones(ROWS, count, dtype=torch.bool), x.mean(1))
    targets = {} if batch is None else {"note": batch}
    return Fused(torch.randn(ROWS, 1, WIDTH)), tokens, Batch({}, {}, targets)


def written(options: dict[str, Any]) -> dict[str, Any]:
    made, target = head(options)
    with torch.no_grad():
        out = made.eval()(*seen())
    some = config.Generate.model_validate({"target": "t", **options})
    return {k: v.tolist() for k, v in decode(some, target, arrays(out)).items()}


def test_loss_is_the_mean_cross_entropy_of_known_pieces() -> None:
    made, target = head({})
    y = target.read(Cells({"t": [*TEXTS, None]}, Path(), False))
    batch = {k: torch.from_numpy(v) for k, v in y.items()}
    fused, tokens, given = seen(batch)
    out = made.eval()(fused, tokens, given)
    logits, known = out["logits"], batch["y"] >= 0
    log_p = F.log_softmax(logits, -1)
    by_hand = -torch.stack([log_p[b, i, batch["y"][b, i]] for b, i in known.nonzero()]).mean()
    torch.testing.assert_close(made.loss(out, batch), by_hand)
    assert made.count(out, batch) == known.sum()
    none = {**batch, "known": torch.zeros(ROWS, dtype=torch.bool)}
    nothing = made.loss(out, none)
    assert nothing.item() == 0.0
    nothing.backward()


def test_it_looks_at_every_token_of_every_input() -> None:
    made, _ = head({})
    made.eval()
    fused, tokens, batch = seen()
    with torch.no_grad():
        before = made(fused, tokens, batch)["logp"][0, 0]
        for name in tokens:
            x = tokens[name].x_BTD.clone()
            x[0, -1] += torch.randn(WIDTH)
            moved = {**tokens, name: tokens[name]._replace(x_BTD=x)}
            assert made(fused, moved, batch)["logp"][0, 0] != before
            hidden = tokens[name].mask_BT.clone()
            hidden[0, -1] = False
            gone = {**moved, name: moved[name]._replace(mask_BT=hidden)}
            same = {**tokens, name: tokens[name]._replace(mask_BT=hidden)}
            a, b = made(fused, gone, batch), made(fused, same, batch)
            assert torch.equal(a["logp"][0, 0], b["logp"][0, 0])


SMALL: dict[str, Any] = {"vocabulary": 280, "max_tokens": 6}
SAMPLE, BEAM = SMALL | {"search": "sample"}, SMALL | {"search": "beam"}


@pytest.mark.parametrize(
    ("option", "base", "one", "other"),
    [
        ("size", SMALL, "small", "base"),
        ("vocabulary", {"max_tokens": 6}, 280, 262),
        ("max_tokens", SMALL, 6, 4),
        ("min_tokens", SMALL | {"max_tokens": 40}, 0, 39),
        ("search", SMALL, "greedy", "beam"),
        ("beams", BEAM, 2, 8),
        ("length_penalty", BEAM, 0.0, 3.0),
        ("temperature", SAMPLE, 1.0, 0.1),
        ("top_p", SAMPLE, 1.0, 0.01),
        ("draw", SAMPLE, 0, 1),
        ("only", SMALL | {"max_tokens": 40}, None, "t"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_option_changes_what_is_written(
    option: str, base: dict[str, Any], one: Any, other: Any
) -> None:
    a, b = (written({**base, option: value}) for value in (one, other))
    assert a != b
    if option == "only":
        assert set(b["text"]) <= set(TEXTS)


@pytest.mark.parametrize("search", ["greedy", "beam", "sample"])
def test_allowed_texts_that_name_a_mark_are_written_as_they_stand(search: str) -> None:
    only = ["press [END] key", "press [START] key"]
    answers = written({"max_tokens": 40, "search": search, "only": only})
    assert set(answers["text"]) <= set(only)
    assert np.isfinite(answers["confidence"]).all()


def test_as_many_positions_as_the_reader_asks_for_are_enough_to_learn_and_to_write(
    tmp_path: Path,
) -> None:
    folder = tiny_folder(tmp_path / "gpt2", "gpt2", places=16)
    made, target = head({"max_tokens": 7, "min_tokens": 7, "decoder": folder})
    given = Cells({"t": ["1234567", *TEXTS]}, Path(), False)
    y = {k: torch.from_numpy(v) for k, v in target.read(given).items()}
    assert (y["y"][0] >= 0).sum() == 8
    made.eval()
    assert made(*seen(y))["logits"].isfinite().all()
    assert made(*seen())["ids"].shape == (ROWS, 7)


@pytest.mark.parametrize("search", ["greedy", "beam", "sample"])
def test_numbers_that_are_no_piece_of_the_tokenizer_are_never_written(
    search: str, tmp_path: Path
) -> None:
    folder = tiny_folder(tmp_path / "llama", pieces=2000)
    options = {"decoder": folder, "max_tokens": 30, "min_tokens": 30, "search": search}
    made, target = head(options)
    known = target.pieces.get_vocab_size()
    assert made.manner.marks == (target.start, *range(known, 2000))
    with torch.no_grad():
        ids = made.eval()(*seen())["ids"]
    assert ids.shape == (ROWS, 30)
    assert int(ids.max()) < known


def test_numbers_of_pieces_may_have_gaps(tmp_path: Path) -> None:
    decoder = tiny_folder(tmp_path / "llama", pieces=300)
    file = tmp_path / "llama" / "tokenizer.json"
    saved = json.loads(file.read_text())
    vocabulary = saved["model"]["vocab"]
    last = max(vocabulary, key=lambda name: vocabulary[name])
    gap, vocabulary[last] = vocabulary[last], 290
    file.write_text(json.dumps(saved))
    made, target = head({"decoder": decoder})
    assert made.manner.marks == (target.start, *range(gap, 290), *range(291, 300))
    tiny_folder(tmp_path / "llama", pieces=290)
    file.write_text(json.dumps(saved))
    with pytest.raises(JobError, match="has a piece of number 290, its model has 290 from 0"):
        head({"decoder": decoder})


def test_decoder_prefix_tune_and_adapter_change_what_learns(folder: str) -> None:
    pretrained = {"max_tokens": 6, "decoder": folder}
    assert written(pretrained) != written(SMALL)
    assert written(pretrained) != written({**pretrained, "prefix": 2})
    frozen, _ = head({**pretrained, "tune": "frozen"})
    full, _ = head({**pretrained, "tune": "full"})
    own = {id(p) for p in frozen.trunk.parameters()} if frozen.trunk else set()
    assert own
    assert not any(p.requires_grad for p in frozen.parameters() if id(p) in own)
    assert all(p.requires_grad for p in full.parameters())


def test_answers_are_texts_and_the_mean_probability_of_their_pieces() -> None:
    options = config.Generate(target="t")
    _, target = head({})
    (ids,) = target.ids_of(["a big red box."])
    row = np.array([[*ids, -1, -1]])
    logp = np.log(np.array([[0.5] * len(ids) + [0.25, 1.0]]))
    logp[0, -1] = 0.0
    answer = decode(options, target, {"ids": row, "logp": logp})
    assert answer["text"][0] == "a big red box."
    assert answer["confidence"][0] == pytest.approx((0.5 * len(ids) + 0.25) / (len(ids) + 1))
