"""Choose the digits that ship inside the package: 600 + 100 of each class of MNIST.

    python scripts/make_sample.py FOLDER_WITH_THE_FOUR_MNIST_FILES [OUTPUT]

The archive holds ``x_train, y_train, x_test, y_test`` and, for each image, its index in the full
file (``train_source, test_source``), so that a test can tell which digits are not in the sample.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.datasets import load
from faltung.datasets.catalogue import SAMPLE

SEED = 1998
PER_CLASS = {"train": 600, "test": 100}


def choose(labels: NDArray[Any], per_class: int) -> NDArray[np.int32]:
    """Indices, ascending, of ``per_class`` images of each class."""
    # RandomState: its stream is frozen for ever, that of default_rng is not.
    random = np.random.RandomState(SEED)
    members = [np.flatnonzero(labels == label) for label in range(10)]
    chosen = [random.permutation(indices)[:per_class] for indices in members]
    return np.sort(np.concatenate(chosen)).astype(np.int32)


def sample(folder: Path) -> dict[str, NDArray[Any]]:
    """The arrays of the archive."""
    arrays: dict[str, NDArray[Any]] = {}
    for split, per_class in PER_CLASS.items():
        full = load("mnist", data_dir=folder, split=split)
        indices = choose(full.labels, per_class)
        arrays[f"x_{split}"] = full.images[indices, 0]
        arrays[f"y_{split}"] = full.labels[indices].astype(np.uint8)
        arrays[f"{split}_source"] = indices
    return arrays


def write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write an archive whose bytes depend on the arrays and zlib alone, not on the clock."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(member, buffer.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)


def main(arguments: list[str]) -> None:
    """Make the archive."""
    output = Path(arguments[1]) if len(arguments) > 1 else SAMPLE
    write(output, sample(Path(arguments[0])))
    print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1:])
