"""trl_steps/: the losses of the first ten steps of TRL's trainers, on a tiny Llama, in float32.

`model/` is a random Llama of byte tokens (2 layers, C 32), its numbers exact in bfloat16; `adapter/` a LoRA of rank 4 on
all its linear layers whose B is not 0, so that it changes the model before the first step. `sft.jsonl` and `pairs.jsonl`
have 8 rows each, of different lengths: two micro-batches of 4 make a step, so every step is a pass over all rows and
their order within it does not matter.

`losses.json` has `learning_rate` and 10 losses by trainer and by what is trained ("full", "lora"). The rate falls in a
straight line to 0, the gradient norm is clipped at 1, AdamW has no weight decay.
  sft                                              the mean over the completions' tokens of both micro-batches
  sigmoid, ipo, hinge, robust (ε 0.1), sigmoid_norm, cdpo (sigmoid with ε 0.1: not in TRL, see below)
                                                   DPO at β 0.1; the reference is what training began with, so with
                                                   "lora" the adapter and not the bare model
  reward                                           a sequence classifier whose head is `score` [C]; with "lora" the head
                                                   is trained beside the adapter. The padding token is a byte that no
                                                   text has: with <|end|> as padding, transformers would read the score
                                                   before the end, and not train the end's embedding
"""

import copy
import json
import os
import shutil
import tempfile

import torch
from datasets import Dataset
from fixture import FOLDER
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM, AutoModelForSequenceClassification, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast)
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

folder = FOLDER / "trl_steps"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir()
torch.manual_seed(15)
STEPS, RATES = 10, {"full": 1e-3, "lora": 3e-3}


def rounded(x, scale):
    return (x * scale).bfloat16().float()


# ---- the model, the adapter, the rows

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
bytes_only = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(alphabet)}, merges=[]))
bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
bytes_only.decoder = decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_only, eos_token="<|end|>", pad_token="<|end|>")
tokenizer.save_pretrained(folder / "model")
config = LlamaConfig(
    vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    intermediate_size=48, max_position_embeddings=64, tie_word_embeddings=True, bos_token_id=None,
    eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
model = LlamaForCausalLM(config)
with torch.no_grad():
    for name, p in model.named_parameters():
        p.copy_(1 + rounded(torch.randn_like(p), 0.1) if p.dim() == 1 else rounded(torch.randn_like(p), 0.15))
        p.copy_(p.bfloat16())
model.bfloat16().save_pretrained(folder / "model")
score = rounded(torch.randn(32), 0.3)


def base(kind=AutoModelForCausalLM, **options):
    return kind.from_pretrained(folder / "model", dtype=torch.float32, **options)


def lora(model, **options):
    model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", **options))
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            if "lora_" in name:
                p.copy_(rounded(torch.randn(p.shape, generator=generator), 0.1))
    return model


adapter = lora(base(), task_type="CAUSAL_LM")
adapter.peft_config["default"].base_model_name_or_path = "model"
adapter.save_pretrained(folder / "adapter")
(folder / "adapter" / "README.md").unlink(missing_ok=True)

sft = [
    {"prompt": f"{'x' * (i % 3)}{i} and {3 * i % 7}: ", "completion": "no" * (i % 4) + f"{i + 3 * i % 7}."} for i in range(8)
]
pairs = [
    {"prompt": f"{'?' * (i % 4)}{i}> ", "chosen": "yes " * (i % 3) + f"{i}", "rejected": f"{9 - i}" + "!" * (i * 5 % 7)}
    for i in range(8)
]
for name, rows in [("sft", sft), ("pairs", pairs)]:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

# ---- the steps

os.environ["WANDB_DISABLED"] = "true"


def recording(kind):
    """A trainer that keeps the loss of each micro-batch, as far as it counts in the step's."""

    class Recording(kind):
        def training_step(self, *arguments, **options):
            loss = super().training_step(*arguments, **options)
            self.seen = getattr(self, "seen", []) + [loss.item()]
            return loss

    return Recording


def steps(kind, options, model, rows, what, **settings):
    with tempfile.TemporaryDirectory() as output:
        arguments = options(
            output_dir=output, max_length=None, report_to=[], use_cpu=True, bf16=False, save_strategy="no",
            per_device_train_batch_size=4, gradient_accumulation_steps=2, max_steps=STEPS, learning_rate=RATES[what],
            lr_scheduler_type="linear", gradient_checkpointing=False, disable_tqdm=True, logging_steps=1, **settings)
        trainer = recording(kind)(
            model=model, args=arguments, train_dataset=Dataset.from_list(rows),
            processing_class=copy.deepcopy(tokenizer))
        trainer.train()
    assert len(trainer.seen) == 2 * STEPS
    return [sum(trainer.seen[i:i + 2]) for i in range(0, 2 * STEPS, 2)]


class SmoothedDPO(DPOTrainer):
    """TRL 1.x has no label smoothing in its sigmoid loss: (1 - ε)·L(z) + ε·L(-z), of the sums it computes itself."""

    def _compute_loss(self, model, inputs, return_outputs):
        half = len(inputs["input_ids"]) // 2
        swapped = {
            key: torch.cat([value[half:], value[:half]]) if torch.is_tensor(value) and len(value) == 2 * half else value
            for key, value in inputs.items()
        }
        straight = super()._compute_loss(model, inputs, False)
        return 0.9 * straight + 0.1 * super()._compute_loss(model, swapped, False)


losses = {}
for what in RATES:
    def start():
        if what == "full":
            return base()
        return PeftModel.from_pretrained(base(), folder / "adapter", is_trainable=True)

    made = {"sft": steps(SFTTrainer, SFTConfig, start(), sft, what)}
    for loss in ["sigmoid", "ipo", "hinge", "robust", "sigmoid_norm"]:
        made[loss] = steps(
            DPOTrainer, DPOConfig, start(), pairs, what, loss_type=loss, beta=0.1,
            label_smoothing=0.1 if loss == "robust" else 0.0)
    made["cdpo"] = steps(SmoothedDPO, DPOConfig, start(), pairs, what, loss_type="sigmoid", beta=0.1)
    classifier = base(AutoModelForSequenceClassification, num_labels=1, pad_token_id=len(alphabet) - 1)
    with torch.no_grad():
        classifier.score.weight.copy_(score[None])
    if what == "lora":
        classifier = lora(classifier, task_type="SEQ_CLS", modules_to_save=["score"])
        own = {name: p for name, p in classifier.named_parameters()}
        with torch.no_grad():
            for name, p in adapter.named_parameters():
                if "lora_" in name:
                    own[name].copy_(p)
    made["reward"] = steps(RewardTrainer, RewardConfig, classifier, pairs, what, pad_token=alphabet[-1])
    losses[what] = {"learning_rate": RATES[what], **made}
losses["score"] = score.tolist()
(folder / "losses.json").write_text(json.dumps(losses, indent=1) + "\n")
for what in RATES:
    for name, values in losses[what].items():
        print(what, name, values)
print(f"trl_steps: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file()):,} bytes")
