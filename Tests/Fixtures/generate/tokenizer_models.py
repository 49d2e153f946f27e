"""Writes Tests/Fixtures/text/models: a small tokenizer of each kind in the form its model family has, and what
Hugging Face `tokenizers` does with a mixed corpus.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 gguf==0.19.0
    python Tests/Fixtures/generate/tokenizer_models.py [SmolLM2-135M-Instruct.Q4_1.gguf]

Each tokenizer is written as NAME.json (a tokenizer.json), those that GGUF has a form for as NAME.gguf too, as
llama.cpp converts them. cases.json holds the texts, and for each tokenizer the ids and what they decode to. With the
path of SmolLM2 its ids are recorded as well.
"""

import io
import json
import pathlib
import random
import sys
import tempfile

import gguf
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "text"
MODELS = FOLDER / "models"
CORPUS = (FOLDER / "corpus.txt").read_bytes().decode()
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TEKKEN = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*|\p{{N}}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = (TEKKEN.replace(f"{LOWER}+|", f"{LOWER}+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|")
         .replace(f"{LOWER}*|", f"{LOWER}*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|").replace(r"|\p{N}|", r"|\p{N}{1,3}|"))
# As their makers' files have them: OpenAI's cl100k at first and as tiktoken has it now, and the last step of DeepSeek V3.
CL100K_FIRST = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
                r"|\s+(?!\S)|\s+")
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
          r"|\s+(?!\S)|\s")
DEEPSEEK = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^""" + "\r\n" + r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[" + "\r\n" + r"]*|\s*[" + "\r\n" + r"]+|\s+(?!\S)|\s+")
MARK = "\u2581"


def texts():
    fixed = [
        "", " ", "  ", "a", " a", "a ", " a  b ", "\n", "\n\n", "a\nb", "\t", "Hello world", "  Hello   world  ", "hello\u2581world",
        "def f(x):\n    return [x ** 2 for x in range(10)]  # \u00e9\n\n\tpass\r\n", "int main() { printf(\"%d\\n\", 42); }",
        "1234567890 3.14 1,000 \u0661\u0662 \u00bd \u2167", "don't I'LL we've 'S it\u2019s", "\u00e9 e\u0301 \u212b \ufb01 \u1e9b\u0323 \uac00 \u1100\u1161\u11a8",
        "\u4e16\u754c\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u3053\u3093\u306b\u3061\u306f \u30c6\u30b9\u30c8", "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0995\u09cd\u09b7",
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\U0001f642 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2194\ufe0f", "\u200b\u00a0\u3000\u2028x", "\x00\x01\x7f\x1b[0m",
        "<s>a</s>", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "<|system|>\nx</s>\n<|user|>\ny</s>", "[CLS] a [SEP]", "<unk><pad>",
        "a <tool> b", "atoolb a tool b  tool  ", "x<left>y   <left>  z", "x<right>   y", "word wordy sword WORD", "CAF\u00c9 caf\u00e9 Stra\u00dfe \u0130",
        "http://a.b/c?d=e&f#g", "(a)[b]{c}<d>", "....", "!!!???", "a" * 60, "ab" * 55, "^" * 70, " " * 70, "\n" * 20, "\u00e9" * 40, "<0x41><0x0A>",
        "\ufffd \ue000 \U000e0001 \U00010ffff"[:6], "The quick brown fox.\nJumps!", "x = {'a': [1, 2.5e-3], \"b\": None}",
        "HTMLParser parseHTML XMLHttpRequest iPhone McDonald's WE'LL 'Sa", "\u0391\u0392\u0393\u03b1\u03b2 \u01c5\u01c5a \u02b0A\u02b0 \u65e5A\u672c \u65e5a \u0301ABC \u0301\u0301 .\u0301A",
        "//a/b\n/ (/\r\n/) \u0301/\n", "A\u0301B\u0301c\u0301 \u65e5\u672c\u8a9eABCabc's\u00d1and\u00fa",
    ]
    alphabet = list("abcdefgTAB/'. \n\t09,!") + list("\u00e9\u0301\u4e16\u0661\u00a0\u3000\u2581\U0001f642\u0928\u094d") + ["  ", "ing", " the", "\r\n", "</s>", " tool "]
    source = random.Random(11)
    return fixed + ["".join(source.choices(alphabet, k=source.randrange(1, 50))) for _ in range(60)]


def byte_level(pre=None, normalizer=None, regex=True, template=None, ignore_merges=False, added=()):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre, level]) if pre else level
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([CORPUS], trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>"],
        show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens(list(added))
    if template:
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=template, special_tokens=[("<s>", 3), ("</s>", 4)])])
    return tokenizer


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def deepseek():
    return byte_level(pre_tokenizers.Sequence([
        split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split(DEEPSEEK)]), regex=False)


def falcon():
    """Falcon's steps, of which some come after the one that spells bytes as characters."""
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        pre_tokenizers.Digits(individual_digits=False), split("[0-9][0-9][0-9]")])
    return tokenizer


