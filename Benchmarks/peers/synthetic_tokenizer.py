"""synthetic_tokenizer.py FILE: a tokenizer.json as large as Qwen 2's: 151,643 tokens, 151,387 merges of random pairs.
For measuring load time, which does not depend on the content of the tokens."""

import random
import sys
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

COUNT = 151643
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def write(file):
    random.seed(1)
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    known, merges = set(tokens), []
    while len(tokens) < COUNT:
        # Squaring favors the shorter tokens, as real merges do.
        pair = [tokens[int(random.random() ** 2 * len(tokens))] for _ in range(2)]
        whole = "".join(pair)
        if len(whole) <= 16 and whole not in known:
            known.add(whole)
            tokens.append(whole)
            merges.append(tuple(pair))
    tokenizer = Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    split = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(file))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
