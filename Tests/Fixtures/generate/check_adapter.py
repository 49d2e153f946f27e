"""Checks that peft reads an adapter folder Nabla wrote and computes the logits Nabla computed.

Usage: check_adapter.py BASE ADAPTER

BASE is a model folder; ADAPTER holds adapter_config.json, adapter_model.safetensors and check.safetensors with
`input_ids` [B, T] int32 and `logits` [B, T, V] float32. Exits 1 if the largest difference exceeds 1e-4, or if a tensor is
missing or unknown. The other way round is tested from fixtures (lora.py).
"""

import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

base, folder = map(Path, sys.argv[1:3])
check = load_file(folder / "check.safetensors")
with warnings.catch_warnings():
    warnings.simplefilter("error")  # peft only warns of tensors it does not find
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, folder).eval()
with torch.no_grad():
    logits = model(check["input_ids"].long()).logits
    with model.disable_adapter():
        change = (model(check["input_ids"].long()).logits - logits).abs().max().item()
difference = (logits - check["logits"]).abs().max().item()
print(f"largest difference {difference:.3g}; the adapter moves logits by up to {change:.3g}")
sys.exit(0 if difference <= 1e-4 and change > 1e-3 else 1)
