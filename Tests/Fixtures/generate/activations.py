"""activations.safetensors: elementwise activations forward and backward.

Each of relu, gelu (erf), gelu_tanh, silu, softplus, tanh, sigmoid has `input` [72], `output`, `output_gradient`,
`input_gradient`. The input holds ordinary values, ±0, tiny values, and values as large as ±1e4 where a careless
exponential overflows.
"""

import torch
import torch.nn.functional as F
from fixture import Fixture

fixture = Fixture("activations.safetensors", seed=3)
sizes = [0.0, 1e-30, 1e-4, 0.01, 0.5, 1.0, 3.0, 5.5, 9.0, 15.0, 19.5, 21.0, 50.0, 87.0, 89.0, 104.0, 1000.0, 1e4]
special = torch.tensor(sizes + [-x for x in sizes])
input = torch.cat([special, torch.randn(36, generator=fixture.generator) * 2]).double()
for case, function in {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    # The exact function; F.softplus turns linear at 20, 2e-9 off.
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}.items():
    fixture.record(case, lambda input: function(input), input=input)
fixture.save()
