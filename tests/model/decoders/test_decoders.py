"""Decoders write piece by piece what they foretell of whole texts, whatever stands beside a row."""

import json
from pathlib import Path

import pytest
import torch

from modalloy.errors import JobError
from modalloy.model.decoders.causal import CausalDecoder
from modalloy.model.decoders.decoder import Decoder, Memory
from modalloy.model.decoders.scratch import ScratchDecoder
from modalloy.model.decoders.search import Manner, write
from modalloy.readers.written_pieces import causal_config
from tiny_causal import tiny_folder

WIDTH = 16


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("causal")
    return {kind: tiny_folder(folder / kind, kind) for kind in ("llama", "gpt2")}


def build(kind: str, folders: dict[str, str]) -> Decoder:
    torch.manual_seed(0)
    if kind == "scratch":
        return ScratchDecoder(0, 40, 9, WIDTH, "small").eval()
    network = json.dumps(causal_config(folders[kind].removeprefix("hf:")))
    decoder = CausalDecoder(0, network, folders[kind], 277, 4, WIDTH)
    decoder.read_pretrained()
    return decoder.eval()


def memory() -> Memory:
    torch.manual_seed(1)
    mask_BT = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]).bool()
    return Memory(torch.randn(3, 5, WIDTH), mask_BT)


@pytest.mark.parametrize("kind", ["scratch", "llama", "gpt2"])
def test_steps_are_what_is_foretold_of_the_whole(kind: str, folders: dict[str, str]) -> None:
    decoder, rows = build(kind, folders), memory()
    y_BL = torch.randint(2, 40, (3, 6))
    with torch.no_grad():
        whole_BLV = decoder(rows, y_BL)
        going = decoder.begin(rows)
        before_BL = decoder.shifted(y_BL)
        for at in range(6):
            step_BV = decoder.step(going, before_BL[:, at])
            torch.testing.assert_close(step_BV, whole_BLV[:, at], rtol=1e-4, atol=1e-4)
            if at == 2:  # in another order, and one of them twice
                going = going.take(torch.tensor([2, 0, 1, 1])).take(torch.tensor([1, 2, 0]))


@pytest.mark.parametrize("kind", ["scratch", "llama", "gpt2"])
@pytest.mark.parametrize(
    "manner",
    [Manner(7, 1, (0,)), Manner(7, 1, (0,), beams=3), Manner(7, 1, (0,), seed=2)],
    ids=["greedy", "beam", "sample"],
)
def test_a_row_is_written_alone_as_among_longer_ones(
    kind: str, manner: Manner, folders: dict[str, str]
) -> None:
    decoder, rows = build(kind, folders), memory()
    among = write(decoder, rows, manner, None)
    one = Memory(rows.x_BTD[1:2, :2], rows.mask_BT[1:2, :2])
    alone = write(decoder, one, manner, None)
    size = alone.ids_BL.shape[1]
    assert alone.ids_BL[0].tolist() == among.ids_BL[1, :size].tolist()
    assert (among.ids_BL[1, size:] == -1).all()
    torch.testing.assert_close(alone.logp_BL[0], among.logp_BL[1, :size], rtol=1e-4, atol=1e-4)
    assert len(among.logp_BL.exp().sum(1).unique()) == 3, "rows are told apart"


def test_tied_weights_are_kept_once_and_taken_back(folders: dict[str, str]) -> None:
    from safetensors.torch import load, save

    decoder = build("llama", folders)
    state = decoder.state_dict()
    assert "trunk.lm_head.weight" not in state
    kept = load(save({n: t.contiguous() for n, t in state.items()}))
    other = build("llama", folders)
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
    other.load_state_dict(kept)
    rows, y_BL = memory(), torch.randint(2, 40, (3, 4))
    torch.testing.assert_close(other(rows, y_BL), decoder(rows, y_BL))


def test_folders_that_write_nothing_or_have_too_few_pieces_are_refused(tmp_path: Path) -> None:
    other = tiny_folder(tmp_path / "bert", "bert").removeprefix("hf:")
    with pytest.raises(JobError, match="holds BertModel, which writes no text from left to right"):
        causal_config(other)
    with pytest.raises(JobError, match=r"decoder hf:.*no such folder"):
        causal_config(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(JobError, match=r"there is no config\.json"):
        causal_config(str(tmp_path / "empty"))
    few = tiny_folder(tmp_path / "few", "llama", pieces=100)
    network = json.dumps(causal_config(few.removeprefix("hf:")))
    with pytest.raises(JobError, match="has a piece of number 276, its model has 100 from 0"):
        CausalDecoder(0, network, few, 277, 4, WIDTH)
