"""block.safetensors: whole transformer blocks, forward and backward, causal, B 2, T 7, C 32.

Each BLOCK has `input` [2, 7, 32], `output`, `output_gradient`, `input_gradient`, and for every weight
`weight.NAME` and `gradient.NAME` with the names of the library it comes from.
  llama       transformers' LlamaDecoderLayer: pre-norm RMSNorm (eps 1e-5), rotary half pairing (base 10000,
              positions 0…6), 4 query heads and 2 key/value heads of size 8, SwiGLU of 48. Weights are [out, in].
              Computed in float32: transformers' RMSNorm is float32 whatever it is given.
  gpt2        transformers' GPT2Block: pre-norm LayerNorm (eps 1e-5), 4 heads, GELU (tanh form) of 128.
              Its projections are Conv1D: weights are [in, out]; attn.c_attn holds q, k, v side by side.
  original    torch.nn.TransformerEncoderLayer as in the first transformer: post-norm LayerNorm (eps 1e-5), 4 heads,
              ReLU of 64. self_attn.in_proj_weight holds q, k, v stacked: [3C, C].
"""

import torch
from transformers import GPT2Config, LlamaConfig
from transformers.models.gpt2.modeling_gpt2 import GPT2Block
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding
from fixture import Fixture

fixture = Fixture("block.safetensors", seed=6)
B, T, C = 2, 7, 32
causal = torch.full((T, T), float("-inf")).triu(1)


def record(case, block, forward, dtype):
    block = block.to(dtype)
    with torch.no_grad():
        for name, p in block.named_parameters():
            # Weights large enough that every path matters; norms around 1.
            scale = 0.25 if p.dim() > 1 else 0.2
            center = 1.0 if p.dim() == 1 and "bias" not in name else 0.0
            p.copy_(center + fixture.normal(*p.shape, scale=scale))
    input = fixture.normal(B, T, C).to(dtype).requires_grad_()
    output = forward(block, input)
    upstream = fixture.normal(B, T, C).to(dtype)
    output.backward(upstream)
    # The mask must have reached the attention: a changed last token may change no earlier output.
    changed = input.detach().clone()
    changed[:, -1] += 1
    assert torch.equal(forward(block, changed)[:, :-1], output[:, :-1])
    fixture.add(case, input=input, output=output, output_gradient=upstream, input_gradient=input.grad)
    for name, p in block.named_parameters():
        fixture.add(case, **{f"weight.{name}": p, f"gradient.{name}": p.grad})


llama = LlamaConfig(
    hidden_size=C, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48, rms_norm_eps=1e-5,
    rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, attn_implementation="eager")
llama._attn_implementation = "eager"


def run_llama(block, input):
    cos_sin = LlamaRotaryEmbedding(llama)(input, torch.arange(T)[None])
    return block(input, attention_mask=causal[None, None].to(input.dtype), position_embeddings=cos_sin)


gpt2 = GPT2Config(n_embd=C, n_head=4, attn_pdrop=0, resid_pdrop=0, activation_function="gelu_new")
gpt2._attn_implementation = "eager"


def run_gpt2(block, input):
    output = block(input, attention_mask=causal[None, None].to(input.dtype))
    return output[0] if isinstance(output, tuple) else output


record("llama", LlamaDecoderLayer(llama, 0), run_llama, torch.float32)
record("gpt2", GPT2Block(gpt2, 0), run_gpt2, torch.float64)
record(
    "original",
    torch.nn.TransformerEncoderLayer(C, 4, dim_feedforward=64, dropout=0, batch_first=True, norm_first=False),
    lambda block, input: block(input, src_mask=causal.to(input.dtype), is_causal=True), torch.float64)
fixture.save()
