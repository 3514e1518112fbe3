"""What plans hold: each weight once, as much as they say, and no more while they are made."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from faltung import ops
from faltung.errors import KernelError
from faltung.geometry import ConvWindow
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.graph.graph import Node, Value
from faltung.kernels.choose import compiled_for
from faltung.kernels.isa import ISAS, has, host_isa
from faltung.kernels.registry import ROWS, Row
from faltung.plan.compiling import compile as planned

RNG = np.random.default_rng(3)
BLOCKED = "conv_blocked_any_nchw"
NEAR = 0.05
"""By how much what a plan reports may differ from what the process grows by."""

compiled = pytest.mark.skipif(not compiled_for(), reason="nothing is compiled here")

GROWN = """
import json, sys
import numpy as np
import faltung

def status(key):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(f"{key}:"))

def run(path):
    graph = [faltung.load(path)]
    x = np.ones(graph[0].inputs[0].shape, np.float32)
    plan = faltung.compile(graph.pop())
    for _ in range(3):
        plan(x)
    return plan

small, large = sys.argv[1:]
run(small)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = status("VmRSS")
plan = run(large)
peak, held = status("VmHWM") - before, status("VmRSS") - before
print(json.dumps({"peak": peak, "held": held, "told": plan.footprint.total}))
"""


@compiled
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells")
def test_a_process_grows_by_what_the_plan_reports(tmp_path: Path) -> None:
    """Beside it there are the plan's own objects and machine code: a hundredth of this network."""
    chain = L.Chain(
        *(L.Conv(64, 7, stride=2), L.BatchNorm(), L.Relu(), L.MaxPool(2)),
        *(L.Conv(512, 3, padding=1), L.BatchNorm(), L.Relu(), L.MaxPool(2)),
        *(L.Conv(512, 3, padding=1), L.BatchNorm(), L.Relu(), L.Conv(1024, 1), L.Relu()),
        *(L.Conv(512, 3, stride=2), L.Relu(), L.Flatten(), L.Dense(2048), L.Relu(), L.Dense(1000)),
    )
    large = L.build(chain, (3, 112, 112)).with_input_shape((1, 3, 112, 112))
    small = L.build(L.Chain(L.Conv(8, 3), L.Relu()), (8, 16, 16)).with_input_shape((1, 8, 16, 16))
    paths = [str(graph.save(tmp_path / f"{at}.onnx")) for at, graph in enumerate((small, large))]
    planned(large)(np.zeros((1, 3, 112, 112), np.float32))  # compiles
    command = [sys.executable, "-c", GROWN, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert abs(found["held"] - found["told"]) <= NEAR * found["held"]
    # While batches' scales are put into weights, there are these twice.
    folded = sum(a.nbytes for n, a in large.params.items() if n in ("conv2.weight", "conv3.weight"))
    assert found["peak"] <= (1 + NEAR) * found["held"] + folded


def convolution(channels: int, size: int) -> Graph:
    return L.build(L.Conv(channels, 3, padding=1), (channels, size, size))


@compiled
def test_weights_are_let_go_when_they_are_packed_and_come_back_for_other_shapes() -> None:
    graphs, rebuilt = [convolution(96, 14)], convolution(96, 14)
    w = weakref.ref(graphs[0].params["conv1.weight"])
    (stage,) = planned(rebuilt, (1, 96, 14, 14)).choices
    plan = planned(graphs.pop(), (1, 96, 14, 14), choices={stage: BLOCKED})
    assert w() is None
    packed = 96 * 96 * 9 * 4
    assert packed <= plan.footprint.weights < 1.2 * packed + 4096
    plan._choices = type(plan._choices)(exact=False, imposed={stage: "conv_winograd_f2_any_nchw"})
    for shape in ((1, 96, 20, 20), (2, 96, 9, 11)):
        x = RNG.normal(size=shape).astype(np.float32)
        wanted = planned(rebuilt, shape, choices={stage: "conv_winograd_f2_any_nchw"})
        np.testing.assert_array_equal(plan(x), wanted(x))


@compiled
def test_weights_do_not_come_back_for_another_instruction_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = [isa.name for isa in ISAS if has(isa) and isa != host_isa()]
    if not others:
        pytest.skip("there is one instruction set alone")
    (stage,) = planned(convolution(32, 9), (1, 32, 9, 9)).choices
    plan = planned(convolution(32, 9), (1, 32, 9, 9), choices={stage: BLOCKED})
    monkeypatch.setenv("FALTUNG_ISA", others[0])
    with pytest.raises(KernelError, match="FALTUNG_ISA must be what it was when the network"):
        plan(np.zeros((1, 32, 12, 12), np.float32))


@compiled
def test_plans_for_other_batches_share_what_was_packed() -> None:
    plan = planned(convolution(96, 14), (1, 96, 14, 14))
    before = plan.footprint.weights
    for batch in (2, 5):
        plan(np.zeros((batch, 96, 14, 14), np.float32))
    assert plan.footprint.weights == before


@compiled
def test_a_matrix_that_is_turned_is_held_once() -> None:
    w = RNG.normal(size=(300, 400)).astype(np.float32)
    nodes = (Node("product", ops.MatMul(), ("x", "w"), ("y",)),)
    graph = Graph((Value("x", (2, 300)),), nodes, ("y",), {"w": w})
    plan = planned(graph)
    x = RNG.normal(size=(2, 300)).astype(np.float32)
    np.testing.assert_allclose(plan(x), x @ w, rtol=1e-4, atol=1e-4)
    assert w.nbytes <= plan.footprint.weights < w.nbytes + 4096


@compiled
@pytest.mark.parametrize("row", [row for row in ROWS if row.keeps], ids=lambda row: row.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((7, 5, 3, 3), 1), ((40, 33, 1, 1), 1), ((6, 3, 2, 5), 2), ((17, 70, 3), 1)],
)
def test_rows_that_keep_weights_give_them_back(
    row: Row, dtype: type, shape: tuple[int, ...], groups: int
) -> None:
    image = (1, shape[1] * groups, *(9 for _ in shape[2:]))
    window = ConvWindow.of(image, shape, groups=groups)
    w: np.ndarray = RNG.normal(size=shape).astype(dtype)
    w.flat[::7] = 0
    w.flat[1] = np.nan
    np.testing.assert_array_equal(row.unpacked(window, row.pack(window, w)), w)
