"""Images with labels: the embedded digits, known data sets, and the user's own files."""

from __future__ import annotations

from faltung.datasets.catalogue import NAMES as NAMES
from faltung.datasets.catalogue import load as load
from faltung.datasets.catalogue import load_pair as load_pair
from faltung.datasets.dataset import Dataset as Dataset
from faltung.datasets.photo import PHOTOS as PHOTOS
from faltung.datasets.photo import photo as photo
from faltung.datasets.zero_one import zero_one as zero_one

__all__ = ["Dataset", "NAMES", "PHOTOS", "load", "load_pair", "photo", "zero_one"]
