"""nanoGPT's character model for CPUs on Tiny Shakespeare: 4 layers, 4 heads, 128 wide, T 64, B 12, 2,000 iterations.

A round is a whole training from scratch. Prints tokens per second (of the median step) and the validation loss in
nats a character over the whole last tenth of the text, in windows of T. The text is --data, else the file that the
environment variable NABLA_SHAKESPEARE names.
"""

import math
import os
import statistics
import time
from pathlib import Path

import rounds

arguments = rounds.parse(__doc__, data=os.environ.get("NABLA_SHAKESPEARE", ""), iterations=2000, seed=1337)
if not Path(arguments.data).is_file():
    raise SystemExit("nanogpt_char: no text; set NABLA_SHAKESPEARE or --data to the Tiny Shakespeare file (1.1 MB)")

import torch
from gpt import GPT

T, B = 64, 12
text = Path(arguments.data).read_text(encoding="utf-8")
index = {character: i for i, character in enumerate(sorted(set(text)))}
data = torch.tensor([index[character] for character in text])
split = int(0.9 * len(data))
training, validation = data[:split], data[split:]


def learning_rate(iteration):
    """Warmup over 100 iterations to 1e-3, then cosine to 1e-4."""
    if iteration < 100:
        return 1e-3 * (iteration + 1) / 101
    progress = (iteration - 100) / (arguments.iterations - 100)
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * progress)) * (1e-3 - 1e-4)


@torch.no_grad()
def validation_loss(model):
    windows = (len(validation) - 1) // T
    x, y = validation[: windows * T].view(windows, T), validation[1 : windows * T + 1].view(windows, T)
    total = sum(model(a, b).item() * len(a) for a, b in zip(x.split(64), y.split(64)))
    return total / windows


def work():
    torch.manual_seed(arguments.seed)
    model = GPT(4, 128, 4, T, len(index), bias=False, gelu="none")
    optimizer = model.adamw(1e-3, betas=(0.9, 0.99))
    times = []
    for iteration in range(arguments.iterations):
        start = time.perf_counter()
        starts = torch.randint(len(training) - T, (B,))
        tokens = torch.stack([training[i : i + T] for i in starts])
        targets = torch.stack([training[i + 1 : i + 1 + T] for i in starts])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(iteration)
        model.train_step(optimizer, tokens, targets, autocast=False)
        times.append(time.perf_counter() - start)
    return {
        "tokens_per_second": round(B * T / statistics.median(times[10:]), 1),
        "validation_loss": round(validation_loss(model), 4),
        "seconds": round(sum(times), 1),
    }


rounds.run(arguments, work)
