"""What image verbs read and write: images, sound and arrays by suffix, or a photograph by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.datasets.photo import PHOTOS, photo
from faltung.errors import FileFormatError, message
from faltung.files.array import read_array, write_array
from faltung.files.depth import to_depth
from faltung.files.image import read_image, write_image
from faltung.files.sound import Sound, read_sound, write_sound

Array = NDArray[Any]
FITS = ("clip", "stretch", "signed")
INTEGERS = ("uint8", "uint16")
MOST_CHANNELS = 4


@dataclass(frozen=True, eq=False)
class Medium:
    """What was read: ``values`` (H, W), (H, W, C), (frames, channels) or any array."""

    name: str
    kind: str
    values: Array
    sound: Sound | None = None

    @property
    def axes(self) -> int:
        """How many axes are space: a third one of up to four entries holds channels."""
        if self.kind == "sound":
            return 1
        if self.values.ndim == 3 and self.values.shape[2] <= MOST_CHANNELS:
            return 2
        return max(self.values.ndim, 1)


@dataclass(frozen=True)
class Written:
    """What became of values in a file: their dtype there, how many had to be clipped."""

    path: str
    dtype: str
    clipped: int
    values: int


def read_medium(name: str) -> Medium:
    """Read a file by its suffix, or one of the photographs that ship with the package."""
    path = Path(name)
    if name in PHOTOS and not path.exists():
        return Medium(name, "image", photo(name))
    if path.suffix.lower() == ".npy":
        return Medium(name, "array", read_array(path))
    if path.suffix.lower() == ".wav":
        sound = read_sound(path)
        return Medium(name, "sound", sound.samples, sound)
    return Medium(name, "image", read_image(path))


def write_medium(path: Path, values: Array, source: Medium, fit: str = "clip") -> Written:
    """Write computed values as the suffix says: NPY as they are, sound and images at their depth.

    Parameters
    ----------
    path : Path
        Its suffix names the format.
    values : array
        As computed, in a wide dtype.
    source : Medium
        Whose depth, and whose rate, they get.
    fit : {"clip", "stretch", "signed"}
        For images of whole numbers: round and clip; spread the least to the greatest value over
        the whole range; put 0 in its middle.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        write_array(path, values)
        return Written(str(path), values.dtype.name, 0, values.size)
    if suffix == ".wav":
        return _write_sound(path, values, source)
    dtype = source.values.dtype.name if source.values.dtype.name in INTEGERS else "uint8"
    if suffix in (".tif", ".tiff") and source.values.dtype.kind == "f":
        write_image(path, values.astype(np.float32))
        return Written(str(path), "float32", 0, values.size)
    fitted = to_depth(_spread(values, np.dtype(dtype), fit), dtype)
    write_image(path, fitted.values)
    return Written(str(path), dtype, fitted.clipped, values.size)


def _spread(values: Array, dtype: np.dtype[Any], fit: str) -> Array:
    most = float(np.iinfo(dtype).max)
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if fit == "stretch" and high > low:
        low = float(values.min())
        return (values - low) * (most / (float(values.max()) - low or 1.0))
    if fit == "signed":
        largest = max(-low, high) or 1.0
        return (most + 1) / 2 + values * ((most - 1) / 2 / largest)
    return values


def _write_sound(path: Path, values: Array, source: Medium) -> Written:
    """At the depth of the sound that it comes from; other depths in the next whole bytes."""
    if source.sound is None:
        rule, cure = "only sound can be written as sound", "Write an image, or .npy"
        raise FileFormatError(message(str(path), rule, {"from": source.name}, cure))
    if source.sound.samples.dtype.kind == "f":
        samples = values.astype(source.sound.samples.dtype)
        write_sound(path, replace(source.sound, samples=samples))
        return Written(str(path), samples.dtype.name, 0, values.size)
    bits = source.sound.bits
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    whole = to_depth(values, np.int64).values
    clipped = np.clip(whole, low, high)
    stored = -(-bits // 8) * 8
    shifted = (clipped << (stored - bits)).astype(np.int32)
    write_sound(path, Sound(shifted, source.sound.rate, stored))
    return Written(str(path), f"{bits} bits", int((clipped != whole).sum()), values.size)
