"""The convolutions of the networks in ``networks.txt``, as tasks for their three passes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.tasks import HERE, Task

BATCH = 128
PASSES = ("forward", "dx", "dw")
CONV = re.compile(r"conv(\d+)(?:/(\d+))?:(\d+)")
_REPEATED = re.compile(r"\[([^\[\]]*)\]\*(\d+)")
_OTHERS = re.compile(r"bn|relu|gap|\+|dense:\d+")


def gradients(path: Path = HERE / "networks.txt", batch: int = BATCH) -> list[Task]:
    """Return the passes of every convolution of 3x3 and 5x5, equal layers of a network once."""
    return [task for line in lines(path) for task in _convolutions(*line, batch)]


def lines(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Give each network's name, its input, and the words of its layers."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, image, *words = unrolled(line).split()
            yield name, image, words


def unrolled(line: str) -> str:
    """Write out what stands in brackets.

    >>> unrolled("a [ b c ]*2 d").split()
    ['a', 'b', 'c', 'b', 'c', 'd']
    """
    while (found := _REPEATED.search(line)) is not None:
        line = line[: found.start()] + f"{found[1]} " * int(found[2]) + line[found.end() :]
    return line


def _convolutions(network: str, image: str, words: list[str], batch: int) -> Iterator[Task]:
    channels, height, width = (int(n) for n in image.split("x"))
    seen = set()
    for word in words:
        if (conv := CONV.fullmatch(word)) is not None:
            k, stride, out = int(conv[1]), int(conv[2] or 1), int(conv[3])
            shape = (channels, height, width, out, k, stride)
            if shape not in seen:
                seen.add(shape)
                yield from _passes(f"{network}.{len(seen)}", shape, batch)
            channels, height, width = out, -(-height // stride), -(-width // stride)
        elif word.startswith("pool"):
            height, width = (n // int(word.removeprefix("pool")) for n in (height, width))
        elif not _OTHERS.fullmatch(word):
            raise ValueError(f"benchmarks: {network}: what is {word!r}?")


def _passes(name: str, shape: tuple[int, ...], batch: int) -> Iterator[Task]:
    channels, height, width, out, k, stride = shape
    x_shape, w_shape = (batch, channels, height, width), (out, channels, k, k)
    steps, pads, ones = (stride, stride), (k // 2, k // 2), (1, 1)
    for what in PASSES:
        yield Task(f"{name}.{what}", True, "conv", x_shape, w_shape, steps, pads, ones, what=what)
