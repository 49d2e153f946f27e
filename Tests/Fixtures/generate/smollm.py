"""smollm.safetensors: SmolLM2-135M-Instruct (Q4_1), which `make model` fetches, run by transformers in float32 from the
dequantized weights, and its likelihood of a text by llama.cpp.

  prompt            int32 [N]: a chat prompt
  logits, columns   float32 [N, 64], int32 [64]: the scores of some tokens after each token of the prompt
  greedy            int32 [64]: what follows, always taking the likeliest token
  text              int32 [T]: a text of a few thousand tokens
  llama_cpp         float32 [1]: mean negative log-likelihood of its tokens, windows of 512 that do not overlap
"""

import sys

import numpy
import torch
from llama_cpp import Llama
from safetensors.torch import save_file
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from fixture import FOLDER

ROOT = FOLDER.parent.parent
FILE = ROOT / ".models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 512
if not FILE.exists():
    sys.exit(f"{FILE} is not there: make model")

tokenizer = AutoTokenizer.from_pretrained(FILE.parent, gguf_file=FILE.name)

reader = GGUFReader(FILE)
meta = {name: reader.fields[f"llama.{name}"].contents() for name in (
    "embedding_length", "block_count", "attention.head_count", "attention.head_count_kv", "feed_forward_length",
    "context_length", "rope.freq_base", "attention.layer_norm_rms_epsilon")}
heads = {"attn_q": meta["attention.head_count"], "attn_k": meta["attention.head_count_kv"]}
names = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
state = {}
for tensor in reader.tensors:
    x = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32))
    parts = tensor.name.split(".")
    if parts[0] != "blk":
        state[{"token_embd": "model.embed_tokens.weight", "output_norm": "model.norm.weight"}[parts[0]]] = x
        continue
    if parts[2] in heads:  # llama.cpp keeps the pairs that turn together side by side
        n = heads[parts[2]]
        x = x.reshape(n, x.shape[0] // n // 2, 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape)
    state[f"model.layers.{parts[1]}.{names[parts[2]]}.weight"] = x
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=len(state["model.embed_tokens.weight"]), hidden_size=meta["embedding_length"],
    num_hidden_layers=meta["block_count"], num_attention_heads=heads["attn_q"], num_key_value_heads=heads["attn_k"],
    intermediate_size=meta["feed_forward_length"], max_position_embeddings=meta["context_length"],
    rms_norm_eps=meta["attention.layer_norm_rms_epsilon"], tie_word_embeddings=True,
    rope_parameters={"rope_type": "default", "rope_theta": meta["rope.freq_base"]})).eval()
missing = model.load_state_dict(state, strict=False)
assert missing.missing_keys == ["lm_head.weight"] and not missing.unexpected_keys, missing
prompt = tokenizer(
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nExplain in a few sentences why the "
    "sky is blue.<|im_end|>\n<|im_start|>assistant\n").input_ids
columns = torch.arange(64) * 761 + 17
with torch.no_grad():
    ids = torch.tensor([prompt])
    logits = model(ids).logits[0][:, columns]
    greedy = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=64, repetition_penalty=1.0,
        eos_token_id=None)[0, len(prompt):]

# The model's own free writing: neither too easy nor too hard.
torch.manual_seed(1)
with torch.no_grad():
    text = model.generate(
        torch.tensor([prompt] * 6), attention_mask=torch.ones(6, len(prompt), dtype=torch.long), do_sample=True,
        temperature=1.2, top_k=0, max_new_tokens=400, eos_token_id=None)[:, len(prompt):].flatten().tolist()
llama = Llama(str(FILE), n_ctx=CONTEXT, n_batch=CONTEXT, logits_all=True, verbose=False)
nats = []
for start in range(0, len(text) - 1, CONTEXT):
    inputs = text[start : min(start + CONTEXT, len(text) - 1)]
    llama.reset()
    llama.eval(inputs)
    scores = torch.from_numpy(numpy.array(llama.scores[: len(inputs)])).double()
    targets = torch.tensor(text[start + 1 : start + 1 + len(inputs)])
    nats.append(torch.nn.functional.cross_entropy(scores, targets, reduction="none"))
nats = torch.cat(nats)
print(f"{len(text)} tokens, llama.cpp {nats.mean():.4f} nats a token; greedy: {tokenizer.decode(greedy)!r}")
save_file(
    {
        "prompt": torch.tensor(prompt).int(), "logits": logits.contiguous(), "columns": columns.int(),
        "greedy": greedy.int().contiguous(), "text": torch.tensor(text).int(), "llama_cpp": nats.mean().float()[None],
    }, FOLDER / "smollm.safetensors")
