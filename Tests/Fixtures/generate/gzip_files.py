"""Writes the gzip fixtures of NablaFormatsTests with Python's gzip.

Run: python gzip_files.py
"""

import gzip
from pathlib import Path

folder = Path(__file__).parent.parent / "formats"


def member(text):
    return gzip.compress(text.encode(), mtime=0)


# Two members and padding: one stream of 60,000 lines, more than one buffer of the reader.
lines = [f"line {i * i % 977}\n" for i in range(60_000)]
whole = member("".join(lines[:40_000])) + member("".join(lines[40_000:]))
(folder / "lines.txt.gz").write_bytes(whole + bytes(20))
# A byte order mark, both kinds of line ends, an empty line, none at the end.
(folder / "mark.txt.gz").write_bytes(member("\ufeffone\r\ntwo\n\nlast"))
