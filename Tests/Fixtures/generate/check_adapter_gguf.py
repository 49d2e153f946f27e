"""Checks that llama.cpp computes with a GGUF adapter what peft computes with the folder it was made of.

Usage: check_adapter_gguf.py BASE ADAPTER BASE.gguf ADAPTER.gguf

BASE and ADAPTER are Hugging Face folders, BASE.gguf the base in float32 (`nabla convert BASE BASE.gguf --type f32`).
Exits 1 if a logit differs by more than 1e-2 (llama.cpp's cache is float16), or if the adapter does not move them by more.
"""

import sys

import llama_cpp
import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base, folder, gguf, adapter = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
ids = [(7 * i + 3) % 100 for i in range(24)]
with torch.no_grad():
    bare = model(torch.tensor([ids])).logits[0].numpy()
    expected = PeftModel.from_pretrained(model, folder).eval()(torch.tensor([ids])).logits[0].numpy()


def logits(**options):
    llama = llama_cpp.Llama(gguf, n_ctx=64, logits_all=True, verbose=False, n_threads=1, **options)
    llama.eval(ids)
    return np.array(llama.scores[: len(ids)])


difference = np.abs(logits(lora_path=adapter) - expected).max()
without = np.abs(logits() - bare).max()
moved = np.abs(expected - bare).max()
print(f"largest difference {difference:.3g} with the adapter, {without:.3g} without; the adapter moves logits by {moved:.3g}")
sys.exit(0 if difference < 1e-2 and moved > 10 * difference else 1)
