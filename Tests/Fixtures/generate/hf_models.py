"""hf_models/: tiny randomly initialised models as transformers saves them, for loading tests.

Each folder holds config.json, generation_config.json, model.safetensors and reference.safetensors with `input_ids`
[2, 12] int32 and `logits` [2, 12, V] float32.
  llama-tied     2 layers, C 32, 4 query and 2 key/value heads, V 64, lm_head tied to the embedding
  llama-untied   the same with its own lm_head
  llama-scaled   head_dim 16 (not C / heads), 1 key/value head, llama3 rotary scaling, rope_theta 500000
  llama-yarn     YaRN with mscale, mscale_all_dim and truncate false
  llama-longrope LongRoPE, at sequences shorter than the original context, which take the short factors
  llama-dynamic  dynamic NTK scaling, at sequences within the context, where it changes nothing
  mistral        a sliding window of 5 positions, shorter than the sequences; 8 heads in 2 groups
  qwen2          biases on queries, keys and values; the window of 4 positions from layer 1 on
  qwen3          a norm of each query and key head, head_dim 12 (not C / heads)
  gpt2           2 layers, C 32, 4 heads, V 64, tied
"""

import shutil

import torch
from safetensors.torch import save_file
from transformers import (
    GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config,
    Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)
from fixture import FOLDER


def llama(config=LlamaConfig, model=LlamaForCausalLM, **changes):
    # A wide initial range makes logits that a wrong layer changes visibly.
    settings = dict(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=48, max_position_embeddings=64, rms_norm_eps=1e-5, initializer_range=0.3,
        bos_token_id=1, eos_token_id=2, dtype="float32")
    return model(config(**(settings | changes)))


def save(name, make):
    torch.manual_seed(8)
    model = make().eval()
    with torch.no_grad():
        for parameter_name, p in model.named_parameters():
            if p.dim() == 1:  # norms and biases: away from their trivial initial values
                p.add_(torch.randn_like(p) * 0.1)
    ids = torch.randint(0, model.config.vocab_size, (2, 12))
    with torch.no_grad():
        logits = model(ids).logits
    folder = FOLDER / "hf_models" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    save_file({"input_ids": ids.int(), "logits": logits.float().contiguous()}, folder / "reference.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"hf_models/{name}: {size:,} bytes, logits within ±{logits.abs().max():.2f}")


save("llama-tied", lambda: llama(tie_word_embeddings=True))
save("llama-untied", lambda: llama(tie_word_embeddings=False))
save("llama-scaled", lambda: llama(
    num_hidden_layers=1, head_dim=16, num_key_value_heads=1, tie_word_embeddings=True,
    max_position_embeddings=256, rope_parameters={
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}))
save("llama-yarn", lambda: llama(
    num_hidden_layers=1, max_position_embeddings=256, rope_parameters={
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "original_max_position_embeddings": 32,
        "beta_fast": 4.0, "beta_slow": 0.5, "mscale": 2.0, "mscale_all_dim": 0.5, "truncate": False}))
save("llama-longrope", lambda: llama(
    num_hidden_layers=1, max_position_embeddings=256, rope_parameters={
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 32,
        "short_factor": [1.0, 1.5, 2.0, 3.0], "long_factor": [1.0, 4.0, 8.0, 16.0]}))
save("llama-dynamic", lambda: llama(
    num_hidden_layers=1, rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}))
save("mistral", lambda: llama(
    MistralConfig, MistralForCausalLM, sliding_window=5, num_attention_heads=8, attn_implementation="eager"))
save("qwen2", lambda: llama(
    Qwen2Config, Qwen2ForCausalLM, use_sliding_window=True, sliding_window=4, max_window_layers=1,
    tie_word_embeddings=True, attn_implementation="eager"))
save("qwen3", lambda: llama(
    Qwen3Config, Qwen3ForCausalLM, head_dim=12, tie_word_embeddings=False, attn_implementation="eager"))
save("gpt2", lambda: GPT2LMHeadModel(GPT2Config(
    vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3, bos_token_id=1,
    eos_token_id=2, dtype="float32")))
