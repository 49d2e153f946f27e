"""hf_models/gguf/: tiny models in GGUF files, written by the gguf package as llama.cpp's converter would.

NAME.gguf has matrices in Q8_0 and vectors in F32; NAME.safetensors has `input_ids` [2, 12] int32 and the `logits`
[2, 12, V] float32 that transformers computes with the same, dequantized, weights.
  llama         grouped-query attention, tied, rope_freqs of Llama 3's scaling
  llama-bias    its own output layer, biases everywhere, head_dim 16 (not C / heads)
  qwen2         biases on queries, keys and values
  qwen3         a norm of each query and key head
  gpt2
"""

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
    Qwen3ForCausalLM)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from fixture import FOLDER

Q8_0, F32 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F32
GPT2_TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


def permuted(rows, heads):
    """Rows of queries or keys in the order that llama.cpp has them for the llama architecture."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def save(name, architecture, model):
    config = model.config
    writer = gguf.GGUFWriter(FOLDER / "hf_models" / "gguf" / f"{name}.gguf", architecture)
    heads = config.num_attention_heads
    groups = getattr(config, "num_key_value_heads", heads)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(getattr(config, "intermediate_size", 4 * config.hidden_size))
    writer.add_head_count(heads)
    writer.add_vocab_size(config.vocab_size)
    if architecture == "gpt2":
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        writer.add_head_count_kv(groups)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_key_length(size)
        writer.add_value_length(size)
        writer.add_rope_dimension_count(size)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        if config.rope_parameters["rope_type"] == "llama3":
            plain = 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, size, 2).float() / size)
            scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
            writer.add_tensor("rope_freqs.weight", (plain / scaled).numpy().astype(np.float32))
    writer.add_tokenizer_model("no_vocab")
    names = gguf.get_tensor_name_map(
        next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == architecture), config.num_hidden_layers)
    with torch.no_grad():
        for parameter, p in model.named_parameters():
            if p.dim() == 1:  # norms and biases: away from their trivial initial values
                p.add_(torch.randn_like(p) * 0.1)
            turned = architecture == "gpt2" and parameter.endswith(GPT2_TRANSPOSED)
            value = (p.T if turned else p).contiguous().numpy()
            kind = Q8_0 if p.dim() == 2 and "wpe" not in parameter else F32
            if kind == Q8_0:
                value = gguf.quants.dequantize(gguf.quants.quantize(value, Q8_0), Q8_0)
                p.copy_(torch.from_numpy(value.T.copy() if turned else value))
            if architecture == "llama" and ("q_proj" in parameter or "k_proj" in parameter):
                value = permuted(value, heads if "q_proj" in parameter else groups)
            target = names.get_name(parameter, try_suffixes=(".weight", ".bias"))
            writer.add_tensor(target, gguf.quants.quantize(value.copy(), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ids = torch.randint(0, config.vocab_size, (2, 12))
    with torch.no_grad():
        logits = model.eval()(ids).logits
    save_file(
        {"input_ids": ids.int(), "logits": logits.float().contiguous()},
        FOLDER / "hf_models" / "gguf" / f"{name}.safetensors")
    size = (FOLDER / "hf_models" / "gguf" / f"{name}.gguf").stat().st_size
    print(f"hf_models/gguf/{name}.gguf: {size:,} bytes, logits within ±{logits.abs().max():.2f}")


# A wide initial range makes logits that a wrong layer changes visibly.
shared = dict(
    vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    intermediate_size=64, max_position_embeddings=64, rms_norm_eps=1e-5, initializer_range=0.3, bos_token_id=1,
    eos_token_id=2, dtype="float32")
torch.manual_seed(8)
(FOLDER / "hf_models" / "gguf").mkdir(exist_ok=True)
save("llama", "llama", LlamaForCausalLM(LlamaConfig(
    **(shared | dict(max_position_embeddings=128)), tie_word_embeddings=True, rope_parameters={
        "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64})))
save("llama-bias", "llama", LlamaForCausalLM(LlamaConfig(
    **(shared | dict(head_dim=16, num_hidden_layers=1)), attention_bias=True, mlp_bias=True,
    tie_word_embeddings=False)))
save("qwen2", "qwen2", Qwen2ForCausalLM(Qwen2Config(**shared, tie_word_embeddings=True)))
save("qwen3", "qwen3", Qwen3ForCausalLM(Qwen3Config(**shared, head_dim=16, tie_word_embeddings=False)))
save("gpt2", "gpt2", GPT2LMHeadModel(GPT2Config(
    vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3, bos_token_id=1,
    eos_token_id=2, dtype="float32")))
