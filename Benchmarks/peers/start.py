"""Milliseconds from the start of a Python process until transformers is there, with what makes text of a model: before
that no program that uses it can say anything, its --help included."""

import subprocess
import sys
import time

import rounds

arguments = rounds.parse(__doc__)
PROGRAM = "from transformers import AutoModelForCausalLM, AutoTokenizer"


def work():
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
    return {"milliseconds": (time.perf_counter() - start) * 1e3}


rounds.run(arguments, work)
