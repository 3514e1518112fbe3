"""Bugs in batch normalisation and dropout."""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from faltung.ops import BatchNormalization, Dropout, normalisation
from faltung.ops.operator import Array
from faltung.testing.mutants.mutant import (
    Function,
    Mutant,
    Operator,
    answer,
    arguments,
    gradient,
    output,
    replaced,
)

FORWARD: Final = "check_values"
BACKWARD: Final = "check_gradients"
TRAINING: Final = "check_training"


def layer_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of batch normalisation or dropout; none for others."""
    if cls is BatchNormalization:
        yield from _inference()
        yield from _statistics()
        yield from _state()
        yield from _gradients()
    if cls is Dropout:
        yield from _dropout()


def _column(values: Array, x: Array) -> Array:
    return values.reshape(-1, *(1 for _ in x.shape[2:]))


def _inference() -> Iterator[Mutant]:
    """Bugs in both modes: what they add to y."""
    given: dict[str, Callable[[list[Array]], list[Array]]] = {
        "mean not taken off": lambda a: [*a[:3], 0 * a[3], a[4]],
        "mean added": lambda a: [*a[:3], -a[3], a[4]],
        "scale left out": lambda a: [a[0], np.ones_like(a[1]), *a[2:]],
        "bias left out": lambda a: [*a[:2], 0 * a[2], *a[3:]],
        "bias added twice": lambda a: [*a[:2], 2 * a[2], *a[3:]],
        "scale and bias exchanged": lambda a: [a[0], a[2], a[1], *a[3:]],
        "mean and variance exchanged": lambda a: [*a[:3], a[4], np.abs(a[3])],
        "variance taken for the deviation": lambda a: [*a[:4], a[4] ** 2],
        "channels in reverse": lambda a: [a[0], *(v[::-1].copy() for v in a[1:])],
        "statistics of the first channel for all": lambda a: [
            *a[:3],
            *(np.full_like(v, v[0]) for v in a[3:]),
        ],
    }
    for name, change in given.items():
        wrong = lambda self, inputs, change=change: (self, change(list(inputs)))
        yield arguments(f"output: {name}", FORWARD, BatchNormalization, "forward", wrong)
    for name, factor in (("epsilon left out", 0.0), ("epsilon doubled", 2.0)):
        other = lambda self, inputs, factor=factor: (
            replace(self, epsilon=self.epsilon * factor),
            inputs,
        )
        yield arguments(f"output: {name}", FORWARD, BatchNormalization, "forward", other)

    def outside(y: Array, op: Any, inputs: Any) -> Array:
        x, scale, bias, mean, var = inputs
        deviation = np.sqrt(var) + op.epsilon
        wrong = _column(scale / deviation, x) * (x - _column(mean, x)) + _column(bias, x)
        return np.asarray(wrong, y.dtype)

    yield output(BatchNormalization, "epsilon outside the root", outside)


def _statistics() -> Iterator[Mutant]:
    def flag(on: bool) -> Callable[[Function], Function]:
        def wrap(forward: Function) -> Function:
            def wrong(self: Any, inputs: Any, *, training: bool = False, key: Any = None) -> Any:
                return forward(self, inputs, training=on, key=key)

            return wrong

        return wrap

    for name, on in (("training as inference", False), ("inference as training", True)):
        plant = lambda on=on: replaced(BatchNormalization, "forward", flag(on))
        yield Mutant(f"statistics: {name}", TRAINING if not on else FORWARD, plant)
    means: dict[str, Callable[[Array, Array], Array]] = {
        "of all channels together": lambda mean, x: np.full_like(mean, x.mean()),
        "of the first image alone": lambda mean, x: x[:1].mean(axis=(0, *range(2, x.ndim))),
        "divided by n - 1": lambda mean, x: mean * _count(x) / (_count(x) - 1),
        "over space alone": lambda mean, x: mean * len(x),
        "in float16": lambda mean, x: mean.astype(np.float16).astype(mean.dtype),
        "channels in reverse": lambda mean, x: mean[::-1],
    }
    for name, change in means.items():
        yield answer(f"statistics: {name}", TRAINING, normalisation, "channel_mean", change)
    yield Mutant("statistics: variance of n - 1", TRAINING, _unbiased)


def _count(x: Array) -> int:
    return int(x.size // x.shape[1])


def _unbiased() -> Any:
    """Divide the second mean of each forward, that of the squares, by n - 1."""

    def wrap(mean: Function) -> Function:
        def wrong(x: Array) -> Array:
            squares = bool(np.all(x >= 0))
            found: Array = mean(x)
            return found * _count(x) / (_count(x) - 1) if squares else found

        return wrong

    return replaced(normalisation, "channel_mean", wrap)


def _state() -> Iterator[Mutant]:
    def on_state(change: Callable[[dict[int, Array], Any, Any], dict[int, Array]]) -> Any:
        return lambda result, op, inputs: (result[0], change(result[1], op, inputs), result[2])

    changes: dict[str, Callable[[dict[int, Array], Any, Any], dict[int, Array]]] = {
        "not moved": lambda state, op, inputs: {},
        "variance not moved": lambda state, op, inputs: {i: v for i, v in state.items() if i == 3},
        "mean not moved": lambda state, op, inputs: {i: v for i, v in state.items() if i == 4},
        "mean and variance exchanged": lambda state, op, inputs: {7 - i: state[i] for i in state},
        "handed on unchanged": lambda state, op, inputs: {i: inputs[i].copy() for i in state},
        "at other positions": lambda state, op, inputs: {i - 2: v for i, v in state.items()},
        "halved": lambda state, op, inputs: {i: v / 2 for i, v in state.items()},
        "the inputs' own memory": lambda state, op, inputs: {
            i: _put(inputs[i], v) for i, v in state.items()
        },
    }
    for name, change in changes.items():
        yield answer(f"state: {name}", TRAINING, BatchNormalization, "forward", on_state(change))
    for name, of in (
        ("momentum the other way round", lambda m: 1 - m),
        ("momentum always the default", lambda m: 0.9),
        ("the batch's own", lambda m: 0.0),
    ):
        wrong = lambda self, running, batch, of=of: (
            replace(self, momentum=of(self.momentum)),
            running,
            batch,
        )
        yield arguments(f"state: {name}", TRAINING, BatchNormalization, "_moved", wrong)


def _put(running: Array, moved: Array) -> Array:
    if running.flags.writeable:
        running[...] = moved
    return running


def _gradients() -> Iterator[Mutant]:
    flags = {"statistics taken for constants": False, "through constants as well": True}
    for name, flag in flags.items():
        other = lambda self, saved, douts, flag=flag: (self, (*saved[:4], flag), douts)
        yield arguments(f"dx: {name}", BACKWARD, BatchNormalization, "backward", other)
    saved_bugs: dict[str, Callable[[Any], Any]] = {
        "mean not taken off": lambda s: (s[0], 0 * s[1], *s[2:]),
        "scale left out": lambda s: (*s[:3], np.ones_like(s[3]), s[4]),
        "inverse deviation left out": lambda s: (*s[:2], np.ones_like(s[2]), *s[3:]),
        "deviation for its inverse": lambda s: (*s[:2], 1 / s[2], *s[3:]),
    }
    for name, change in saved_bugs.items():
        wrong = lambda self, saved, douts, change=change: (self, change(saved), douts)
        yield arguments(f"backward: {name}", BACKWARD, BatchNormalization, "backward", wrong)

    def term(what: str) -> Callable[..., Array]:
        def wrong(dx: Array, op: Any, saved: Any, dout: Array) -> Array:
            x, batch_mean, inverse, scale, through = saved
            centred = x - _column(batch_mean, x)
            axes = (0, *range(2, dout.ndim))
            mean = dout.mean(axis=axes, keepdims=True)
            product = centred * (dout * centred).mean(axis=axes, keepdims=True)
            left_out = mean if what == "mean" else product * _column(inverse**2, dx)
            slope = _column(scale * inverse, dx)
            return np.asarray(dx + slope * left_out, dx.dtype) if through else dx

        return wrong

    yield gradient(BatchNormalization, 0, "mean of dout left out", term("mean"))
    yield gradient(BatchNormalization, 0, "spread of dout left out", term("spread"))
    mean = lambda grad, op, saved, dout: grad / grad.dtype.type(_count(dout))
    yield gradient(BatchNormalization, 1, "mean over the batch", mean)
    yield gradient(BatchNormalization, 2, "mean over the batch", mean)


def _dropout() -> Iterator[Mutant]:
    """Each forward is written anew, as ``(x, op, rng) -> factor``, or in place of the flag."""
    factors: dict[str, Callable[[Array, Any, np.random.Generator], Array]] = {
        "ratio is the share that stays": lambda x, op, rng: (
            (rng.random(x.shape) < op.ratio) / (1 - op.ratio)
        ),
        "not scaled": lambda x, op, rng: (rng.random(x.shape) >= op.ratio) * 1.0,
        "scaled by 1 - ratio": lambda x, op, rng: (
            (rng.random(x.shape) >= op.ratio) * (1 - op.ratio)
        ),
        "scaled by 1 / ratio": lambda x, op, rng: (
            (rng.random(x.shape) >= op.ratio) / (op.ratio + 0.125)
        ),
        "ratio always one half": lambda x, op, rng: (rng.random(x.shape) >= 0.5) / 0.5,
        "whole rows": lambda x, op, rng: (
            np.broadcast_to(rng.random((len(x), *(1 for _ in x.shape[1:]))) >= op.ratio, x.shape)
            / (1 - op.ratio)
        ),
        "whole columns": lambda x, op, rng: (
            np.broadcast_to(rng.random(x.shape[-1]) >= op.ratio, x.shape) / (1 - op.ratio)
        ),
        "nothing dropped": lambda x, op, rng: np.ones(x.shape),
        "everything dropped": lambda x, op, rng: np.zeros(x.shape),
        "small values dropped": lambda x, op, rng: (
            (np.abs(x) >= np.quantile(np.abs(x), op.ratio)) / (1 - op.ratio)
        ),
        "every other value dropped": lambda x, op, rng: (
            (np.arange(x.size).reshape(x.shape) % 2 == rng.integers(2)) / (1 - op.ratio)
        ),
        "key ignored": lambda x, op, rng: (
            (np.random.default_rng(3).random(x.shape) >= op.ratio) / (1 - op.ratio)
        ),
        "drawn anew each time": lambda x, op, rng: (
            (np.random.default_rng().random(x.shape) >= op.ratio) / (1 - op.ratio)
        ),
    }
    for name, factor in factors.items():
        yield Mutant(f"training: {name}", TRAINING, partial(_thinned, factor))
    yield Mutant("inference: drops as well", TRAINING, partial(_called, training=True))
    yield Mutant("training: flag ignored", TRAINING, partial(_called, training=False))
    yield Mutant("training: goes without a key", TRAINING, _called)
    backward: dict[str, Callable[[Any, Array], Array]] = {
        "without the mask": lambda saved, dout: dout,
        "scaled everywhere": lambda saved, dout: dout * saved.max(),
        "not scaled": lambda saved, dout: dout * (saved > 0),
        "scaled twice": lambda saved, dout: dout * saved * saved,
        "through what was dropped": lambda saved, dout: dout * (saved == 0),
    }
    for name, change in backward.items():
        wrong = lambda dx, op, saved, dout, change=change: (
            dx if saved is None else np.asarray(change(saved, dout), dx.dtype)
        )
        yield gradient(Dropout, 0, name, wrong, TRAINING)


def _thinned(factor: Callable[..., Array]) -> Any:
    def wrap(forward: Function) -> Function:
        def wrong(self: Any, inputs: Any, *, training: bool = False, key: Any = None) -> Any:
            if not training or key is None:
                return forward(self, inputs, training=training, key=key)
            x = inputs[0]
            kept = factor(x, self, np.random.default_rng(list(key))).astype(x.dtype)
            return (x * kept,), {}, kept

        return wrong

    return replaced(Dropout, "forward", wrap)


def _called(**options: Any) -> Any:
    """Call the forward with another flag, or with a key where there is none."""

    def wrap(forward: Function) -> Function:
        def wrong(self: Any, inputs: Any, *, training: bool = False, key: Any = None) -> Any:
            given = {"training": training, "key": key, **options}
            return forward(self, inputs, **{**given, "key": key or (0,)})

        return wrong

    return replaced(Dropout, "forward", wrap)
