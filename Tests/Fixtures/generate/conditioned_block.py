"""conditioned_block.safetensors: transformer blocks that something else has a say in, forward and backward, B 2, T 7, C 32.

Each BLOCK has `input` [2, 7, 32], `output`, `output_gradient`, `input_gradient`, and for every weight `weight.NAME` and
`gradient.NAME`, under the names this project gives them.
  decoder_pre    torch.nn.TransformerDecoderLayer, norms first, causal, 4 heads, ReLU of 64. `context` [2, 5, 20] (with
                 `context_gradient`) has 5 and 3 places that are not padding: `context_lengths`.
  decoder_post   the same with norms last and without the causal mask.
  dit            the block of Peebles & Xie 2023 (adaLN-Zero): LayerNorm without parameters (eps 1e-6), 4 heads, GELU in
                 its tanh form of 128, not causal. `condition` [2, 12] (with `condition_gradient`) modulates both
                 sublayers.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from fixture import Fixture

fixture = Fixture("conditioned_block.safetensors", seed=12)
B, T, C = 2, 7, 32
causal = torch.full((T, T), float("-inf")).triu(1).double()
lengths = torch.tensor([5, 3])
padding = torch.arange(5)[None] >= lengths[:, None]


def fill(block):
    with torch.no_grad():
        for name, p in block.named_parameters():
            scale = 0.25 if p.dim() > 1 else 0.2
            center = 1.0 if p.dim() == 1 and "bias" not in name else 0.0
            p.copy_(center + fixture.normal(*p.shape, scale=scale))
    return block.double()


def record(case, block, rename, **inputs):
    leaves = {name: x.clone().requires_grad_() for name, x in inputs.items()}
    output = block(**leaves)
    upstream = fixture.normal(*output.shape)
    output.backward(upstream)
    fixture.add(case, output=output, output_gradient=upstream)
    for name, x in leaves.items():
        fixture.add(case, **{name: x, f"{name}_gradient": x.grad})
    for name, p in block.named_parameters():
        for ours, pick in rename(name, p):
            fixture.add(case, **{f"weight.{ours}": pick(p), f"gradient.{ours}": pick(p.grad)})


class Decoder(nn.Module):
    """TransformerDecoderLayer over a memory of another width."""

    def __init__(self, norm_first, mask):
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(
            C, 4, 64, dropout=0, activation="relu", batch_first=True, norm_first=norm_first)
        self.layer.multihead_attn = nn.MultiheadAttention(C, 4, kdim=20, vdim=20, batch_first=True)
        self.mask = mask

    def forward(self, input, context):
        mask = {} if self.mask is None else {"tgt_mask": self.mask, "tgt_is_causal": False}
        return self.layer(input, context, memory_key_padding_mask=padding, **mask)


def rename_decoder(name, p):
    name = name.removeprefix("layer.")
    part = name.split(".")[-1].split("_")[-1]
    for theirs, ours in [("self_attn", "self_attn"), ("multihead_attn", "cross_attn")]:
        if not name.startswith(theirs):
            continue
        if "out_proj" in name:
            return [(f"{ours}.o_proj.{part}", lambda x: x)]
        if "in_proj" in name:
            return [(f"{ours}.{letter}_proj.{part}", lambda x, i=i: x[i * C:(i + 1) * C])
                    for i, letter in enumerate("qkv")]
        return [(f"{ours}.{name.split('.')[1][0]}_proj.weight", lambda x: x)]
    module = {"norm1": "input_layernorm", "norm2": "cross_attn_layernorm", "norm3": "post_attention_layernorm",
              "linear1": "mlp.up_proj", "linear2": "mlp.down_proj"}[name.split(".")[0]]
    return [(f"{module}.{part}", lambda x: x)]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(C, C) for _ in range(4))

    def forward(self, x):
        q, k, v = (f(x).view(B, T, 4, C // 4).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        return self.o_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, T, C))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.up_proj, self.down_proj = nn.Linear(C, 128), nn.Linear(128, C)

    def forward(self, x):
        return self.down_proj(F.gelu(self.up_proj(x), approximate="tanh"))


class DiT(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn, self.mlp = Attention(), FeedForward()
        self.norm = nn.LayerNorm(C, elementwise_affine=False, eps=1e-6)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(12, 6 * C))

    def forward(self, input, condition):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(condition)[:, None].chunk(6, dim=-1)
        x = input + gate1 * self.self_attn(self.norm(input) * (1 + scale1) + shift1)
        return x + gate2 * self.mlp(self.norm(x) * (1 + scale2) + shift2)


for case, norm_first, mask in [("decoder_pre", True, causal), ("decoder_post", False, None)]:
    record(case, fill(Decoder(norm_first, mask)), rename_decoder,
           input=fixture.normal(B, T, C), context=fixture.normal(B, 5, 20))
    fixture.add(case, context_lengths=lengths)
record("dit", fill(DiT()), lambda name, p: [(name, lambda x: x)],
       input=fixture.normal(B, T, C), condition=fixture.normal(B, 12))
fixture.save()
