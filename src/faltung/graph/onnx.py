"""Graphs as ONNX files, the project's own format: `save`, `load_sized`, and both without a file.

What is written is standard ONNX that any runtime runs; names, parameters, state and metadata come
back as they were, and the graph that is read gives the same bits.
"""

from __future__ import annotations

from faltung.graph.onnx_read import from_bytes as from_bytes
from faltung.graph.onnx_read import from_model as from_model
from faltung.graph.onnx_read import load_sized as load_sized
from faltung.graph.onnx_read import parsed as parsed
from faltung.graph.onnx_write import save as save
from faltung.graph.onnx_write import to_bytes as to_bytes
from faltung.graph.onnx_write import to_model as to_model
