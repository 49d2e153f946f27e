"""perceptron.safetensors: multilayer perceptrons forward and backward.

Each CASE has `input`, `weight_0`, `bias_0`, `weight_1`, ..., `output`, `output_gradient`, and `NAME_gradient` of each
input. Activations stand between the layers, none behind the last.
  tanh        4-64-64-2 on 8 rows, a policy for CartPole
  tanh_rows   the same on 150 rows: more than one block of rows, and a broken one
  relu        5-37-20-3 on 45 rows: no width is a whole number of vectors
"""

import torch
from fixture import Fixture

fixture = Fixture("perceptron.safetensors", seed=21)


def record(case, activation, rows, *widths):
    inputs = {"input": fixture.normal(rows, widths[0])}
    for layer, (inner, outer) in enumerate(zip(widths, widths[1:])):
        inputs[f"weight_{layer}"] = fixture.normal(outer, inner, scale=inner**-0.5)
        inputs[f"bias_{layer}"] = fixture.normal(outer, scale=0.25)
    inputs = {name: x.float().double() for name, x in inputs.items()}

    def run(input, **layers):
        for layer in range(len(widths) - 1):
            input = activation(input) if layer else input
            input = torch.nn.functional.linear(input, layers[f"weight_{layer}"], layers[f"bias_{layer}"])
        return input

    fixture.record(case, run, **inputs)


record("tanh", torch.tanh, 8, 4, 64, 64, 2)
record("tanh_rows", torch.tanh, 150, 4, 64, 64, 2)
record("relu", torch.relu, 45, 5, 37, 20, 3)
fixture.save()
