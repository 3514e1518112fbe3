"""One graph: structure, parameters, state; layer builders; what it means and its gradients."""

from __future__ import annotations

from faltung.graph.graph import Graph as Graph
from faltung.graph.graph import Node as Node
from faltung.graph.graph import Value as Value
from faltung.graph.sources import load as load
