"""Milliseconds from the start of a Python process until transformers is imported, with its text-generation classes: no
program that uses it can print anything before that, not even its --help."""

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