ADDED = [
    AddedToken("tool", single_word=True, normalized=False), AddedToken("<left>", lstrip=True, normalized=False),
    AddedToken("<right>", rstrip=True, normalized=False), AddedToken("word", single_word=True, normalized=True),
    AddedToken("caf\u00e9", normalized=True), AddedToken("<tool>", normalized=False), AddedToken("\t\t", normalized=False),
]


def sentence_piece(kind, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.split("\n")), model_writer=model, model_type=kind, vocab_size=560 if kind == "bpe" else 480,
        byte_fallback=options.pop("byte_fallback", True), character_coverage=0.99, minloglevel=2, num_threads=1,
        hard_vocab_limit=False, normalization_rule_name=options.pop("rule", "identity"),
        remove_extra_whitespaces=options.pop("merge_spaces", False), **options)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()), model.getvalue()


def merges_by_score(vocab, scores):
    merges = []
    for piece, score in scores.items():
        local = [(piece[:i], piece[i:], score) for i in range(1, len(piece)) if piece[:i] in vocab and piece[i:] in vocab]
        merges += sorted(local, key=lambda m: (vocab[m[0]], vocab[m[1]]))
    return [(m[0], m[1]) for m in sorted(merges, key=lambda m: m[2], reverse=True)]


# Runs that Gemma has as tokens of their own, through which its merges go; some are looked for before normalization.
RUNS = [
    AddedToken("\n\n", normalized=False), AddedToken("\n\n\n", normalized=False), AddedToken(MARK * 2, normalized=False),
    AddedToken(MARK * 3, normalized=False), AddedToken(MARK * 4, normalized=True),
]


def special_pieces(tokenizer, names=("<unk>", "<s>", "</s>")):
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in names])


def sp_bpe(processor, style):
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    scores = {p: processor.get_score(i) for p, i in vocab.items() if not processor.is_control(i) and not processor.is_unknown(i) and not processor.is_byte(i)}
    tokenizer = Tokenizer(models.BPE(vocab, merges_by_score(vocab, scores), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    marks = decoders.Replace(MARK, " ")
    if style == "llama2":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    elif style == "mistral":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Replace(" ", MARK)
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    steps = [marks, decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if "gemma" not in style else []))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    special_pieces(tokenizer)
    if style == "gemma-runs":
        tokenizer.add_tokens(RUNS)
    return tokenizer


def unigram(processor, style, charsmap):
    size = processor.get_piece_size()
    tokenizer = Tokenizer(models.Unigram(
        [(processor.id_to_piece(i), processor.get_score(i)) for i in range(size)], processor.unk_id(), style == "bytes"))
    if style == "t5":
        tokenizer.normalizer = normalizers.Precompiled(charsmap)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
        tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always")])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", processor.eos_id())])
    special_pieces(tokenizer)
    return tokenizer


