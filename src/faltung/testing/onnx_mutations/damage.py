"""Damage to the bytes of a file: flipped, lost, put in, twice, in another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

Damage = Callable[[Random, bytes], bytes]
ODD: Final = (b"\x00", b"\xff", b"\x08\x80\x80\x80\x80\x10", b"\n", b"../", b"\x7f\xff\xff\xff")
"""What is put in: zeros, long varints, the tag of a field, a piece of a path."""


def flip(rng: Random, data: bytes) -> bytes:
    """Change one bit, or a few."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(rng: Random, data: bytes) -> bytes:
    """Write odd bytes over others."""
    odd, start = rng.choice(ODD), rng.randrange(len(data))
    return data[:start] + odd + data[start + len(odd) :]


def truncate(rng: Random, data: bytes) -> bytes:
    """Lose the end."""
    return data[: rng.randrange(len(data))]


def lose(rng: Random, data: bytes) -> bytes:
    """Lose a piece from the middle."""
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.choice((1, 2, 9, 99)) :]


def insert(rng: Random, data: bytes) -> bytes:
    """Put odd bytes in, or many of them."""
    start = rng.randrange(len(data))
    odd = rng.choice(ODD) * rng.choice((1, 1, 3, 1000))
    return data[:start] + odd + data[start:]


def double(rng: Random, data: bytes) -> bytes:
    """Have a piece twice: protobuf merges what comes twice, and appends what repeats."""
    start = rng.randrange(len(data))
    stop = start + rng.choice((1, 8, 64, len(data)))
    return data[:stop] + data[start:stop] + data[stop:]


def swap(rng: Random, data: bytes) -> bytes:
    """Have two pieces in the other order."""
    first, second, third = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


DAMAGES: Final[Sequence[Damage]] = (flip, flip, overwrite, truncate, lose, insert, double, swap)


def damaged(rng: Random, data: bytes) -> tuple[str, bytes]:
    """Return what was done, and the bytes after it.

    Parameters
    ----------
    rng : random.Random
        Draws what is done, and where.
    data : bytes
        Of a file, at least one of them.
    """
    damage = rng.choice(DAMAGES)
    return damage.__name__, damage(rng, data)
