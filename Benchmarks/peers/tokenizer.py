"""Hugging Face's tokenizers: milliseconds to load a tokenizer.json, and, unless --text is empty, megabytes per second that
it encodes of the Swift sources under that folder. A tokenizer with "synthetic" in its name is made if it is not
there."""

import time
from pathlib import Path

import rounds

arguments = rounds.parse(__doc__, tokenizer="", text="")

from tokenizers import Tokenizer

if "synthetic" in arguments.tokenizer and not Path(arguments.tokenizer).exists():
    import synthetic_tokenizer
    synthetic_tokenizer.write(Path(arguments.tokenizer))


def work():
    start = time.perf_counter()
    tokenizer = Tokenizer.from_file(arguments.tokenizer)
    figures = {"load_milliseconds": (time.perf_counter() - start) * 1e3}
    if arguments.text:
        text = "".join(path.read_text() for path in sorted(Path(arguments.text).rglob("*.swift")))
        start = time.perf_counter()
        tokens = len(tokenizer.encode(text, add_special_tokens=False).ids)
        seconds = time.perf_counter() - start
        figures |= {"encode": len(text.encode()) / 1e6 / seconds, "tokens": tokens}
    return figures


rounds.run(arguments, work)
