"""Checks that llama.cpp and transformers read a GGUF file, and a folder made from it, and compute the same logits.

Usage: check_gguf.py FILE.gguf [--folder FOLDER] [--reference FILE.safetensors] [--text TEXT] [--tolerance X]

Without a reference (`input_ids`, `logits`) the tokens are those of TEXT by llama.cpp's tokenizer; with a folder its
tokenizer must give the same. llama.cpp rounds activations to 8 bits where weights are quantized, so its logits differ
by some hundredths. Exits 1 if the largest difference exceeds the tolerance.
"""

import argparse
import ctypes
import sys

import llama_cpp
import numpy as np
from safetensors.numpy import load_file

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("file")
parser.add_argument("--folder")
parser.add_argument("--reference")
parser.add_argument("--text", default="The capital of France is Paris, 1234 + 5 = 1239.\n\nDas schöne Wetter 名前 🙂")
parser.add_argument("--tolerance", type=float, default=0.05)
arguments = parser.parse_args()

quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
llama_cpp.llama_log_set(quiet, ctypes.c_void_p())
model = llama_cpp.llama_model_load_from_file(arguments.file.encode(), llama_cpp.llama_model_default_params())
if not model:
    sys.exit(f"llama.cpp does not load {arguments.file}")
vocabulary = llama_cpp.llama_model_get_vocab(model)
rows = llama_cpp.llama_vocab_n_tokens(vocabulary)


def tokens_of(text):
    data = text.encode()
    buffer = (llama_cpp.llama_token * (len(data) + 8))()
    count = llama_cpp.llama_tokenize(vocabulary, data, len(data), buffer, len(buffer), False, True)
    return list(buffer[:count])


def logits_of(ids):
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = max(len(ids), 32)
    parameters.type_k = parameters.type_v = llama_cpp.GGML_TYPE_F32  # the usual float16 costs a hundredth
    parameters.flash_attn_type = 0
    context = llama_cpp.llama_init_from_model(model, parameters)
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, 1
    if llama_cpp.llama_decode(context, batch) != 0:
        sys.exit("llama_decode fails")
    found = np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), shape=(len(ids), rows)).copy()
    llama_cpp.llama_free(context)
    return found


problems = []


def compare(name, found, expected):
    difference = np.abs(found - expected).max()
    print(f"{name}: largest difference {difference:.3g}, logits within ±{np.abs(expected).max():.3g}, "
          f"same choice {np.mean(found.argmax(-1) == expected.argmax(-1)):.1%}")
    if not difference <= arguments.tolerance:
        problems.append(f"{name}: {difference:.3g} exceeds {arguments.tolerance:g}")


if arguments.reference:
    reference = load_file(arguments.reference)
    sequences = [list(map(int, ids)) for ids in reference["input_ids"]]
    found = [logits_of(ids) for ids in sequences]
    compare("llama.cpp and the reference", np.stack(found), reference["logits"])
else:
    sequences = [tokens_of(arguments.text)]
    found = [logits_of(sequences[0])]
    print(f"llama.cpp: {len(sequences[0])} tokens")

if arguments.folder:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network, loading = AutoModelForCausalLM.from_pretrained(
        arguments.folder, dtype=torch.float32, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if loading[kind]:
            problems.append(f"{kind}: {sorted(map(str, loading[kind]))}")
    with torch.no_grad():
        theirs = network.eval()(torch.tensor(sequences)).logits.float().numpy()
    compare("llama.cpp and transformers", np.stack(found), theirs)
    if not arguments.reference:
        ids = AutoTokenizer.from_pretrained(arguments.folder)(arguments.text, add_special_tokens=False)["input_ids"]
        if ids != sequences[0]:
            problems.append(f"the folder's tokenizer gives {ids}, llama.cpp {sequences[0]}")

for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(1 if problems else 0)
