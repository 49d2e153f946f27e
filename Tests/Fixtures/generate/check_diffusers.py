"""Loads pipeline folders that Nabla wrote into diffusers and compares one forward pass and a DDIM trajectory.

Usage: check_diffusers.py FOLDER   with FOLDER/check.safetensors holding input, times, output, start and samples, which
the test InterchangeTests writes when NABLA_DIFFUSERS_FOLDER names a folder.
"""

import sys

import torch
from diffusers import DDIMPipeline
from safetensors.torch import load_file

folder = sys.argv[1]
pipeline = DDIMPipeline.from_pretrained(f"{folder}/pipeline")
check = load_file(f"{folder}/check.safetensors")
with torch.no_grad():
    output = pipeline.unet(check["input"], check["times"]).sample
    x = check["start"]
    pipeline.scheduler.set_timesteps(10)
    for t in pipeline.scheduler.timesteps:
        x = pipeline.scheduler.step(pipeline.unet(x, t).sample, t, x, eta=0.0, use_clipped_model_output=True).prev_sample
for name, ours, theirs in (("output", check["output"], output), ("samples", check["samples"], x)):
    error = (ours - theirs).abs().max().item()
    print(f"{name}: largest difference {error:.2e}, largest value {theirs.abs().max().item():.3f}")
    assert error < 1e-4, name
