"""Checks that peft reads adapter folders Nabla wrote and computes the logits Nabla computed.

Usage: check_adapter.py BASE ADAPTER...

BASE is a model folder; each ADAPTER holds adapter_config.json, adapter_model.safetensors and check.safetensors with
`input_ids` [B, T] int32 and `logits` [B, T, V] float32. Exits 1 if a difference exceeds 1e-4, or if an adapter does not
move the logits: peft only warns of tensors that it does not find. The other way round is tested from fixtures (lora.py).
"""

import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

failed = False
for folder in map(Path, sys.argv[2:]):
    check = load_file(folder / "check.safetensors")
    ids = check["input_ids"].long()
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
    model = PeftModel.from_pretrained(model, folder).eval()
    with torch.no_grad():
        logits = model(ids).logits
        with model.disable_adapter():
            change = (model(ids).logits - logits).abs().max().item()
    difference = (logits - check["logits"]).abs().max().item()
    print(f"{folder.name}: largest difference {difference:.3g}; the adapter moves logits by up to {change:.3g}")
    failed = failed or not (difference <= 1e-4 and change > 1e-2)
sys.exit(1 if failed else 0)
