"""What the fixture scripts share: seeded inputs, forward-and-backward recording, and saving.

References are computed in float64 from inputs that float32 holds exactly, and rounded to float32 once at the end, so
the only rounding error a test sees is that of the code under test. (The Llama parts of transformers work in float32
whatever they are given; the scripts say where that is so.)
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).resolve().parent.parent


class Fixture:
    """A safetensors file in the making. Tensor names are `case.tensor`."""

    def __init__(self, name, seed):
        self.path = FOLDER / name
        self.tensors = {}
        self.generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)

    def normal(self, *shape, scale=1.0):
        """Normal float64 numbers that float32 holds exactly."""
        return (torch.randn(*shape, generator=self.generator) * scale).double()

    def integers(self, low, high, *shape):
        return torch.randint(low, high, shape, generator=self.generator)

    def add(self, case, **tensors):
        """Adds tensors, floats as float32 and integers as int32."""
        for name, tensor in tensors.items():
            tensor = torch.as_tensor(tensor).detach()
            dtype = torch.float32 if tensor.is_floating_point() else torch.int32
            self.tensors[f"{case}.{name}"] = tensor.to(dtype).clone().contiguous()

    def record(self, case, function, **inputs):
        """Adds the inputs, the output of `function(**inputs)`, a random gradient of that output, and from it the
        gradient of every floating-point input as `NAME_gradient`."""
        leaves = {
            name: x.detach().clone().requires_grad_() if x.is_floating_point() else x
            for name, x in inputs.items() if x is not None
        }
        output = function(**{name: leaves.get(name) for name in inputs})
        upstream = self.normal(*output.shape) if output.dim() else torch.ones((), dtype=output.dtype)
        output.backward(upstream.to(output.dtype))
        self.add(case, **leaves, output=output, output_gradient=upstream)
        self.add(case, **{f"{n}_gradient": x.grad for n, x in leaves.items() if x.requires_grad})

    def save(self):
        for name, tensor in self.tensors.items():
            assert tensor.isfinite().all(), f"{name} is not finite"
        save_file(dict(sorted(self.tensors.items())), self.path)
        print(f"{self.path.relative_to(FOLDER)}: {len(self.tensors)} tensors, {self.path.stat().st_size:,} bytes")
