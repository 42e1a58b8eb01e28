"""What a vector is known by: a hash of what it is of."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xxhash

from entropyguard.core.arrays import Keys


def text_keys(texts: Iterable[str]) -> Keys:
    """The key of each text that is one window: the xxh3_128 digest of its UTF-8 bytes."""
    return _as_keys(b"".join(xxhash.xxh3_128_digest(text.encode()) for text in texts))


def window_keys(text: str, count: int) -> Keys:
    """The keys of the windows of a text that has several: the digest is seeded with the window and their number.

    So they are nobody else's: not those of a text that is one window, nor those of this text cut otherwise.
    """
    data = text.encode()
    return _as_keys(b"".join(xxhash.xxh3_128_digest(data, seed=count << 32 | window) for window in range(count)))


def _as_keys(digests: bytes) -> Keys:
    return np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2)
