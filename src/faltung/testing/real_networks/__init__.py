"""Real networks in faltung and in ONNX Runtime: the nine that come with onnx, three that read text.

``python -m faltung.testing.real_networks FILE`` compares them, prints the tables and writes them to
a page of the documentation. It needs the peers: ONNX Runtime and rapidocr.
"""
