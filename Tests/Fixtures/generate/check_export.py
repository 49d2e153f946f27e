"""Checks that transformers reads a model folder Nabla exported and computes the logits Nabla computed.

Usage: check_export.py FOLDER [--ids FOLDER/check.json] [--logits FOLDER/check.safetensors]

check.json holds {"input_ids": [[...], ...]} and, if the tokenizer is to be checked too, {"text": ..., "text_ids":
[...]}. check.safetensors holds `logits` [B, T, V] float32. Prints the logits of the last position and the largest
absolute difference; exits 1 if it exceeds 1e-4, if it is not a number, or if the tokenizer differs.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=Path)
parser.add_argument("--ids", type=Path)
parser.add_argument("--logits", type=Path)
parser.add_argument("--tolerance", type=float, default=1e-4)
arguments = parser.parse_args()

check = json.loads((arguments.ids or arguments.folder / "check.json").read_text())
expected = load_file(arguments.logits or arguments.folder / "check.safetensors")["logits"]
model, loading = AutoModelForCausalLM.from_pretrained(
    arguments.folder, dtype=torch.float32, output_loading_info=True)
problems = []
for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    if loading[kind]:
        problems.append(f"{kind}: {sorted(map(str, loading[kind]))}")

with torch.no_grad():
    logits = model.eval()(torch.tensor(check["input_ids"])).logits
print("last logits:", [[round(x, 5) for x in row[:8]] for row in logits[:, -1].tolist()])
if logits.shape != expected.shape:
    problems.append(f"logits are {list(logits.shape)} here and {list(expected.shape)} in Nabla's file")
else:
    difference = (logits - expected).abs().max().item()
    print(f"largest difference: {difference:.3g}")
    if not difference <= arguments.tolerance:
        problems.append(f"the largest difference {difference:.3g} exceeds {arguments.tolerance:g}")

if "text" in check:
    tokenizer = AutoTokenizer.from_pretrained(arguments.folder)
    ids = tokenizer(check["text"], add_special_tokens=False)["input_ids"]
    if ids != check["text_ids"]:
        problems.append(f"the tokenizer gives {ids[:16]}…, Nabla gave {check['text_ids'][:16]}…")
    elif tokenizer.decode(ids) != check["text"]:
        problems.append("decoding the ids does not give the text back")
    else:
        print(f"tokenizer: {len(ids)} ids equal")

for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
