"""Writes Tests/Fixtures/text/tokenizers.json: what Hugging Face `tokenizers` does with Tests/Fixtures/text/corpus.txt.

    pip install tokenizers==0.23.3 transformers==5.23.0
    python Tests/Fixtures/generate/tokenizers_fixture.py [tinyshakespeare.txt]

With a path to Tiny Shakespeare it also records digests of an 8,000-token vocabulary trained on it.
"""

import hashlib
import json
import pathlib
import random
import sys

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "text"
END = "<|endoftext|>"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": CONTRACTIONS + r"\p{N}{1,3}" + REST,
    "qwen2": CONTRACTIONS + r"\p{N}" + REST,
}


def train(text, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, special_tokens=[END], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def merges(tokenizer):
    return json.loads(tokenizer.to_str())["model"]["merges"]


def digest(values):
    return hashlib.sha256("\n".join(map(str, values)).encode()).hexdigest()


def random_texts(count):
    """Strings over an alphabet chosen to reach every alternative of the patterns."""
    alphabet = list("aZsStTrReEvVlLmMdD'' \n\r\t09,.!") + list("\u00e9\u00df\u017f\u0660\u00bd\u2167\u3000\u00a0\u0085")
    alphabet += list("\u200b\u0301\u4e16\U0001f642\U0001d7d8\U00020000\u2028") + ["  ", "'s", "'LL", "\r\n", END]
    source = random.Random(7)
    return ["".join(source.choices(alphabet, k=source.randrange(1, 40))) for _ in range(count)]


def saved_by_transformers(corpus, texts):
    """A tokenizer as `transformers` saves it, with a chat token that the trainer did not know."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train(corpus, 400), eos_token=END, additional_special_tokens=["<|im_end|>"])
    tokenizer.save_pretrained(FOLDER / "transformers")
    texts = texts + ["a<|im_end|>b<|endoftext|>"]
    return {
        "texts": texts, "ids": [tokenizer(text)["input_ids"] for text in texts],
        "special": [END, "<|im_end|>"],
    }


def main():
    corpus = (FOLDER / "corpus.txt").read_bytes().decode()
    tokenizer = train(corpus, 900)
    texts = random_texts(200)
    fixture = {
        "merges": [" ".join(pair) for pair in merges(tokenizer)],
        "corpus_ids": tokenizer.encode(corpus).ids,
        "texts": texts,
        "text_ids": [tokenizer.encode(text).ids for text in texts],
        "words": {
            name: [[word for word, _ in pre_tokenizers.Split(Regex(pattern), "isolated").pre_tokenize_str(text)]
                   for text in texts]
            for name, pattern in PATTERNS.items()
        },
    }
    fixture["transformers"] = saved_by_transformers(corpus, texts[:60])
    if len(sys.argv) > 1:
        text = pathlib.Path(sys.argv[1]).read_bytes().decode()
        tokenizer = train(text, 8000)
        ids = tokenizer.encode(text).ids
        fixture["tinyshakespeare"] = {
            "merges": digest([" ".join(pair) for pair in merges(tokenizer)]), "ids": digest(ids), "count": len(ids),
        }
    (FOLDER / "tokenizers.json").write_text(json.dumps(fixture, ensure_ascii=True, separators=(",", ":")))


main()
