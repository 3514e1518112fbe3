"""Which images a batch holds, and its chance: pure functions of seed, epoch and batch.

No generator lives from one batch to the next. A run that is resumed at batch b of epoch e asks for
the order of epoch e and the generator of batch b, and gets what the run never stopped would have.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from faltung.errors import TrainingError, message


def rng(seed: int, *path: int | str) -> np.random.Generator:
    """Return the generator that belongs to a seed and a path, such as ``"augment", epoch, batch``.

    Different paths give independent streams (Philox, seeded through NumPy's ``SeedSequence``).

    Parameters
    ----------
    seed : int
        In [0, 2**64).
    path : int or str
        Integers in [0, 2**32); a word stands for its CRC-32.

    Raises
    ------
    TrainingError
        A seed or a part of the path outside its range [batches B1].

    Examples
    --------
    >>> [rng(1, "augment", 0, 3).integers(100, size=3).tolist() for _ in range(2)]
    [[13, 76, 1], [13, 76, 1]]
    """
    _check_word("seed", seed, 64)
    words = tuple(zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path)
    for word in words:
        _check_word("path", word, 32)  # a longer part would be read as two
    sequence = np.random.SeedSequence(seed, spawn_key=words)
    return np.random.Generator(np.random.Philox(sequence))


def epoch_order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """Order in which an epoch visits n images: a permutation of range(n).

    >>> sorted(epoch_order(0, 2, 5).tolist())
    [0, 1, 2, 3, 4]
    """
    return rng(seed, "order", epoch).permutation(n).astype(np.int64, copy=False)


def batch_count(n: int, batch_size: int) -> int:
    """Batches in an epoch of n images; the last may be smaller.

    Raises
    ------
    TrainingError
        A batch size below 1 [batches B2].

    Examples
    --------
    >>> batch_count(10, 4)
    3
    """
    if batch_size < 1:
        rule, values = "batch_size must be at least 1", {"batch_size": batch_size}
        raise TrainingError(message("batches", rule, values, "", "batches B2"))
    return -(-n // batch_size)


def batches(
    n: int, batch_size: int, *, seed: int, epoch: int, start: int = 0
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield (batch, indices of its images) of an epoch, from batch ``start`` on.

    >>> [len(images) for _, images in batches(10, 4, seed=0, epoch=0)]
    [4, 4, 2]
    """
    count = batch_count(n, batch_size)
    order = epoch_order(seed, epoch, n)
    for batch in range(start, count):
        yield batch, order[batch * batch_size : (batch + 1) * batch_size]


def _check_word(name: str, value: int, bits: int) -> None:
    if not 0 <= value < 2**bits:
        rule = f"{name} must be in [0, 2**{bits})"
        raise TrainingError(message("rng", rule, {name: value}, "", "batches B1"))
