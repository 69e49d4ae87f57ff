"""Which images a network gets right, as a text that fits into a column: a bit for each, packed and compressed."""

import base64
import zlib
from collections.abc import Sequence

import numpy as np

COUNT = 4  # bytes at the beginning that say how many answers there are


def pack(right: np.ndarray | Sequence[bool]) -> str:
    """Return the answers of one run, right or wrong for each of n images, as the base64 of zlib of n and n bits.

    Of 10,000 answers, 300 of them wrong, about 500 characters are left. A run that diverged has no
    answers: leave its field empty.

    Raises:
        ValueError: the answers are not booleans of shape (n,), with n at least 1. Tensors must lie in main memory.
    """
    answers = np.asarray(right)
    if answers.dtype != bool or answers.ndim != 1 or not answers.size:
        raise ValueError(f"answers must be booleans of shape (n,), got {answers.dtype} of shape {answers.shape}")
    raw = answers.size.to_bytes(COUNT, "big") + np.packbits(answers).tobytes()
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")


def unpack(text: str) -> np.ndarray:
    """Return the answers that :func:`pack` made a text of, booleans of shape (n,).

    The check sum of zlib tells whether the text is whole.

    Raises:
        ValueError: the text is missing or damaged.
    """
    if not isinstance(text, str):
        raise ValueError(f"the answers are missing: expected the text that pack made, got {text!r}")
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(base64.b64decode(text, validate=True))
    except (ValueError, zlib.error) as error:
        raise ValueError(f"the answers are damaged ({error}): {text[:40]!r}, of {len(text)} characters") from None
    n, packed = int.from_bytes(raw[:COUNT], "big"), raw[COUNT:]
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8)).astype(bool)
    if not reader.eof or reader.unused_data or n < 1 or len(packed) != -(-n // 8) or bits[n:].any():
        raise ValueError(f"the answers are cut, or no answers: {len(packed)} bytes that should hold {n}")
    return bits[:n]