def word_piece(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator([CORPUS], trainers.WordPieceTrainer(vocab_size=420, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


# The types of tokens in GGUF files.
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)


def write_gguf(name, model, tokens, kinds, **fields):
    writer = gguf.GGUFWriter(MODELS / f"{name}.gguf", "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    for key, value in fields.items():
        if key == "cls_token_id":
            writer.add_uint32("tokenizer.ggml.cls_token_id", value)
        else:
            getattr(writer, "add_" + key)(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def byte_level_gguf(name, tokenizer, pre, **fields):
    size = tokenizer.get_vocab_size()
    special = {id: token for id, token in tokenizer.get_added_tokens_decoder().items()}
    tokens = [tokenizer.id_to_token(i) for i in range(size)]
    kinds = [NORMAL if i not in special else CONTROL if special[i].special else USER for i in range(size)]
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    write_gguf(name, "gpt2", tokens, kinds, tokenizer_pre=pre, token_merges=[" ".join(m) for m in merges], **fields)


def piece_gguf(name, model, processor, **fields):
    size = processor.get_piece_size()
    kind = lambda i: UNKNOWN if processor.is_unknown(i) else CONTROL if processor.is_control(i) else BYTE if processor.is_byte(i) else NORMAL
    runs = [run.content for run in RUNS]
    pieces = [processor.id_to_piece(i) for i in range(size)]
    # As llama.cpp converts them.
    spelled = [piece.replace(MARK, " ") if piece in runs else piece for piece in pieces]
    write_gguf(
        name, model, spelled, [USER if pieces[i] in runs else kind(i) for i in range(size)],
        token_scores=[processor.get_score(i) for i in range(size)], bos_token_id=processor.bos_id(), eos_token_id=processor.eos_id(),
        unk_token_id=processor.unk_id(), **fields)


def from_gguf(path):
    """The tokenizer of SmolLM2 as its tokenizer.json has it, from the vocabulary in the GGUF file."""
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t, k in zip(tokens, kinds) if k == CONTROL])
    return tokenizer


def record(tokenizer, texts):
    encodings = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    return {
        "ids": encodings, "framed": tokenizer.encode("a b").ids,
        "decoded": [tokenizer.decode(ids, skip_special_tokens=False) for ids in encodings],
    }


def main():
    MODELS.mkdir(exist_ok=True)
    for old in MODELS.iterdir():
        old.unlink()
    bpe, _ = sentence_piece("bpe")
    runs, _ = sentence_piece("bpe", user_defined_symbols=[run.content for run in RUNS] + ["\n"])
    byte_unigram, _ = sentence_piece("unigram")
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        # Full width and ligatures; a sequence; something that goes.
        rules.write("FF01\t21\nFF0C\t2C\nFB01\t66 69\n65 301\tE9\n200B\t\n3000\t20\nA0\t20\n212B\tC5\n")
        rules.flush()
        plain_unigram, proto = sentence_piece(
            "unigram", byte_fallback=False, merge_spaces=True, rule="", normalization_rule_tsv=rules.name)
    from sentencepiece import sentencepiece_model_pb2
    parsed = sentencepiece_model_pb2.ModelProto()
    parsed.ParseFromString(proto)
    charsmap = parsed.normalizer_spec.precompiled_charsmap
    tokenizers = {
        "gpt2": byte_level(), "smollm": byte_level(pre_tokenizers.Digits(individual_digits=True)),
        "digit-runs": byte_level(pre_tokenizers.Digits(individual_digits=False)),
        "llama3": byte_level(split(LLAMA3), regex=False, template="<s> $A", ignore_merges=True),
        "qwen2": byte_level(split(QWEN2), normalizers.NFC(), regex=False),
        "qwen35": byte_level(split(QWEN35), regex=False),
        "tekken": byte_level(split(TEKKEN), regex=False), "gpt-4o": byte_level(split(GPT4O), regex=False),
        "cl100k-first": byte_level(split(CL100K_FIRST), regex=False), "cl100k": byte_level(split(CL100K), regex=False),
        "deepseek-v3": deepseek(), "falcon": falcon(),
        "added": byte_level(normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), added=ADDED, template="<s> $A </s>"),
        "nfd": byte_level(normalizer=normalizers.NFD()), "nfkd": byte_level(normalizer=normalizers.NFKD()),
        "llama2": sp_bpe(bpe, "llama2"), "mistral": sp_bpe(bpe, "mistral"), "gemma": sp_bpe(bpe, "gemma"),
        "gemma-runs": sp_bpe(runs, "gemma-runs"),
        "unigram": unigram(byte_unigram, "bytes", None), "t5": unigram(plain_unigram, "t5", charsmap),
        "bert": word_piece(True), "bert-cased": word_piece(False),
    }
    byte_level_gguf("smollm", tokenizers["smollm"], "smollm", add_bos_token=False)
    byte_level_gguf("llama3", tokenizers["llama3"], "llama-bpe", bos_token_id=3)
    byte_level_gguf("qwen2", tokenizers["qwen2"], "qwen2", chat_template="{{ messages[0].content }}", eos_token_id=2)
    piece_gguf("llama2", "llama", bpe, add_bos_token=True, add_eos_token=False)
    piece_gguf("gemma", "llama", bpe, add_space_prefix=False)
    piece_gguf("gemma-runs", "llama", runs, add_space_prefix=False)
    piece_gguf("t5", "t5", plain_unigram, precompiled_charsmap=charsmap, remove_extra_whitespaces=True)
    bert = tokenizers["bert"]
    tokens = [bert.id_to_token(i) for i in range(bert.get_vocab_size())]
    marked = [t if i < 5 else t[2:] if t.startswith("##") else MARK + t for i, t in enumerate(tokens)]
    write_gguf("bert", "bert", marked, [CONTROL if i < 5 else NORMAL for i in range(len(tokens))], cls_token_id=2, sep_token_id=3, unk_token_id=1)

    corpus = texts()
    cases = {"texts": corpus, "tokenizers": {}}
    for name, tokenizer in tokenizers.items():
        (MODELS / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=True, separators=(",", ":")))
        cases["tokenizers"][name] = record(tokenizer, corpus)
    smollm = FOLDER / "smollm2.json"
    if len(sys.argv) > 1:
        tokenizer = from_gguf(sys.argv[1])
        chat = ["<|im_start|>%s\nHi there, %s!<|im_end|>\n" % (role, role) for role in ["system", "user", "assistant", "tool"]]
        long = [CORPUS[i:i + 3000] for i in range(0, len(CORPUS), 3000)]
        smollm.write_text(json.dumps({"texts": chat + long, **record(tokenizer, corpus + chat + long)}, separators=(",", ":")))
    (MODELS / "cases.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")))
    print(f"{len(tokenizers)} tokenizers, {len(corpus)} texts, {sum(p.stat().st_size for p in MODELS.iterdir()):,} bytes")


main()
