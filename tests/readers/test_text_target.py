"""Texts as pieces and back; what may be answered; sentences for what cannot be written."""

import json
from pathlib import Path

import numpy as np
import pytest

from modalloy.cells.cells import Cells
from modalloy.errors import JobError, TableError
from modalloy.job import config
from modalloy.readers.build import fit_target, targets_from_state, to_state
from modalloy.readers.targets.generate import TextTarget
from modalloy.readers.written_pieces import learn_bytes, places_of
from tiny_causal import tiny_folder

TEXTS = ["Replace seal, 12 mm", " replace pump ", None, "Ölwechsel – prüfen", 7, "replace pump"]


def target(given: list, **options: object) -> TextTarget:
    some = config.Generate.model_validate({"target": "t", **options})
    cells = Cells({"t": given, "list": ["P-1", "P-2", None, "P-2", "P-3", "P-1"]}, Path(), False)
    found = fit_target("note", some, lambda columns: cells)
    assert isinstance(found, TextTarget)
    return found


def cells(given: list) -> Cells:
    return Cells({"t": given}, Path(), False)


def test_pieces_join_to_the_very_text_even_of_letters_never_seen() -> None:
    found = target(TEXTS)
    for text in ["Replace seal, 12 mm", "日本語 – “quoted”  two blanks"]:
        assert found.text_of(found.ids_of([text])[0]) == text
    assert found.ids_of(["replace pump"]) == target(TEXTS).ids_of(["replace pump"])
    assert len(found.ids_of(["replace pump"])[0]) < len("replace pump")
    assert learn_bytes(["ab ab ab"], 300) == learn_bytes(["ab ab ab"], 300)


def test_names_of_marks_inside_a_text_are_text(tmp_path: Path) -> None:
    texts = ["press [END] key twice", "[START] of it", "a [END]", "b", "c", "d"]
    for options in ({}, {"decoder": tiny_folder(tmp_path / "llama")}):
        found = target(texts, **options, only=texts)
        for text, ids in zip(texts, found.ids_of(texts), strict=True):
            assert not {found.start, found.end} & set(ids)
            assert found.pieces.decode(ids) == text
        y = found.read(cells(texts))["y"]
        assert ((y == found.end).sum(1) == 1).all()


def test_rows_end_unless_they_are_cut_and_unknown_ones_teach_nothing() -> None:
    found = target(TEXTS, max_tokens=5)
    read = found.read(cells(["replace pump", None, "prüfen " * 20]))
    assert read["known"].tolist() == [True, False, True]
    first = [i for i in read["y"][0] if i >= 0]
    assert first[-1] == found.end
    assert found.text_of(first[:-1]) == "replace pump"
    assert (read["y"][1] == -100).all()
    cut = [i for i in read["y"][2] if i >= 0]
    assert len(cut) == 5
    assert found.end not in cut
    assert found.truth(cells(TEXTS))[:5] == [
        "Replace seal, 12 mm", "replace pump", None, "Ölwechsel – prüfen", "7",
    ]  # fmt: skip


def test_what_may_be_answered_is_a_list_or_a_columns_training_cells() -> None:
    assert target(TEXTS).allowed == ()
    assert target(TEXTS, only=["a b", 5, "a b"]).allowed == ("a b", "5")
    assert target(TEXTS, only="list").allowed == ("P-1", "P-2", "P-3")
    own = target(TEXTS, only="t")
    assert own.allowed == ("Replace seal, 12 mm", "replace pump", "Ölwechsel – prüfen", "7")
    assert own.columns == ("t",)
    blank = TextTarget.blank("note", config.Generate(target="t", only="list"))
    assert blank.columns == ("t", "list")
    assert target(TEXTS, only="list").columns == ("t",)


def test_state_comes_back_as_it_was() -> None:
    found = target(TEXTS, only="list")
    job = config.Job.model_validate(
        {
            "table": "x",
            "split": {"random": "stratified"},
            "columns": {"a": {"type": "number"}},
            "tasks": {"note": {"type": "generate", "target": "t", "only": "list"}},
        }
    )
    state = json.loads(json.dumps(to_state({"note": found})))
    assert targets_from_state(state, job)["note"] == found


def test_an_empty_target_lists_and_texts_too_long_are_refused() -> None:
    with pytest.raises(TableError, match="column 't' is empty in all 6 training rows"):
        target([None, " ", "", None, None, None])
    with pytest.raises(TableError, match="is no text, but a list"):
        target([["a"], "b", "c", "d", "e", "f"])
    with pytest.raises(JobError, match="pieces, and max_tokens is 2"):
        target(TEXTS, only=["one very long answer indeed"], max_tokens=2)


def test_a_decoder_whose_vocabulary_lacks_a_name_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace, WhitespaceSplit

    words = Tokenizer(WordLevel({"[UNK]": 0, "pump": 1, "seal": 2, "</s>": 3}, "[UNK]"))
    words.pre_tokenizer = Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    settings = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "eos_token_id": 3}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    decoder = f"hf:{tmp_path}"
    assert target(["pump seal"] * 6, decoder=decoder, only=["pump", "seal"]).start == 3
    with pytest.raises(
        JobError, match="cannot write all of only: its vocabulary has no pieces for"
    ):
        target(["pump seal"] * 6, decoder=decoder, only=["pump", "valve"])
    with pytest.raises(JobError, match="writes 'pump seal' and 'pump  seal' with the same pieces"):
        target(["pump seal"] * 6, decoder=decoder, only=["pump seal", "pump  seal"])
    words.pre_tokenizer = WhitespaceSplit()
    words.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(JobError, match="'pump </s> seal' holds the mark '</s>'"):
        target(["pump seal"] * 6, decoder=decoder, only=["pump", "pump </s> seal"])
    (tmp_path / "config.json").write_text(json.dumps({**settings, "eos_token_id": None}))
    with pytest.raises(JobError, match="names no eos_token_id"):
        target(["pump seal"] * 6, decoder=decoder)
    settings["architectures"] = ["BertModel"]
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(JobError, match="holds BertModel, which writes no text"):
        target(["pump seal"] * 6, decoder=decoder)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_decoder_with_too_few_positions_is_refused(kind: str, tmp_path: Path) -> None:
    decoder = tiny_folder(tmp_path / kind, kind, places=32)
    assert target(TEXTS, decoder=decoder, max_tokens=23).longest == 23
    why = r"tasks\.note: decoder hf:.* has 32 positions, and prefix 8, .* max_tokens 24 take 33;"
    with pytest.raises(JobError, match=why):
        target(TEXTS, decoder=decoder, max_tokens=24)
    with pytest.raises(JobError, match=r"prefix 9, .* take 33"):
        target(TEXTS, decoder=decoder, max_tokens=23, prefix=9)


def test_positions_are_those_that_a_text_may_take() -> None:
    assert places_of({"model_type": "bloom"}) is None
    assert places_of({"model_type": "gpt2", "n_positions": 64}) == 64
    assert places_of({"text_config": {"max_position_embeddings": 32}}) == 32
    assert places_of({"model_type": "roberta", "max_position_embeddings": 66}) == 64


def test_columns_may_tell_few_texts_one_by_one_and_many_by_their_length() -> None:
    few = TextTarget.signal(np.array(["a", "b"] * 10, dtype=object))
    assert few.names == ["a", "b"]
    assert few.y_NC[:2].tolist() == [[1, 0], [0, 1]]
    many = TextTarget.signal(np.array([f"{'x' * i}" for i in range(1, 20)], dtype=object))
    assert many.names is None
    assert many.y_NC[:3, 0].tolist() == [1, 2, 3]
