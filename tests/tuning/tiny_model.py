"""A random model of the real architecture in a GGUF of a few hundred kilobytes, which llama.cpp and torch both load.

Every byte is a token, and the markers of Qwen2.5-Coder are there, so that it is asked as the real one is.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from fimble.context.prompt.fim import FAMILIES

N_HIDDEN, N_LAYERS, N_HEADS, N_KV_HEADS, N_FFN = 64, 2, 4, 2, 128
_MARKERS = next(family for family in FAMILIES if family.name == "qwen2.5-coder").all_markers
_FIM_KEYS = {"fim_pre": "<|fim_prefix|>", "fim_suf": "<|fim_suffix|>", "fim_mid": "<|fim_middle|>"}


def write_tiny_model(path: Path, *, architecture: str = "qwen2", has_markers: bool = True) -> Path:
    """Write the model; without markers it cannot be asked for a middle."""
    markers = _MARKERS if has_markers else ("<|endoftext|>",)
    # One merge, for llama.cpp refuses a vocabulary without any.
    tokens = [*_byte_tokens(), "ab", *markers]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Qwen2.5-Coder tiny" if has_markers else "tiny")
    writer.add_context_length(4096)
    writer.add_embedding_length(N_HIDDEN)
    writer.add_block_count(N_LAYERS)
    writer.add_feed_forward_length(N_FFN)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * len(markers))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(tokens.index("<|endoftext|>"))
    if has_markers:
        for key, marker in _FIM_KEYS.items():
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", tokens.index(marker))
    for name, shape in _shapes(len(tokens)).items():
        writer.add_tensor(name, _values(name, shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(n_vocab: int) -> dict[str, tuple[int, ...]]:
    n_kv = N_HIDDEN * N_KV_HEADS // N_HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (n_vocab, N_HIDDEN), "output_norm.weight": (N_HIDDEN,)}
    for layer in range(N_LAYERS):
        block = {
            "attn_norm.weight": (N_HIDDEN,),
            "ffn_norm.weight": (N_HIDDEN,),
            "attn_q.weight": (N_HIDDEN, N_HIDDEN),
            "attn_q.bias": (N_HIDDEN,),
            "attn_k.weight": (n_kv, N_HIDDEN),
            "attn_k.bias": (n_kv,),
            "attn_v.weight": (n_kv, N_HIDDEN),
            "attn_v.bias": (n_kv,),
            "attn_output.weight": (N_HIDDEN, N_HIDDEN),
            "ffn_gate.weight": (N_FFN, N_HIDDEN),
            "ffn_up.weight": (N_FFN, N_HIDDEN),
            "ffn_down.weight": (N_HIDDEN, N_FFN),
        }
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    return shapes


def _values(name: str, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if name.endswith("norm.weight"):
        return np.ones(shape, dtype=np.float32)
    if name.endswith(".bias"):
        return np.zeros(shape, dtype=np.float32)
    generator = np.random.default_rng(sum(name.encode()))
    return generator.normal(0, 0.15, shape).astype(np.float32)


def _byte_tokens() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in the order of the bytes."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
