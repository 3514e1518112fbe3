"""What can be said of a graph without training it: sizes, costs, what each layer sees."""

from __future__ import annotations

from faltung.analysis.receptive_field import Field as Field
from faltung.analysis.receptive_field import receptive_fields as receptive_fields
from faltung.analysis.summary import LayerSummary as LayerSummary
from faltung.analysis.summary import Summary as Summary
from faltung.analysis.summary import summarize as summarize
