"""Folders with tiny causal language models, and one of another kind."""

from pathlib import Path

import torch
from tokenizers import Tokenizer

from modalloy.readers.written_pieces import learn_bytes

TEXTS = ("a small red star.", "a big blue box.", "a big red box.", "a small blue star.")


def tiny_folder(
    folder: Path, kind: str = "llama", *, pieces: int | None = None, places: int = 128
) -> str:
    """`hf:...` of a folder with a tiny network.

    pieces: of its network, where more or fewer than its tokenizer has. places: its positions.
    """
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_str(learn_bytes(TEXTS, 280))
    torch.manual_seed(0)
    size = {"vocab_size": pieces or tokenizer.get_vocab_size()}
    ends = {"bos_token_id": 0, "eos_token_id": 1}
    match kind:
        case "llama":
            own = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
            own |= {"num_key_value_heads": 1, "intermediate_size": 32}
            own |= {"max_position_embeddings": places, "tie_word_embeddings": True}
            config = transformers.LlamaConfig(**size, **ends, **own)
            model = transformers.LlamaForCausalLM(config)
        case "gpt2":
            own = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": places}
            model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**size, **ends, **own))
        case _:
            own = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
            config = transformers.BertConfig(**size, **own, intermediate_size=16)
            model = transformers.BertModel(config)
    with torch.no_grad():
        for p in model.parameters():  # as far from even as a trained one
            if p.ndim > 1:
                p.mul_(8.0)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return f"hf:{folder}"
