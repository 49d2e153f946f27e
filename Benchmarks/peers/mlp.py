"""The overhead of a call: an MLP 4-64-64-2 with tanh, batch 8. Prints the median microseconds of a forward (without
gradients) and of a training step (forward, mean squared error, backward, Adam)."""

import statistics

import rounds

arguments = rounds.parse(__doc__, width=64, batch=8, calls=1000)

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1)
model = nn.Sequential(
    nn.Linear(4, arguments.width), nn.Tanh(), nn.Linear(arguments.width, arguments.width), nn.Tanh(),
    nn.Linear(arguments.width, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
x, y = torch.randn(arguments.batch, 4), torch.randn(arguments.batch, 2)


@torch.inference_mode()
def forward():
    model(x)


def train():
    F.mse_loss(model(x), y).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def median_microseconds(function):
    rounds.seconds_per_call(function, 100)
    return round(statistics.median(rounds.seconds_per_call(function, arguments.calls)) * 1e6, 2)


def work():
    return {"forward_microseconds": median_microseconds(forward), "train_microseconds": median_microseconds(train)}


rounds.run(arguments, work)
