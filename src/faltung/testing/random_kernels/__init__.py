"""Random geometries for every kernel: drawn, run between guards, compared with float64."""
