"""Any network from a graph, a file or a name: what it costs, holds and sees, layer by layer."""

from __future__ import annotations

from faltung.analysis.inspect.inspecting import inspect as inspect
from faltung.analysis.inspect.inspection import Inspection as Inspection
from faltung.analysis.inspect.inspection import Totals as Totals
from faltung.analysis.inspect.layer import InspectedLayer as InspectedLayer
