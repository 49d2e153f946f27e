"""Writes the tokens and loss masks that TRL makes of data sets: the fixture of DatasetParityTests.

The data sets go through TRL's own trainers, with the small tokenizers of tokenizer_models.py.
Run: pip install torch transformers trl && python dataset_encoding.py
"""

import json
import tempfile
from pathlib import Path

import trl
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

folder = Path(__file__).parent.parent / "text"
chat = Path(__file__).parent.parent / "chat"
training_templates = Path(trl.__file__).parent / "chat_templates"

TOKENIZERS = {
    "smollm": {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"},
    "qwen2": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    "llama2": {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>"},
}


def tokenizer(name, template):
    result = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "models" / f"{name}.json"), chat_template=template, **TOKENIZERS[name])
    return result


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "Be kind."}
CHAT = [user("What is the model?"), assistant("The end of it."), user("And\n\nthen?"), assistant("Nothing é 12.")]
MESSAGES = [{"messages": CHAT}, {"messages": [SYSTEM] + CHAT[:2]}]
COMPLETIONS = [
    {"prompt": CHAT[:3], "completion": CHAT[3:]},
    {"prompt": [SYSTEM, CHAT[0]], "completion": [assistant("No, it is\nnot.")]},
]
PLAIN = [
    {"prompt": "The model is", "completion": " the end of the text."},
    {"prompt": "One:\n", "completion": "two three"},
]
TEXTS = [{"text": "The end of the model, which is 123 years."}, {"text": "a"}]
PAIRS = [{"prompt": CHAT[:1], "chosen": CHAT[1:2], "rejected": [assistant("I do not know.")]}]
IMPLICIT = [{"chosen": CHAT, "rejected": CHAT[:3] + [assistant("Go away!")]}]
PLAIN_PAIRS = [{"prompt": "The model is", "chosen": " the end.", "rejected": " not there."}]


def model(tokenizer):
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id))


def sft(tokens, rows, output, **options):
    options = trl.SFTConfig(output_dir=output, max_length=None, report_to=[], use_cpu=True, bf16=False, **options)
    trainer = trl.SFTTrainer(
        model(tokens), args=options, train_dataset=Dataset.from_list(rows), processing_class=tokens)
    result = []
    for row in trainer.train_dataset:
        mask = [int(label != -100) for label in row["labels"]]
        result.append({"tokens": list(row["input_ids"]), "mask": mask})
    return result


def dpo(tokens, rows, output):
    options = trl.DPOConfig(output_dir=output, max_length=None, report_to=[], use_cpu=True, bf16=False)
    trainer = trl.DPOTrainer(
        model(tokens), ref_model=model(tokens), args=options, train_dataset=Dataset.from_list(rows), processing_class=tokens)
    return [
        {"prompt": list(row["prompt_ids"]), "chosen": list(row["chosen_ids"]), "rejected": list(row["rejected_ids"])}
        for row in trainer.train_dataset
    ]


def main():
    templates = {name: (chat / f"{name}.jinja").read_text() for name in ["smollm2", "qwen2.5", "llama2", "zephyr"]}
    for name in ["qwen2_5_training", "llama3_training", "phi3_training"]:
        templates[name] = (training_templates / f"{name}.jinja").read_text()
    cases = []
    with tempfile.TemporaryDirectory() as output:

        def add(name, template, rows, kind, **options):
            tokens = tokenizer(name, templates.get(template))
            made = dpo(tokens, rows, output) if kind == "pairs" else sft(tokens, rows, output, **options)
            cases.append({"tokenizer": name, "template": template, "kind": kind, "rows": rows, "expected": made})

        for name in TOKENIZERS:
            add(name, None, TEXTS, "examples")
            add(name, None, PLAIN, "examples")
            add(name, None, PLAIN_PAIRS, "pairs")
        for name, template in [("smollm", "smollm2"), ("qwen2", "qwen2.5"), ("llama2", "llama2"), ("llama2", "zephyr")]:
            add(name, template, COMPLETIONS, "examples")
            add(name, template, PAIRS, "pairs")
            add(name, template, IMPLICIT, "pairs")
        for name, template in [
            ("qwen2", "qwen2_5_training"), ("smollm", "qwen2_5_training"), ("llama2", "llama3_training"),
            ("llama2", "phi3_training"),
        ]:
            add(name, template, MESSAGES, "examples", assistant_only_loss=True)
            add(name, template, COMPLETIONS, "examples")
    used = {case["template"] for case in cases} - {None}
    content = {
        "trl": trl.__version__,
        "tokenizers": TOKENIZERS,
        "templates": {name: templates[name] for name in sorted(used)},
        "cases": cases,
    }
    (folder / "datasets.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


main()
