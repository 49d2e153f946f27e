"""Seconds from the start of a Python process to the first token that llama.cpp generates in it."""

import subprocess
import sys
import time

import rounds

arguments = rounds.parse(__doc__, model="")
PROGRAM = f"""
from llama_cpp import Llama
model = Llama({arguments.model!r}, n_ctx=1024, n_threads={arguments.threads}, verbose=False)
model.eval(model.tokenize(b"The sky is"))
print(model.detokenize([model.sample(temp=0)]), flush=True)
"""


def work():
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, stdout=subprocess.PIPE)
    return {"seconds": time.perf_counter() - start}


rounds.run(arguments, work)
