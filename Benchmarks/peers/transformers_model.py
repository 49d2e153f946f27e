"""transformers, from the dequantized weights of a GGUF file, prefills a prompt of --prompt tokens and generates
--count greedily; then --streams completions of it together, and --streams prompts of an eighth of its length. Prints tokens per
second of each."""

import time
from pathlib import Path

import rounds

arguments = rounds.parse(__doc__, model="", prompt=421, count=64, streams=16, precision="bfloat16")

import torch
from transformers import AutoModelForCausalLM, GgufConfig
from transformers.utils import logging

logging.disable_progress_bar()

path = Path(arguments.model)
dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[arguments.precision]
# Dense weights, with which torch is faster than with the packed ones.
model = AutoModelForCausalLM.from_pretrained(
    path.parent, gguf_file=path.name, dtype=dtype, quantization_config=GgufConfig(dequantize=True)).eval()


@torch.inference_mode()
def seconds(prompts, answers=1):
    """Seconds until the first token of every prompt, and from there until --count tokens of each completion."""
    start = time.perf_counter()
    result = model(torch.tensor(prompts), use_cache=True, logits_to_keep=1)
    token = result.logits[:, -1].argmax(-1, keepdim=True)
    if answers > 1:
        result.past_key_values.batch_repeat_interleave(answers)
        token = token.repeat_interleave(answers, 0)
    middle = time.perf_counter()
    for _ in range(arguments.count - 1):
        result = model(token, past_key_values=result.past_key_values, use_cache=True)
        token = result.logits[:, -1].argmax(-1, keepdim=True)
    return middle - start, time.perf_counter() - middle


def prompt(count, seed=0):
    return [1000 + (i + seed) * 7919 % 40000 for i in range(count)]


def work():
    streams, written = arguments.streams, arguments.count - 1
    read, alone = seconds([prompt(arguments.prompt)])
    _, samples = seconds([prompt(arguments.prompt)], streams)
    _, together = seconds([prompt(arguments.prompt // 8, seed) for seed in range(streams)])
    return {
        "prefill": arguments.prompt / read, "decode": written / alone, "samples": streams * written / samples,
        "streams": streams * written / together}


rounds.run(arguments, work)
