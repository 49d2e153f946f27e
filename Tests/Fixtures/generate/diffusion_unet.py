"""diffusion_unet.safetensors: diffusers' UNet2DModel, its parameters, an input and its output.

plain.* has two resolutions, the lower with attention of two heads, and no classes; wide.* has three, two blocks each,
four classes, one head, and sin before cos. CASE.parameters.NAME are the state dict; CASE.input, CASE.times,
CASE.labels, CASE.output; CASE.gradient is that of the mean of output squared with respect to the input. In float64.
"""

import torch
from diffusers import UNet2DModel
from fixture import Fixture

fixture = Fixture("diffusion_unet.safetensors", seed=17)

CASES = {
    "plain": dict(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 16), layers_per_block=1,
                  down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
                  attention_head_dim=8, norm_num_groups=4),
    "wide": dict(sample_size=12, in_channels=3, out_channels=6, block_out_channels=(4, 8, 12), layers_per_block=2,
                 down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
                 up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), attention_head_dim=None,
                 norm_num_groups=4, num_class_embeds=4, flip_sin_to_cos=False, freq_shift=1),
}
for case, options in CASES.items():
    model = UNet2DModel(**options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Away from the initial ones and zeros, at values that float32 holds.
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=fixture.generator))
            parameter.copy_(parameter.float().double())
    size = options["sample_size"]
    x = fixture.normal(2, options["in_channels"], size, size).requires_grad_()
    times = torch.tensor([3.0, 250.0], dtype=torch.float64)
    labels = torch.tensor([1, 3]) if "num_class_embeds" in options else None
    output = model(x, times, class_labels=labels).sample
    output.square().mean().backward()
    fixture.add(f"{case}.parameters", **model.state_dict())
    fixture.add(case, input=x, times=times, output=output, gradient=x.grad)
    if labels is not None:
        fixture.add(case, labels=labels)
fixture.save()
