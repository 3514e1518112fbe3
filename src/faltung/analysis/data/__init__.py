"""Does a convolution fit these data? Locality and sharing, measured on them.

A layer is a convolution under two constraints, locality and translation invariance. They cost
nothing where near values are alike and the same statistics hold everywhere. Both can be measured:
correlation against distance, and blocks against one another, each beside the same values shuffled.
"""

from __future__ import annotations

from faltung.analysis.data.report import DataReport as DataReport
from faltung.analysis.data.report import data_report as data_report

__all__ = ["DataReport", "data_report"]
