"""diffusers with PyTorch: a training step (ε-prediction, mean squared error, clipping to norm 1, AdamW) and 20 steps of
DDIM for 64 images, of a UNet2DModel of 28 × 28 × 1 or a DiT, or a training step of an MLP on 2-D points.

--precision bfloat16 is autocast; --layout last keeps images with channels last. Figures: train_milliseconds (median),
sample_seconds, train_gflops (FLOP of a step, as torch counts them), peak_rss_mib."""

import statistics

import rounds

arguments = rounds.parse(__doc__, network="unet", precision="float32", layout="first", batch=64, steps=8)

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

torch.manual_seed(1)


class PointNetwork(nn.Module):
    """Nabla's network for points: residual blocks conditioned on time."""

    def __init__(self, width=128, depth=3):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(32))
        self.input, self.time, self.output = nn.Linear(2, width), nn.Linear(64, width), nn.Linear(width, 2)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Linear(width, width) for _ in range(3)]) for _ in range(depth))

    def forward(self, x, t):
        angles = 2 * torch.pi * t[:, None] * self.frequencies
        embedding = F.silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)))
        h = self.input(x) + embedding
        for first, time, second in self.blocks:
            h = h + second(F.silu(first(F.silu(h)) + time(embedding)))
        return self.output(F.silu(h))


def network():
    if arguments.network == "mlp":
        model = PointNetwork()
        return model, lambda x, t: model(x, t / 1000), (2,)
    if arguments.network == "dit":
        from diffusers import DiTTransformer2DModel
        model = DiTTransformer2DModel(
            num_attention_heads=4, attention_head_dim=32, in_channels=1, out_channels=1, num_layers=6, sample_size=28,
            patch_size=2, num_embeds_ada_norm=10)
        return model, lambda x, t: model(x, timestep=t.long(), class_labels=torch.zeros_like(t).long()).sample, (1, 28, 28)
    from diffusers import UNet2DModel
    model = UNet2DModel(
        sample_size=28, in_channels=1, out_channels=1, block_out_channels=(32, 64, 64), layers_per_block=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"), norm_num_groups=8)
    return model, lambda x, t: model(x, t).sample, (1, 28, 28)


model, call, shape = network()
is_image = len(shape) == 3
if is_image and arguments.layout == "last":
    model = model.to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
alphas = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)
data = torch.randn(arguments.batch, *shape)
column = (-1,) + (1,) * len(shape)
cast = lambda: torch.autocast("cpu", torch.bfloat16, enabled=arguments.precision == "bfloat16")


def formatted(x):
    return x.to(memory_format=torch.channels_last) if is_image and arguments.layout == "last" else x


def train():
    times = torch.randint(0, 1000, (arguments.batch,))
    noise, alpha = torch.randn_like(data), alphas[times].view(column)
    noisy = formatted(alpha.sqrt() * data + (1 - alpha).sqrt() * noise)
    with cast():
        loss = F.mse_loss(call(noisy, times.float()).float(), noise)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@torch.inference_mode()
def sample(count=64, steps=20):
    x = formatted(torch.randn(count, *shape))
    levels = [1000 // steps * i for i in reversed(range(steps))]
    for place, t in enumerate(levels):
        with cast():
            noise = call(x, torch.full((count,), float(t))).float()
        alpha = alphas[t]
        previous = alphas[levels[place + 1]] if place + 1 < steps else torch.tensor(1.0)
        clean = ((x - (1 - alpha).sqrt() * noise) / alpha.sqrt()).clamp(-1, 1)
        x = previous.sqrt() * clean + (1 - previous).sqrt() * (x - alpha.sqrt() * clean) / (1 - alpha).sqrt()


def work():
    rounds.seconds_per_call(train, 2)
    milliseconds = statistics.median(rounds.seconds_per_call(train, arguments.steps)) * 1e3
    figures = {"train_milliseconds": milliseconds}
    if is_image:
        sample(steps=2)
        figures["sample_seconds"] = rounds.seconds_per_call(sample, 1)[0]
    return figures


rounds.run(arguments, work)
