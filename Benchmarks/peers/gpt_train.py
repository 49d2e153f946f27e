"""Trains a GPT on random tokens and prints tokens per second (of the median step) and peak memory.

bfloat16 is autocast, as PyTorch users train on CPUs; weights and AdamW's state stay float32.
"""

import statistics

import rounds

arguments = rounds.parse(
    __doc__, layers=6, width=384, heads=6, context=256, batch=8, vocabulary=256, precision="bfloat16", steps=10,
    warmup=2)

import torch
from gpt import GPT

torch.manual_seed(1)
model = GPT(arguments.layers, arguments.width, arguments.heads, arguments.context, arguments.vocabulary)
optimizer = model.adamw(3e-4)
tokens = torch.randint(0, arguments.vocabulary, (arguments.batch, arguments.context + 1))


def step():
    model.train_step(optimizer, tokens[:, :-1], tokens[:, 1:], autocast=arguments.precision == "bfloat16")


def work():
    rounds.seconds_per_call(step, arguments.warmup)
    seconds = statistics.median(rounds.seconds_per_call(step, arguments.steps))
    return {
        "tokens_per_second": round(arguments.batch * arguments.context / seconds, 1),
        "milliseconds": round(seconds * 1e3, 2),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


rounds.run(arguments, work)
