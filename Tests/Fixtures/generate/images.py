"""formats/icon.png, an interlaced 4-bit palette with transparency, and what Pillow reads of it in icon.safetensors:
rgba [13, 11, 4], and gray [13, 11], laid over white.
"""

import struct
import zlib

import numpy as np
import torch
from fixture import FOLDER
from PIL import Image
from safetensors.torch import save_file

WIDTH, HEIGHT = 11, 13
rng = np.random.default_rng(18)
palette = rng.integers(0, 256, (16, 3), dtype=np.uint8)
opacity = np.array([0, 128, 255, 7], dtype=np.uint8)
pixels = rng.integers(0, 16, (HEIGHT, WIDTH))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# Adam7: seven coarser grids one after the other; rows of two pixels a byte, filters none and up in turn.
raw = b""
for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
    part = pixels[y0::dy, x0::dx]
    if part.size == 0:
        continue
    part = np.pad(part, ((0, 0), (0, part.shape[1] % 2)))
    rows = (part[:, 0::2] << 4 | part[:, 1::2]).astype(np.uint8)
    above = np.zeros_like(rows[0])
    for i, row in enumerate(rows):
        raw += bytes([0]) + row.tobytes() if i % 2 == 0 else bytes([2]) + (row - above).tobytes()
        above = row

path = FOLDER / "formats" / "icon.png"
path.write_bytes(
    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 4, 3, 0, 0, 1))
    + chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", opacity.tobytes()) + chunk(b"IDAT", zlib.compress(raw, 9))
    + chunk(b"IEND", b""))

image = Image.open(path).convert("RGBA")
white = Image.new("RGBA", image.size, (255, 255, 255, 255))
gray = Image.alpha_composite(white, image).convert("RGB").convert("L")
save_file({"rgba": torch.from_numpy(np.asarray(image).copy()), "gray": torch.from_numpy(np.asarray(gray).copy())},
          path.with_suffix(".safetensors"))
print("icon.png", path.stat().st_size, "bytes")
