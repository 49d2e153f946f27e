"""Checks that Hugging Face gives the ids that Nabla gave.

    pip install transformers
    python Tests/Fixtures/generate/check_tokenizer.py FOLDER

FOLDER holds tokenizer.json, tokenizer_config.json and cases.json, a list of {"text": …, "ids": […]}. Loads the folder
with AutoTokenizer and the file with PreTrainedTokenizerFast, encodes and decodes each text with both, and saves and
loads once more. Prints a line for each difference and exits with 1 if there is any.
"""

import json
import pathlib
import sys
import tempfile

from transformers import AutoTokenizer, PreTrainedTokenizerFast

folder = pathlib.Path(sys.argv[1])
cases = json.loads((folder / "cases.json").read_text())
tokenizers = {
    "AutoTokenizer": AutoTokenizer.from_pretrained(folder),
    "PreTrainedTokenizerFast": PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json")),
}
with tempfile.TemporaryDirectory() as copy:
    tokenizers["AutoTokenizer"].save_pretrained(copy)
    tokenizers["saved again"] = AutoTokenizer.from_pretrained(copy)

failures = 0
for name, tokenizer in tokenizers.items():
    for case in cases:
        ids = tokenizer(case["text"])["input_ids"]
        text = tokenizer.decode(case["ids"])
        if ids != case["ids"] or text != case["text"]:
            failures += 1
            print(name, repr(case["text"][:60]), "ids differ" if ids != case["ids"] else "decoded text differs")
print(f"{folder}: {len(cases)} texts, {len(tokenizers)} loaders, {failures} differences, {type(tokenizers['AutoTokenizer']).__name__}")
sys.exit(failures > 0)
