"""Images: PNG, JPEG, BMP, GIF and TIFF, as what a viewer shows, at the depth that the file has.

========================  ===============================================================
in the file               what is read
========================  ===============================================================
grey, 8 or 16 bits        (H, W) uint8 or uint16
colour, 8 or 16 bits      (H, W, 3) uint8 or uint16; 16-bit colour of PNG by our own decoder
1, 2 or 4 bits            (H, W) uint8, 0 to 255
palette                   its colours; (H, W) where all of them are greys
CMYK, YCbCr, Lab          (H, W, 3) uint8, as Pillow converts them, without colour profiles
transparency              lies on white
EXIF orientation          applied
several frames            the first
float or 32-bit TIFF      (H, W) float32 or int32
========================  ===============================================================

16-bit colour of a TIFF is refused: Pillow cannot read it.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps

from faltung.atomic import write_bytes
from faltung.errors import FileFormatError, message
from faltung.files import png16
from faltung.files.parsing import file_bytes, parsing

FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "TIFF")
MAX_PIXELS: Final = 100_000_000
"""What an image may claim to hold before any of it is unpacked."""
WRITTEN: Final = {
    ".png": ("PNG", ("uint8", "uint16")),
    ".jpg": ("JPEG", ("uint8",)),
    ".jpeg": ("JPEG", ("uint8",)),
    ".bmp": ("BMP", ("uint8",)),
    ".tif": ("TIFF", ("uint8", "uint16", "float32")),
    ".tiff": ("TIFF", ("uint8", "uint16", "float32")),
}
GREY_MODES = ("1", "L", "LA")
ORIENTATION = 0x0112


def read_image(
    path: str | os.PathLike[str],
    *,
    formats: Sequence[str] = FORMATS,
    max_pixels: int | None = None,
) -> NDArray[Any]:
    """Read an image as a viewer shows it; the module's table says what becomes of what.

    Parameters
    ----------
    path : str or path
        The file; its content says which format it is, its suffix does not.
    formats : sequence of str
        Which of PNG, JPEG, BMP, GIF and TIFF are read.
    max_pixels : int, optional
        More than these, by default `MAX_PIXELS`, are refused before any is unpacked: such a file
        may be small.

    Returns
    -------
    array, (H, W) or (H, W, 3)
        uint8 or uint16; float32 or int32 from such TIFFs. A new array.

    Raises
    ------
    StorageError
        Where there is no such file.
    FileFormatError
        Where it is no such image, is broken or cut off, or claims more pixels than are read.
    """
    file_path = Path(path)
    cure = f"Replace it by a {', '.join(formats[:-1])} or {formats[-1]}"
    data = file_bytes(file_path)
    with opened(file_path, data, formats, cure) as image:
        check_size(file_path, image.size, MAX_PIXELS if max_pixels is None else max_pixels)
        header = png16.header_of(data) if image.format == "PNG" else None
        if header is not None and header.is_deep_colour:
            return deep_colour(data)
        return pixels_of(ImageOps.exif_transpose(image), image.format == "TIFF")


def write_image(path: str | os.PathLike[str], pixels: ArrayLike) -> None:
    """Write an image at the depth of its pixels, whole or not at all.

    Parameters
    ----------
    path : str or path
        The file to make or replace. Its suffix names the format: .png (8 and 16 bits), .jpg or
        .jpeg (8 bits, quality 95, colours at full resolution), .bmp (8 bits), .tif or .tiff
        (8 bits; grey also 16 bits and float32).
    pixels : array_like, (H, W) or (H, W, 3)
        uint8, uint16 or float32. Nothing is scaled, rounded or clipped here: `to_depth` does.

    Raises
    ------
    FileFormatError
        For another suffix, shape or dtype, or a dtype that the format cannot hold.
    StorageError
        If the file cannot be written.
    """
    file_path, array = Path(path), np.ascontiguousarray(pixels)
    name = check_writable(file_path, array)
    if array.dtype == np.uint16 and array.ndim == 3:
        write_bytes(file_path, png16.encode(array))
        return
    content = io.BytesIO()
    options = {"JPEG": {"quality": 95, "subsampling": 0}}.get(name, {})
    Image.fromarray(array).save(content, name, **options)
    write_bytes(file_path, content.getvalue())


@contextmanager
def opened(path: Path, data: bytes, formats: Sequence[str], cure: str) -> Iterator[Image.Image]:
    """An image; our own limit stands in for Pillow's warning.

    From memory, because Pillow 13 turns a TIFF that it maps from a file twice.
    """
    with parsing(path, cure), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=list(formats)) as image:
            yield image


def check_size(path: Path, size: tuple[int, int], max_pixels: int) -> None:
    """Refuse a decompression bomb, and an image without pixels."""
    width, height = size
    if width * height > max_pixels:
        rule = f"claims more than {max_pixels:,} pixels"
        cure = "Scale it down first, or read it with a larger max_pixels"
        raise FileFormatError(message(str(path), rule, {"size": f"{width}x{height}"}, cure))
    if not width * height:
        raise FileFormatError(message(str(path), "holds no pixel", {"size": f"{width}x{height}"}))


def check_writable(path: Path, pixels: NDArray[Any]) -> str:
    """Return the name of the format that a suffix stands for, if it holds these pixels."""
    if path.suffix.lower() not in WRITTEN:
        rule, cure = "its suffix names no image format", f"Use one of {', '.join(WRITTEN)}"
        raise FileFormatError(message(str(path), rule, {"suffix": repr(path.suffix)}, cure))
    name, dtypes = WRITTEN[path.suffix.lower()]
    got = {"shape": pixels.shape, "dtype": pixels.dtype}
    is_colour = pixels.ndim == 3 and pixels.shape[2] == 3
    if not pixels.size or not (pixels.ndim == 2 or is_colour):
        rule = "an image has the shape (H, W) or (H, W, 3), and pixels"
        raise FileFormatError(message(str(path), rule, got))
    held = [d for d in dtypes if d == "uint8" or not is_colour or (name, d) == ("PNG", "uint16")]
    if pixels.dtype.name not in held:
        rule = f"{name} holds {' or '.join(held)} here"
        cure = "Round with faltung.files.depth.to_depth, or write .npy"
        raise FileFormatError(message(str(path), rule, got, cure))
    return name


def pixels_of(image: Image.Image, is_tiff: bool = False) -> NDArray[Any]:
    """The pixels that a viewer shows, channels last."""
    if image.mode == "F" or (image.mode == "I" and is_tiff):
        return np.array(image)
    if image.mode.startswith("I"):
        return on_white(np.array(image).astype(np.uint16), image.info.get("transparency"))
    mode = "L" if is_grey(image) else "RGB"
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.array(image.convert(mode))


def on_white(pixels: NDArray[np.uint16], key: Any) -> NDArray[np.uint16]:
    """16-bit greys, the one that stands for transparency replaced."""
    return np.where(pixels == key, np.uint16(65535), pixels) if isinstance(key, int) else pixels


def is_grey(image: Image.Image) -> bool:
    """Whether no colour can occur: by mode, or by the colours of the palette."""
    if image.mode == "P":
        palette = np.reshape(image.getpalette("RGB") or [], (-1, 3))
        return bool((palette == palette[:, :1]).all())
    return image.mode in GREY_MODES


def deep_colour(data: bytes) -> NDArray[np.uint16]:
    """16-bit colour of a PNG, on white, upright."""
    png = png16.decode(data)
    samples = png.samples
    if samples.shape[2] in (2, 4):
        colour, alpha = samples[..., :-1].astype(np.int64), samples[..., -1:].astype(np.int64)
        # Rounded to the nearest; 2**32 fits.
        mixed = (colour * alpha + 65535 * (65535 - alpha) + 32767) // 65535
        samples = mixed.astype(np.uint16)
    elif png.key is not None:
        samples = np.where((samples == png.key).all(axis=2, keepdims=True), 65535, samples)
    exif = Image.Exif()
    exif.load(png.exif)
    pixels = upright(samples.astype(np.uint16, copy=False), exif.get(ORIENTATION, 1))
    return np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def upright(pixels: NDArray[Any], orientation: Any) -> NDArray[Any]:
    """Turn and mirror as EXIF's orientation says; what is none of the eight changes nothing.

    >>> [upright(np.array([[1, 2], [3, 4]]), n).ravel().tolist() for n in (1, 3, 6, 8)]
    [[1, 2, 3, 4], [4, 3, 2, 1], [3, 1, 4, 2], [2, 4, 1, 3]]
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
