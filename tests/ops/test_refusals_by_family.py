"""What the operators of imported networks refuse, and in which words."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from faltung import ops
from faltung.errors import FaltungError
from faltung.ops.operator import OnnxNode

ones = np.ones

REFUSED: list[tuple[str, Callable[[], object]]] = [
    ("Gelu: approximate must be 'none' or 'tanh', got approximate=erf.", lambda: ops.Gelu("erf")),
    ("Celu: alpha must be positive, got alpha=0.0.", lambda: ops.Celu(0.0)),
    (
        "PRelu: slope must fit x, got x=(2, 1), slope=(2, 3).",
        lambda: ops.PRelu().out_shapes([(2, 1), (2, 3)]),
    ),
    (
        "Cast: to must be a dtype that faltung holds, got to=complex64.",
        lambda: ops.Cast("complex64"),
    ),
    (
        "Cast: to must be a dtype that faltung holds, got to=8.",
        lambda: ops.Cast.from_onnx(OnnxNode("Cast", ("x",), ("y",), {"to": 8})),
    ),
]


@pytest.mark.parametrize(("text", "act"), REFUSED, ids=[text[:60] for text, _ in REFUSED])
def test_refused(text: str, act: Callable[[], object]) -> None:
    with pytest.raises(FaltungError, match=re.escape(text)):
        act()
