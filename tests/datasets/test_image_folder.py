from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faltung.datasets import load, load_pair
from faltung.errors import DatasetError
from faltung.files import image

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
COLOUR = np.arange(60, dtype=np.uint8).reshape(4, 5, 3) * 4


def save(path: Path, image: Image.Image | NDArray[np.uint8], **options: object) -> None:
    """Write an image, making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(path, **options)


def read_one(tmp_path: Path, name: str, image: Image.Image | NDArray[np.uint8]) -> NDArray:
    """The pixels of a single image after a round trip through a file."""
    save(tmp_path / "one" / name, image)
    return load(tmp_path).images[0]


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two cats, one dog, and what operating systems and people leave behind."""
    root = tmp_path / "pets"
    save(root / "cat" / "b.png", GREY)
    save(root / "cat" / "a.bmp", GREY + 1)
    save(root / "dog" / "c.gif", Image.fromarray(GREY))
    save(root / "dog" / "deeper" / "d.png", GREY)
    (root / "dog" / ".hidden.png").write_bytes(b"not an image")
    (root / "dog" / "notes.txt").write_text("not an image")
    (root / ".git").mkdir()
    (root / "__MACOSX").mkdir()
    (root / "readme.txt").write_text("not a class")
    return root


def test_one_sub_folder_a_class(pets: Path) -> None:
    data = load(pets)
    assert (data.name, data.classes) == ("pets", ("cat", "dog"))
    assert data.labels.tolist() == [0, 0, 1]
    assert data.images.shape == (3, 1, 4, 5)
    assert data.images.dtype == np.uint8
    assert (data.images[:, 0] == [GREY + 1, GREY, GREY]).all()


def test_train_and_test_on_top(pets: Path, tmp_path: Path) -> None:
    root = tmp_path / "both"
    root.mkdir()
    pets.rename(root / "train")
    save(root / "test" / "dog" / "e.png", GREY)
    train, test = load_pair(root)
    assert train.class_counts == (2, 1)
    assert (test.class_counts, test.classes) == ((0, 1), ("cat", "dog"))
    assert train.note == ""


def test_train_alone_on_top(pets: Path, tmp_path: Path) -> None:
    root = tmp_path / "top"
    root.mkdir()
    pets.rename(root / "train")
    train, test = load_pair(root)
    assert (len(train), len(test)) == (2, 1)
    assert "1 of 3 images held out" in test.note


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "1"):
        save(tmp_path / name / "x.png", GREY)
    assert load(tmp_path).classes == ("1", "9", "10")


def test_grey_modes_have_one_channel(tmp_path: Path) -> None:
    assert (read_one(tmp_path, "l.png", GREY) == GREY).all()


def test_colour_has_three_channels(tmp_path: Path) -> None:
    assert (read_one(tmp_path, "rgb.png", COLOUR) == COLOUR.transpose(2, 0, 1)).all()


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    image = read_one(tmp_path, "bit.png", Image.fromarray(GREY > 100))
    assert (image == np.where(GREY > 100, 255, 0)).all()
    assert image.shape == (1, 4, 5)


