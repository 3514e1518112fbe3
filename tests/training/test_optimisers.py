"""Optimisers: golden runs, torch, what decays, what is refused."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from faltung.errors import GraphError, TrainingError
from faltung.kernels.choose import compiled_for
from faltung.kernels.optimise import pieces
from faltung.training.optimisers import SGD, AbstractOptimiser, Adam, AdamW
from faltung.training.state import Array

STEPS, LR = 10, 0.1
SHAPES = {"conv.weight": (3, 2, 2, 2), "dense.weight": (4, 5), "dense.bias": (5,), "scale": ()}


def descend(optimiser: AbstractOptimiser, lr: float, dtype: Any = np.float64) -> list[float]:
    """Ten steps on p**2 / 2 from 1; the gradient of p is p."""
    params = {"p": np.ones((1, 1), dtype)}
    moments = optimiser.init(params)
    visited = []
    for step in range(STEPS):
        optimiser.update(params, {"p": params["p"].copy()}, moments, lr=lr, step=step)
        visited.append(float(params["p"][0, 0]))
    return visited


# All dyadic, so every digit is exact: v = v/2 + p, p = p - v/4.
GOLDEN_SGD = [
    0.75,
    0.4375,
    0.171875,
    -0.00390625,
    -0.0908203125,
    -0.111572265625,
    -0.09405517578125,
    -0.0617828369140625,
    -0.030200958251953125,
    -0.006859779357910156,
]
# v = v/2 + p, p = p - (p + v/2)/4.
GOLDEN_NESTEROV = [
    0.625,
    0.328125,
    0.134765625,
    0.028564453125,
    -0.018402099609375,
    -0.031414031982421875,
    -0.028439998626708984,
    -0.020214736461639404,
    -0.01207657903432846,
    -0.006005625240504742,
]
# beta1 1/2, beta2 3/4, eps 2**-10, lr 1/8, from the formula in decimal arithmetic of 60 digits.
GOLDEN_ADAM = [
    0.87512195121951219512,
    0.75212422650209708069,
    0.63241326187369804271,
    0.51743778493117356501,
    0.40868777034583538612,
    0.30774487798490667940,
    0.21635978688799532909,
    0.13650865495315967922,
    0.07034777095694202372,
    0.01994767399083632077,
]
# The same with weight decay 1/2; the gradient is that of p before it decays.
GOLDEN_ADAMW = [
    0.81262195121951219512,
    0.64011891216432704990,
    0.48400991465808280964,
    0.34587981375225539603,
    0.22734539672374034800,
    0.13000561148714445312,
    0.05524627126050133060,
    0.00375477226364897888,
    -0.0252538793340671575,
    -0.0347505567080436789,
]


def test_golden_sgd() -> None:
    assert descend(SGD(momentum=0.5), 0.25) == GOLDEN_SGD
    assert descend(SGD(momentum=0.5, nesterov=True), 0.25) == GOLDEN_NESTEROV
    assert descend(SGD(momentum=0.0), 0.25) == [0.75**step for step in range(1, 11)]
    # In two steps: 1 - (1 + 1/2)/4 = 5/8, and 5/8 of that.
    assert descend(SGD(momentum=0.0, weight_decay=0.5), 0.25)[:2] == [0.625, 0.390625]


@pytest.mark.parametrize(
    ("optimiser", "golden"),
    [
        (Adam(0.5, 0.75, 2.0**-10), GOLDEN_ADAM),
        (AdamW(0.5, 0.75, 2.0**-10, weight_decay=0.5), GOLDEN_ADAMW),
        (AdamW(0.5, 0.75, 2.0**-10, weight_decay=0.0), GOLDEN_ADAM),
    ],
)
def test_golden_adam(optimiser: AbstractOptimiser, golden: list[float]) -> None:
    # Sixteen roundings of numbers up to 1 a step, and no step more than doubles what was wrong.
    bound = 16 * 2.0**-53 * 2**STEPS
    assert np.abs(np.subtract(descend(optimiser, 0.125), golden)).max() <= bound


def test_constant_gradients_move_adam_by_the_rate() -> None:
    # m and v, corrected, are g and g**2 at every step: p moves by lr g / (|g| + eps).
    optimiser, params = Adam(eps=2.0**-60), {"p": np.zeros(3)}
    moments, g = optimiser.init(params), np.array([4.0, -0.5, 2.0**-20])
    for step in range(STEPS):
        optimiser.update(params, {"p": g}, moments, lr=0.125, step=step)
    assert np.abs(params["p"] + 0.125 * STEPS * np.sign(g)).max() <= 2.0**-35


def numbers(dtype: Any) -> tuple[dict[str, Array], list[dict[str, Array]]]:
    """Parameters, and ten gradients for each with sizes from 1/2 to 2."""
    rng = np.random.default_rng(0)
    params = {name: np.array(rng.standard_normal(shape), dtype) for name, shape in SHAPES.items()}
    grads = [
        {
            name: np.array(rng.uniform(0.5, 2.0, shape) * rng.choice([-1, 1], shape), dtype)
            for name, shape in SHAPES.items()
        }
        for _ in range(STEPS)
    ]
    return params, grads


def run_ours(optimiser: AbstractOptimiser, dtype: Any) -> dict[str, Array]:
    params, grads = numbers(dtype)
    moments = optimiser.init(params)
    for step in range(STEPS):
        optimiser.update(params, grads[step], moments, lr=LR / (step + 1), step=step)
    assert {p.dtype for p in params.values()} == {np.dtype(dtype)}
    assert {m.dtype for arrays in moments.values() for m in arrays.values()} <= {np.dtype(dtype)}
    return params


def run_theirs(torch: ModuleType, kind: str, dtype: Any, **settings: Any) -> dict[str, Array]:
    """Ten steps of an optimiser of PyTorch's, told to let biases and scales alone."""
    params, grads = numbers(dtype)
    decay = settings.pop("weight_decay", 0.0)
    tensors = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in params.items()}
    groups = [
        {"params": [t for t in tensors.values() if t.ndim >= 2], "weight_decay": decay},
        {"params": [t for t in tensors.values() if t.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = getattr(torch.optim, kind)(groups, lr=LR, **settings)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = LR / (step + 1)
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(grads[step][name])
        optimiser.step()
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


SAME: list[tuple[AbstractOptimiser, str, dict[str, Any]]] = [
    (SGD(momentum=0.0), "SGD", {}),
    (SGD(), "SGD", {"momentum": 0.9}),
    (SGD(0.5, nesterov=True), "SGD", {"momentum": 0.5, "nesterov": True}),
    (SGD(0.9, True, 0.1), "SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (Adam(), "Adam", {}),
    (Adam(0.8, 0.95, 1e-3), "Adam", {"betas": (0.8, 0.95), "eps": 1e-3}),
    (AdamW(), "AdamW", {"weight_decay": 0.01}),
    (
        AdamW(0.8, 0.95, 1e-6, 0.3),
        "AdamW",
        {"betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.3},
    ),
]


def bound(dtype: Any) -> float:
    """How far two float runs may be apart: sixteen roundings a step of the largest numbers there.

    Parameters stay below 8; gradients with their decay below 3; momentum 0.9 sums at most ten of
    them; Adam divides by at least 1/2. So p and each update are below 64.
    """
    return 16 * STEPS * float(np.finfo(dtype).eps) / 2 * 64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("optimiser", "kind", "settings"), SAME)
def test_ten_steps_agree_with_torch(
    torch: ModuleType, optimiser: AbstractOptimiser, kind: str, settings: dict[str, Any], dtype: Any
) -> None:
    ours, theirs = run_ours(optimiser, dtype), run_theirs(torch, kind, dtype, **settings)
    for name, p in ours.items():
        assert np.abs(p - theirs[name]).max() <= bound(dtype), name


@pytest.mark.parametrize(
    "broken",
    [
        SGD(0.9, nesterov=False, weight_decay=0.1),
        SGD(0.9, nesterov=True, weight_decay=0.0),
        SGD(0.89, nesterov=True, weight_decay=0.1),
        SGD(0.9, nesterov=True, weight_decay=0.11),
    ],
)
def test_the_bound_tells_other_settings_apart(torch: ModuleType, broken: SGD) -> None:
    theirs = run_theirs(torch, "SGD", np.float32, momentum=0.9, nesterov=True, weight_decay=0.1)
    apart = [np.abs(p - theirs[name]).max() for name, p in run_ours(broken, np.float32).items()]
    assert max(apart) > bound(np.float32)


@pytest.mark.parametrize("optimiser", [SGD(weight_decay=0.5), AdamW(weight_decay=0.5)])
def test_only_kernels_and_matrices_decay(optimiser: AbstractOptimiser) -> None:
    params = {name: np.ones(shape) for name, shape in SHAPES.items()}
    moments = optimiser.init(params)
    grads = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    optimiser.update(params, grads, moments, lr=0.5, step=0)
    assert {name: float(p.max()) for name, p in params.items()} == {
        "conv.weight": 0.75,
        "dense.weight": 0.75,
        "dense.bias": 1.0,
        "scale": 1.0,
    }


@pytest.mark.parametrize("optimiser", [SGD(), SGD(0.0), SGD(0.9, True, 0.1), Adam(), AdamW()])
def test_updates_are_in_place_and_leave_gradients_alone(optimiser: AbstractOptimiser) -> None:
    params, grads = numbers(np.float32)
    moments = optimiser.init(params)
    held = [params, *moments.values()]
    before = [{name: id(array) for name, array in arrays.items()} for arrays in held]
    for array in grads[0].values():
        array.flags.writeable = False
    optimiser.update(params, {**grads[0], "x": np.zeros(3)}, moments, lr=np.float64(0.1), step=0)
    assert before == [{name: id(array) for name, array in arrays.items()} for arrays in held]
    assert not any(np.array_equal(p, numbers(np.float32)[0][name]) for name, p in params.items())


@pytest.mark.parametrize("optimiser", [SGD(), Adam(), AdamW()])
def test_a_rate_of_numpy_changes_no_bit(optimiser: AbstractOptimiser) -> None:
    runs = []
    for lr in (0.1, np.float64(0.1)):
        params, grads = numbers(np.float32)
        moments = optimiser.init(params)
        optimiser.update(params, grads[0], moments, lr=lr, step=0)
        runs.append({name: p.tobytes() for name, p in params.items()})
    assert runs[0] == runs[1]


@pytest.mark.parametrize("optimiser", [SGD(), Adam(), AdamW()])
def test_what_does_not_fit_is_refused_before_anything_changes(optimiser: AbstractOptimiser) -> None:
    params, grads = numbers(np.float64)
    moments = optimiser.init(params)

    def refuse(text: str, grads: dict[str, Array], moments: dict[str, dict[str, Array]]) -> None:
        with pytest.raises(GraphError, match=text):
            optimiser.update(params, grads, moments, lr=0.1, step=0)
        same = numbers(np.float64)[0]
        assert all(np.array_equal(p, same[name]) for name, p in params.items())

    without = {name: g for name, g in grads[0].items() if name != "scale"}
    refuse(r"parameter scale has no gradient\. \[optimiser O1\]", without, moments)
    other = {**grads[0], "dense.bias": np.zeros((1, 5))}
    shapes = r"gradient=\(1, 5\), parameter=\(5,\)\. \[optimiser O2\]"
    refuse(rf"the gradient of dense\.bias must have its shape, got {shapes}", other, moments)
    refuse(r"must be those of this optimiser, .*got moments=\['z'\]\. .*O3\]", grads[0], {"z": {}})
    less = {word: {**arrays} for word, arrays in moments.items()}
    word = next(iter(less))
    del less[word]["scale"]
    refuse(rf"the moment {word} of scale is missing or has another shape\. .*O3\]", grads[0], less)


def test_settings_that_are_none() -> None:
    with pytest.raises(
        TrainingError, match=r"momentum must be at least 0 and below 1.*=1\.0.*O4\]"
    ):
        SGD(momentum=1.0)
    with pytest.raises(TrainingError, match=r"SGD: weight_decay must not be negative.*-0\.1.*O5\]"):
        SGD(weight_decay=-0.1)
    with pytest.raises(
        TrainingError, match=r"nesterov needs momentum above 0.*momentum=0\.9.*O6\]"
    ):
        SGD(momentum=0.0, nesterov=True)
    with pytest.raises(TrainingError, match=r"Adam: beta1 must be at least 0 and below 1.*O4\]"):
        Adam(beta1=-0.5)
    with pytest.raises(TrainingError, match=r"Adam: beta2 must be at least 0.*beta2=nan.*O4\]"):
        Adam(beta2=float("nan"))
    with pytest.raises(TrainingError, match=r"AdamW: eps must be positive, got eps=0\.0.*O7\]"):
        AdamW(eps=0.0)
    with pytest.raises(TrainingError, match=r"AdamW: weight_decay must not be negative.*O5\]"):
        AdamW(weight_decay=float("nan"))


@pytest.mark.parametrize(
    "optimiser", [SGD(0.0, False, 0.1), SGD(), SGD(0.9, True, 0.1), Adam(), AdamW()]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_steps_have_the_bits_of_numpy(
    optimiser: AbstractOptimiser, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each parameter by itself, and all of them in one piece of memory."""
    rng = np.random.default_rng(0)
    shapes = {"w": (300, 200), "b": (40_000,), "scale": (7,)}
    first = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    steps = [
        {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
        for _ in range(3)
    ]

    def trained() -> list[Array]:
        params = {name: array.copy() for name, array in first.items()}
        moments = optimiser.init(params)
        for step, grads in enumerate(steps):
            optimiser.update(params, grads, moments, lr=LR, step=step)
        return [*params.values(), *(a for word in moments.values() for a in word.values())]

    compiled = trained()
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    wanted = trained()
    monkeypatch.delenv("FALTUNG_KERNEL")
    for one, other in zip(compiled, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    if not compiled_for():
        return
    together = [np.concatenate([grads[n].ravel() for n in shapes]) for grads in steps]
    params = np.concatenate([first[n].ravel() for n in shapes])
    moments = {word: np.zeros_like(params) for word in optimiser.init(first)}
    cut = pieces(tuple(a.size for a in first.values()), tuple(a.ndim > 1 for a in first.values()))
    for step, flat in enumerate(together):
        assert optimiser.update_flat(params, flat, moments, cut, lr=LR, step=step)
    found = np.concatenate([params, *moments.values()])
    np.testing.assert_array_equal(found, np.concatenate([a.ravel() for a in wanted]))
