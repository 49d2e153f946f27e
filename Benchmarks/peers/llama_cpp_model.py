"""llama.cpp prefills a prompt of --prompt tokens and generates --count greedily. Prints tokens per second of both. A
model with "synthetic" in its name is created if it does not exist."""

import time
from pathlib import Path

import rounds

arguments = rounds.parse(__doc__, model="", prompt=421, count=64)

from llama_cpp import Llama

if "synthetic" in arguments.model and not Path(arguments.model).exists():
    import synthetic_gguf
    synthetic_gguf.write(Path(arguments.model))
model = Llama(arguments.model, n_ctx=1024, n_threads=arguments.threads, n_threads_batch=arguments.threads, verbose=False)
prompt = [1000 + i * 7919 % 40000 for i in range(arguments.prompt)]


def work():
    model.reset()
    start = time.perf_counter()
    model.eval(prompt)
    token = model.sample(temp=0)
    middle = time.perf_counter()
    for _ in range(arguments.count - 1):
        model.eval([token])
        token = model.sample(temp=0)
    end = time.perf_counter()
    return {"prefill": len(prompt) / (middle - start), "decode": (arguments.count - 1) / (end - middle)}


rounds.run(arguments, work)
