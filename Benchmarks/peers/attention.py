"""Causal attention, forward and backward, with torch's fused kernel: the median time of a call.

H heads of size D over B = 2048 / T sequences (at least one). q, k, v and their gradients are [B, H, T, D].
"""

import statistics

import rounds

arguments = rounds.parse(__doc__, context=1024, heads=6, head_size=64, precision="bfloat16", seconds=1.0)

import torch
import torch.nn.functional as F

torch.manual_seed(1)
B, H, T, D = max(1, 2048 // arguments.context), arguments.heads, arguments.context, arguments.head_size
dtype = getattr(torch, arguments.precision)
q, k, v = (torch.randn(B, H, T, D).to(dtype).requires_grad_() for _ in range(3))
upstream = torch.randn(B, H, T, D).to(dtype)


def step():
    F.scaled_dot_product_attention(q, k, v, is_causal=True).backward(upstream)
    q.grad = k.grad = v.grad = None


def work():
    warm = min(rounds.seconds_per_call(step, 3))
    seconds = statistics.median(rounds.seconds_per_call(step, max(5, int(arguments.seconds / warm))))
    return {"milliseconds": round(seconds * 1e3, 3)}


rounds.run(arguments, work)
