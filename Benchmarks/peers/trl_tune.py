"""TRL fine-tunes the dequantized model of a GGUF file with LoRA (r 16, all linear layers) in bfloat16: --trainer sft or
dpo on the first --rows of HH's pairs, grpo with 8 completions of 64 tokens by TRL's own generation. A round is one pass
over the rows, or for grpo --rows prompts. Prints rows (grpo: completions) per second.
"""

import gzip
import json
import queue
import re
import tempfile
import threading
import time
from pathlib import Path

import rounds

arguments = rounds.parse(__doc__, model="", data="", trainer="dpo", rows=16, length=256, batch=4)

import torch
import trl
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, TrainerCallback
from transformers.utils import logging

logging.disable_progress_bar()
path = Path(arguments.model)
tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(
    path.parent, gguf_file=path.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True))


def messages(text):
    """A transcript of HH as messages."""
    parts = re.split(r"\n\n(Human|Assistant):", text)
    role = {"Human": "user", "Assistant": "assistant"}
    return [{"role": role[who], "content": said.strip()} for who, said in zip(parts[1::2], parts[2::2])]


def rows():
    if arguments.trainer == "grpo":
        return [{"prompt": [{"role": "user", "content": f"Tell a story about {i} foxes."}]} for i in range(arguments.rows)]
    with gzip.open(arguments.data, "rt") as lines:
        pairs = [json.loads(next(lines)) for _ in range(arguments.rows)]
    made = []
    for pair in pairs:
        chosen, rejected = messages(pair["chosen"]), messages(pair["rejected"])
        made.append({"prompt": chosen[:-1], "chosen": chosen[-1:], "rejected": rejected[-1:]})
    if arguments.trainer == "dpo":
        return made
    return [{"prompt": row["prompt"], "completion": row["chosen"]} for row in made]


class Gate(TrainerCallback):
    """Lets the trainer take a step each time it is asked to."""

    def __init__(self):
        self.go, self.done = threading.Semaphore(0), queue.Queue()

    def on_step_begin(self, *_, **__):
        self.go.acquire()

    def on_step_end(self, *_, **__):
        self.done.put(None)

    def step(self):
        self.go.release()
        self.done.get()


gate = Gate()
settings = dict(
    output_dir=tempfile.mkdtemp(), report_to=[], use_cpu=True, bf16=True, save_strategy="no", max_steps=1 << 20,
    per_device_train_batch_size=arguments.batch, learning_rate=5e-5, lr_scheduler_type="constant",
    gradient_checkpointing=False, disable_tqdm=True, logging_strategy="no")
peft = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
kind = {"sft": trl.SFTTrainer, "dpo": trl.DPOTrainer, "grpo": trl.GRPOTrainer}[arguments.trainer]
options = {"sft": trl.SFTConfig, "dpo": trl.DPOConfig, "grpo": trl.GRPOConfig}[arguments.trainer]
extra = {}
if arguments.trainer == "grpo":
    settings |= dict(num_generations=8, max_completion_length=64)
    extra["reward_funcs"] = lambda completions, **_: [float(len(c[0]["content"]) % 7) for c in completions]
else:
    settings["max_length"] = arguments.length
trainer = kind(
    model=model, args=options(**settings), train_dataset=Dataset.from_list(rows()), processing_class=tokenizer,
    peft_config=peft, callbacks=[gate], **extra)


def train():
    torch.set_num_threads(arguments.threads)
    trainer.train()


threading.Thread(target=train, daemon=True).start()
steps = arguments.rows if arguments.trainer == "grpo" else arguments.rows // arguments.batch
gate.step()


def work():
    start = time.perf_counter()
    for _ in range(steps):
        gate.step()
    made = steps * (8 if arguments.trainer == "grpo" else arguments.batch)
    return {"rows_per_second": made / (time.perf_counter() - start)}


rounds.run(arguments, work)
