"""Make the photographs that ship inside the package from those that scikit-image ships.

    python scripts/make_photos.py SCIKIT_IMAGE.whl [FOLDER]

They are compressed again as JPEG at full colour resolution, so that three of them take less than
300 KB; their pixels are not scaled. The originals are checked by their SHA-256 sums.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

from PIL import Image

from faltung.datasets.photo import FOLDER

# Name here: file there, its sum, and the quality of the copy.
ORIGINALS = {
    "cat": (
        "chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        95,
    ),
    "coffee": (
        "coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        90,
    ),
    "camera": (
        "camera.png",
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
        95,
    ),
}


def main(arguments: list[str]) -> None:
    """Write all of them."""
    folder = Path(arguments[1]) if len(arguments) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(arguments[0]) as wheel:
        for name, (file, digest, quality) in ORIGINALS.items():
            data = wheel.read(f"skimage/data/{file}")
            if hashlib.sha256(data).hexdigest() != digest:
                sys.exit(f"{file}: this is another file than the one that was chosen")
            target = folder / f"{name}.jpg"
            options = {"quality": quality, "subsampling": 0, "optimize": True}
            Image.open(io.BytesIO(data)).save(target, "JPEG", **options)
            print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1:])
