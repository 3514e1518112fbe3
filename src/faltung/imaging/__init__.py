"""Convolution at work on pictures and signals: filters, templates to find, scene detectors."""

from __future__ import annotations

from faltung.imaging.apply import filter_image as filter_image
from faltung.imaging.detection import Detector as Detector
from faltung.imaging.detection import detector as detector
from faltung.imaging.harris import corners as corners
from faltung.imaging.library import LIBRARY as LIBRARY
from faltung.imaging.library import AbstractFilter as AbstractFilter
from faltung.imaging.library import named_filter as named_filter
from faltung.imaging.peaks import Peak as Peak
from faltung.imaging.scanning import ScanReport as ScanReport
from faltung.imaging.scanning import scan as scan
from faltung.imaging.template import FindReport as FindReport
from faltung.imaging.template import Match as Match
from faltung.imaging.template import find as find

__all__ = [
    "AbstractFilter",
    "Detector",
    "FindReport",
    "LIBRARY",
    "Match",
    "Peak",
    "ScanReport",
    "corners",
    "detector",
    "filter_image",
    "find",
    "named_filter",
    "scan",
]
