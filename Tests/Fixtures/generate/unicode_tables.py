"""Writes Sources/NablaText/Tokenizers/UnicodeMappings.swift: the decompositions and compositions of Unicode.

    pip install tokenizers==0.23.3
    python Tests/Fixtures/generate/unicode_tables.py

Taken from the normalizers of `tokenizers`, character by character, so that both know the same version of Unicode.
Hangul syllables are computed and not in the table.
"""

import pathlib

from tokenizers import normalizers

ROOT = pathlib.Path(__file__).resolve().parents[3]
NFC, NFD, NFKD = normalizers.NFC(), normalizers.NFD(), normalizers.NFKD()
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and not 0xAC00 <= c < 0xD7A4]


def entries():
    """(character, canonical decomposition, compatible decomposition, pair that composes to it), each maybe empty."""
    canonical, compatible, pairs = [], [], []
    for code in SCALARS:
        character = chr(code)
        nfd, nfkd = NFD.normalize_str(character), NFKD.normalize_str(character)
        if nfd != character:
            canonical.append(character + nfd)
            if NFC.normalize_str(nfd) == character:
                first = NFC.normalize_str(nfd[:-1])
                assert len(first) == 1, hex(code)
                pairs.append(first + nfd[-1] + character)
        if nfkd != nfd:
            compatible.append(character + nfkd)
    return canonical, compatible, pairs


def literal(name, comment, rows):
    # Escapes keep the file readable by every editor: marks without a base, directions, and controls are among them.
    lines, line = [], ""
    for row in rows:
        text = " ".join(f"{ord(c):X}" for c in row) + ";"
        if len(line) + len(text) > 112:
            lines.append(line)
            line = ""
        line += text
    lines.append(line)
    body = "\n".join("    " + l + "\\" for l in lines)
    return f'  /// {comment}\n  static let {name}: StaticString = """\n{body}\n\n    """\n'


def main():
    canonical, compatible, pairs = entries()
    text = "\n".join([
        "// Made by Tests/Fixtures/generate/unicode_tables.py; do not edit.\n",
        "/// What Unicode normalization needs to know beyond the properties of the standard library.\n///",
        "/// Each table is hexadecimal code points with spaces between them and a semicolon after each row.",
        "enum UnicodeMappings {",
        literal("canonical", "A character and its full canonical decomposition.", canonical),
        literal("compatible", "A character and its full compatibility decomposition, where that is another one.", compatible),
        literal("compositions", "Two characters and the one they compose to.", pairs).rstrip("\n"),
        "}\n",
    ])
    path = ROOT / "Sources/NablaText/Tokenizers/UnicodeMappings.swift"
    path.write_text(text)
    print(f"{path.name}: {len(canonical)} canonical, {len(compatible)} compatible, {len(pairs)} compositions, {len(text):,} bytes")


main()