def test_sixteen_bits_are_rounded(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    image = read_one(tmp_path, "deep.png", Image.fromarray(values))
    assert image.tolist() == [[[round(value / 257) for value in values[0].tolist()]]]


def test_a_grey_palette_is_grey_and_a_coloured_one_is_colour(tmp_path: Path) -> None:
    palette = Image.fromarray(GREY % 3, mode=None).convert("P")
    palette.putpalette([7, 7, 7, 90, 90, 90, 200, 200, 200])
    image = read_one(tmp_path, "p.png", palette)
    assert (image[0] == np.array([7, 90, 200])[GREY % 3]).all()
    palette.putpalette([7, 8, 9, 90, 91, 92, 200, 201, 202])
    image = read_one(tmp_path, "p.png", palette)
    expected = np.array([[7, 8, 9], [90, 91, 92], [200, 201, 202]])[GREY % 3]
    assert (image == expected.transpose(2, 0, 1)).all()


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    alpha = np.zeros((4, 5, 4), np.uint8)
    alpha[0, 0] = (10, 20, 30, 255)
    image = read_one(tmp_path, "rgba.png", alpha)
    assert image[:, 0, 0].tolist() == [10, 20, 30]
    assert (image.reshape(3, -1)[:, 1:] == 255).all()


def test_grey_with_alpha_stays_grey(tmp_path: Path) -> None:
    values = np.stack([GREY, np.where(GREY > 50, 255, 0).astype(np.uint8)], axis=-1)
    image = read_one(tmp_path, "la.png", Image.fromarray(values))
    assert (image == np.where(GREY > 50, GREY, 255)).all()
    assert image.shape == (1, 4, 5)


def test_a_transparent_colour_of_a_palette_is_white(tmp_path: Path) -> None:
    palette = Image.fromarray(GREY % 2).convert("P")
    palette.putpalette([1, 2, 3, 40, 50, 60])
    save(tmp_path / "one" / "t.gif", palette, transparency=0)
    image = load(tmp_path).images[0]
    expected = np.array([[255, 255, 255], [40, 50, 60]])[GREY % 2]
    assert (image == expected.transpose(2, 0, 1)).all()


def test_grey_and_colour_together_have_three_channels(tmp_path: Path) -> None:
    save(tmp_path / "a" / "grey.png", GREY)
    save(tmp_path / "b" / "colour.png", COLOUR)
    images = load(tmp_path).images
    assert (images[0] == GREY).all()
    assert (images[1] == COLOUR.transpose(2, 0, 1)).all()


def test_orientation_is_applied(tmp_path: Path) -> None:
    turned = Image.fromarray(GREY)
    exif = turned.getexif()
    exif[0x0112] = 6  # the viewer turns it by 90 degrees clockwise
    save(tmp_path / "one" / "turned.png", turned, exif=exif)
    assert (load(tmp_path).images[0, 0] == np.rot90(GREY, -1)).all()


def test_jpeg_is_read(tmp_path: Path) -> None:
    save(tmp_path / "one" / "photo.JPG", Image.new("CMYK", (8, 8)), quality=95)
    save(tmp_path / "one" / "photo.jpeg", Image.new("L", (8, 8), 128), quality=95)
    images = load(tmp_path).images
    assert images.shape == (2, 3, 8, 8)
    assert (images[1] == 128).all()


@pytest.mark.parametrize(
    ("other", "size"), [(GREY.T, "4x5"), (GREY[:, 1:], "4x4"), (GREY[1:], "5x3")]
)
def test_another_size_is_named(tmp_path: Path, other: NDArray[np.uint8], size: str) -> None:
    save(tmp_path / "a" / "1.png", GREY)
    save(tmp_path / "a" / "2.png", GREY)
    save(tmp_path / "b" / "3.png", other)
    text = rf"3\.png: all images must have one size, 1\.png has 5x4, got size={size}"
    with pytest.raises(DatasetError, match=text):
        load(tmp_path)


def test_an_empty_class_is_named(pets: Path) -> None:
    (pets / "fish").mkdir()
    with pytest.raises(DatasetError, match=r"a class has no image, got class='fish'\. Put images"):
        load(pets)


def test_a_test_class_without_training_images_is_named(pets: Path, tmp_path: Path) -> None:
    root = tmp_path / "both"
    root.mkdir()
    pets.rename(root / "train")
    save(root / "test" / "fish" / "e.png", GREY)
    with pytest.raises(DatasetError, match="missing from the training part, got class='fish'"):
        load(root, split="test")


def test_an_unreadable_file_is_named(pets: Path) -> None:
    (pets / "dog" / "broken.png").write_bytes(b"GIF? no.")
    text = r"broken\.png: cannot be read, got error=UnidentifiedImageError"
    with pytest.raises(DatasetError, match=text) as caught:
        load(pets)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_named(pets: Path) -> None:
    whole = pets / "cat" / "b.png"
    whole.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(DatasetError, match=r"b\.png: cannot be read, got error=OSError"):
        load(pets)


def test_other_formats_are_refused_whatever_their_suffix(tmp_path: Path) -> None:
    save(tmp_path / "one" / "tiff.png", GREY, format="TIFF")
    with pytest.raises(DatasetError, match=r"tiff\.png: cannot be read.*Replace it by a PNG"):
        load(tmp_path)


def test_a_decompression_bomb_is_refused(pets: Path, monkeypatch) -> None:
    monkeypatch.setattr(image, "MAX_PIXELS", 19)
    with pytest.raises(DatasetError, match=r"a\.bmp: claims more than 19 pixels, got size=5x4\."):
        load(pets)


def test_a_folder_of_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds neither IDX nor CIFAR files nor one sub-folder"):
        load(tmp_path)
