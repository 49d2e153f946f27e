"""Checks that transformers reads reward models Nabla wrote and computes the scores Nabla computed.

Usage: check_scores.py FOLDER [--adapter BASE ADAPTER]

FOLDER is a sequence-classification folder with check.json, {"sequences": [[id, ...], ...]}, and check.safetensors with
`scores` [B] float32. All sequences are scored at once, padded on the right with the folder's padding token and on the
left, and each alone. With --adapter, peft reads ADAPTER beside BASE too. Exits 1 if a score differs by more than 1e-4.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folder", type=Path)
parser.add_argument("--adapter", nargs=2)
arguments = parser.parse_args()
sequences = json.loads((arguments.folder / "check.json").read_text())["sequences"]
expected = load_file(arguments.folder / "check.safetensors")["scores"]
failed = False


def check(name, model):
    global failed
    padding, longest = model.config.pad_token_id, max(map(len, sequences))
    assert padding is not None and model.config.num_labels == 1
    for side in ("right", "left", "none"):
        with torch.no_grad():
            if side == "none":
                scores = torch.stack([model(torch.tensor([s])).logits[0, 0] for s in sequences])
            else:
                pads = [[padding] * (longest - len(s)) for s in sequences]
                ids = [s + p if side == "right" else p + s for s, p in zip(sequences, pads)]
                mask = [[1] * len(s) + [0] * len(p) if side == "right" else [0] * len(p) + [1] * len(s)
                        for s, p in zip(sequences, pads)]
                mask = torch.tensor(mask)
                positions = (mask.cumsum(1) - 1).clamp(min=0)
                scores = model(torch.tensor(ids), attention_mask=mask, position_ids=positions).logits[:, 0]
        difference = (scores - expected).abs().max().item()
        print(f"{name}, padding {side}: largest difference {difference:.3g}")
        failed = failed or not difference <= 1e-4


model, loading = AutoModelForSequenceClassification.from_pretrained(
    arguments.folder, dtype=torch.float32, output_loading_info=True)
for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    if loading[kind]:
        print(f"{kind}: {sorted(map(str, loading[kind]))}", file=sys.stderr)
        failed = True
check("merged", model.eval())
padding = model.config.pad_token_id
if arguments.adapter:
    from peft import PeftModel
    base, adapter = arguments.adapter
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, dtype=torch.float32, pad_token_id=padding)
    check("adapter", PeftModel.from_pretrained(model, adapter).eval())
sys.exit(1 if failed else 0)
