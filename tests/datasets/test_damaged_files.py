"""Whatever happens to its bytes, a file is a data set or a `DatasetError`, nothing else."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from faltung.datasets import Dataset, load
from faltung.errors import DatasetError

# The folder is the same for all examples on purpose: each overwrites the one file it damages.
reuse = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
Damage = Callable[[bytes], bytes]


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Cut off, flip, insert or repeat somewhere, or several of these; most often near an end."""
    kinds = st.sampled_from(["cut", "flip", "insert", "repeat", "zero"])
    steps = draw(st.lists(st.tuples(kinds, places, st.integers(1, 255)), min_size=1, max_size=3))

    def damage(content: bytes) -> bytes:
        for kind, (end, offset), value in steps:
            place = min(offset, len(content)) if end else max(len(content) - offset, 0)
            content = step(content, kind, place, value)
        return content

    return damage


places = st.tuples(st.booleans(), st.one_of(st.integers(0, 128), st.integers(0, 4000)))


def step(content: bytes, kind: str, place: int, value: int) -> bytes:
    """One kind of damage at one place."""
    head, tail = content[:place], content[place:]
    if kind == "cut":
        return head
    if kind == "flip":
        return head + bytes(byte ^ value for byte in tail[:1]) + tail[1:]
    if kind == "zero":
        return head + bytes(len(tail[:value])) + tail[value:]
    return head + (tail[:value] if kind == "repeat" else bytes([value])) + tail


def outcome(path: Path) -> str:
    """What came of loading; anything but these two is the bug that is looked for."""
    try:
        data = load(path)
    except DatasetError:
        return "refused"
    assert isinstance(data, Dataset)
    return "read"


def check(path: Path, content: bytes, folder: Path, damage: Damage) -> None:
    damaged = damage(content)
    path.write_bytes(damaged)
    result = outcome(folder)
    path.write_bytes(content)
    if damaged == content:
        assert result == "read"


@reuse
@given(
    damage=damages(),
    name=st.sampled_from(["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"]),
)
def test_idx(idx_folder: Path, name: str, damage: Damage) -> None:
    path = idx_folder / name
    check(path, path.read_bytes(), idx_folder, damage)


def test_every_truncation_and_every_flip_of_an_idx_header(idx_folder: Path) -> None:
    path = idx_folder / "train-labels-idx1-ubyte"
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert outcome(idx_folder) == "refused"
    for place in range(8):
        for bit in range(8):
            path.write_bytes(step(content, "flip", place, 1 << bit))
            assert outcome(idx_folder) == "refused"


def test_every_truncation_of_gzip(idx_folder: Path) -> None:
    path = idx_folder / "train-images-idx3-ubyte.gz"
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert outcome(idx_folder) == "refused"


@reuse
@given(damage=damages(), name=st.sampled_from(["data_batch_2.bin", "data_batch_5.bin"]))
def test_cifar(cifar_folder: Path, name: str, damage: Damage) -> None:
    path = cifar_folder / name
    check(path, path.read_bytes(), cifar_folder, damage)


@reuse
@given(damage=damages(), mode=st.sampled_from(["w", "w:gz"]))
def test_cifar_archive(cifar_folder: Path, mode: str, damage: Damage) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        archive.add(cifar_folder, arcname="cifar-10-batches-bin")
    path = cifar_folder.parent / "archive.tar"
    check(path, buffer.getvalue(), path, damage)


def archive_of(members: dict[str, bytes], method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


MEMBERS = {
    "images.npy": npy(np.arange(72, dtype=np.uint8).reshape(6, 3, 4)),
    "labels.npy": npy(np.array([0, 1, 2, 0, 1, 2])),
    "classes.npy": npy(np.array(["a", "b", "c"])),
}


@reuse
@given(damage=damages(), method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_npz(tmp_path: Path, method: int, damage: Damage) -> None:
    path = tmp_path / "d.npz"
    check(path, archive_of(MEMBERS, method), path, damage)


@reuse
@given(damage=damages(), name=st.sampled_from(sorted(MEMBERS)))
def test_npz_of_damaged_members(tmp_path: Path, name: str, damage: Damage) -> None:
    # The damage lies below zip's checksum, so that NumPy's parser gets to see it.
    members = MEMBERS | {name: damage(MEMBERS[name])}
    path = tmp_path / "d.npz"
    path.write_bytes(archive_of(members, zipfile.ZIP_STORED))
    outcome(path)


@reuse
@given(damage=damages(), suffix=st.sampled_from(["png", "jpg", "bmp", "gif"]))
def test_images(tmp_path: Path, suffix: str, damage: Damage) -> None:
    buffer = io.BytesIO()
    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    Image.fromarray(pixels).save(buffer, format={"jpg": "JPEG"}.get(suffix, suffix))
    folder = tmp_path / suffix / "class"
    folder.mkdir(parents=True, exist_ok=True)
    check(folder / f"a.{suffix}", buffer.getvalue(), folder.parent, damage)


@pytest.mark.parametrize("kind", ["cut", "flip", "insert", "repeat", "zero"])
def test_damage_damages(kind: str) -> None:
    assert step(bytes([5, 6, 7, 8]), kind, 2, 3) != bytes([5, 6, 7, 8])
