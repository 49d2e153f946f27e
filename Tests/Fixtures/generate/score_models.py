"""score_models/: tiny randomly initialised reward models as transformers saves them.

Each folder holds config.json, model.safetensors and reference.safetensors with `tokens` [n] int32, sequences one after
the other, `lengths` [B], and `scores` [B] float32, which transformers computed of all at once, padded on the right with
token 3. Sequences end with token 2 (the end), one of them without it; one has the padding token inside.
  llama   2 layers, C 32, 4 query and 2 key/value heads, V 64
  qwen2   biases on queries, keys and values
  gpt2    2 layers, C 32, 4 heads, V 64
"""

import shutil

import torch
from fixture import FOLDER
from safetensors.torch import save_file
from transformers import (
    GPT2Config, GPT2ForSequenceClassification, LlamaConfig, LlamaForSequenceClassification, Qwen2Config,
    Qwen2ForSequenceClassification)

SETTINGS = dict(
    vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    intermediate_size=48, max_position_embeddings=64, rms_norm_eps=1e-5, initializer_range=0.3, bos_token_id=1,
    eos_token_id=2, pad_token_id=3, num_labels=1, dtype="float32")


def save(name, make):
    torch.manual_seed(9)
    model = make().eval()
    with torch.no_grad():
        for parameter_name, p in model.named_parameters():
            if p.dim() == 1:
                p.add_(torch.randn_like(p) * 0.1)
    lengths = [7, 12, 1, 9, 5]
    sequences = [torch.randint(4, 64, (n,)) for n in lengths]
    for i in (0, 1, 3, 4):
        sequences[i][-1] = 2
    sequences[2][-1] = 17
    sequences[3][4] = 3
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=3)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        scores = model(padded, attention_mask=mask.long()).logits[:, 0]
    folder = FOLDER / "score_models" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    save_file(
        {"tokens": torch.cat(sequences).int(), "lengths": torch.tensor(lengths).int(), "scores": scores.contiguous()},
        folder / "reference.safetensors")
    print(f"score_models/{name}: scores {[round(x, 3) for x in scores.tolist()]}")


save("llama", lambda: LlamaForSequenceClassification(LlamaConfig(**SETTINGS)))
save("qwen2", lambda: Qwen2ForSequenceClassification(Qwen2Config(**SETTINGS)))
save("gpt2", lambda: GPT2ForSequenceClassification(GPT2Config(
    vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3, bos_token_id=1,
    eos_token_id=2, pad_token_id=3, num_labels=1, dtype="float32")))
