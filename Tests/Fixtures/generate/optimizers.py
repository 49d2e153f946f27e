"""optimizers.safetensors: 20 steps of each optimizer on recorded gradients.

Each OPTIMIZER has `learning_rates` [20] (the rate of each step: warm-up then cosine), and for each parameter P (matrix
[6, 4], tall [8, 3], vector [5]) `P.initial`, `P.gradients` [20, ...] and `P.values` [20, ...], the parameter after
each step.
  adamw           betas 0.9 and 0.95, eps 1e-8; weight decay 0.1 on matrix, none on vector
  sgd             momentum 0.9, no weight decay; matrix and vector
  sgd_nesterov    the same with Nesterov's look-ahead
  sgd_decay       momentum 0.9 and (coupled) weight decay 0.1; matrix
  muon            matrix and tall. Momentum 0.95 kept as a running mean (lerp) with Nesterov's look-ahead, 5
                  Newton-Schulz steps (3.4445, -4.7750, 2.0315) after division by max(Frobenius norm, 1e-7), the
                  update scaled by sqrt(max(1, rows / columns)), decoupled weight decay 0.1. This is torch.optim.Muon
                  with its Newton-Schulz steps in float64 instead of bfloat16.
  muon_bfloat16   torch.optim.Muon as it is, with bfloat16 Newton-Schulz steps: compare to about 1e-2 of the update.
"""

import math

import torch
import torch.optim._muon as torch_muon
from fixture import Fixture

fixture = Fixture("optimizers.safetensors", seed=7)
STEPS = 20
SHAPES = {"matrix": (6, 4), "tall": (8, 3), "vector": (5,)}


def learning_rate(step, peak):
    if step < 4:
        return peak * (step + 1) / 4
    return peak * 0.5 * (1 + math.cos(math.pi * (step - 4) / (STEPS - 4)))


def record(case, names, peak, make):
    # A rate that float32 holds exactly, so that both sides step by the same amount.
    rates = torch.tensor([learning_rate(step, peak) for step in range(STEPS)]).float().double()
    parameters = {name: torch.nn.Parameter(fixture.normal(*SHAPES[name])) for name in names}
    gradients = {name: fixture.normal(STEPS, *SHAPES[name]) for name in names}
    fixture.add(case, learning_rates=rates, **{f"{name}.initial": p for name, p in parameters.items()})
    fixture.add(case, **{f"{name}.gradients": g for name, g in gradients.items()})
    optimizer = make(parameters)
    values = {name: [] for name in names}
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rates[step].item()
        for name, p in parameters.items():
            p.grad = gradients[name][step].clone()
        optimizer.step()
        for name, p in parameters.items():
            values[name].append(p.detach().clone())
    fixture.add(case, **{f"{name}.values": torch.stack(v) for name, v in values.items()})


def newton_schulz(gradient, coefficients, steps, eps):
    """The 5 Newton-Schulz steps in the precision of `gradient` (Keller Jordan, Muon)."""
    a, b, c = coefficients
    tall = gradient.size(0) > gradient.size(1)
    x = gradient.T if tall else gradient
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def adamw(parameters):
    groups = [
        {"params": [parameters["matrix"]], "weight_decay": 0.1}, {"params": [parameters["vector"]], "weight_decay": 0.0}
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8)


def sgd(**options):
    return lambda parameters: torch.optim.SGD(list(parameters.values()), lr=1, momentum=0.9, **options)


def muon(parameters):
    return torch.optim.Muon(list(parameters.values()), weight_decay=0.1, momentum=0.95)


record("adamw", ["matrix", "vector"], 3e-2, adamw)
record("sgd", ["matrix", "vector"], 0.1, sgd())
record("sgd_nesterov", ["matrix", "vector"], 0.1, sgd(nesterov=True))
record("sgd_decay", ["matrix"], 0.1, sgd(weight_decay=0.1))
record("muon_bfloat16", ["matrix", "tall"], 0.05, muon)
torch_muon._zeropower_via_newtonschulz = newton_schulz
record("muon", ["matrix", "tall"], 0.05, muon)
fixture.save()
