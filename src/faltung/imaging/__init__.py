"""Convolution at work on pictures and signals: filters, templates to find, scene detectors."""

from __future__ import annotations
