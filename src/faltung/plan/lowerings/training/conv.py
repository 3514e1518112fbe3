"""Convolution with the addition and the ReLU behind it."""

from __future__ import annotations

from faltung import ops
from faltung.geometry.window import ConvWindow
from faltung.kernels.channel_sums import channel_sums
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.registry import Row
from faltung.ops.operator import Array
from faltung.plan.lowerings.conv import SMALL
from faltung.plan.lowerings.training import Backward
from faltung.plan.stages import Stage
from faltung.plan.tape import Arrays, Reader, Tape, gradient_of


def train_conv(stage: Stage, tape: Tape) -> Backward | None:
    """Run rows of the registry, forward and back; weights are packed in each step."""
    operator, (x, w, *bias) = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.Conv)
    window = operator.window(tape.values[x].shape, tape.values[w].shape)
    exact, dtype = operator.exact or tape.exact, tape.values[x].dtype
    row = tape.row("conv", window, dtype, exact=exact, prepared=True)
    is_ours = row is not None and row.fuses and not operator.is_laid_out(window)
    if row is None or not is_ours or 0 in window.out_shape:
        return None
    b, residual, y = (bias[0] if bias else ""), stage.residual, stage.output

    def forward(at: Arrays) -> Array:
        epilogue = Epilogue(*stage.activation, at[residual] if residual else None)
        return row.load()(window, at[x], at[w], at[b] if b else None, out=at[y], epilogue=epilogue)

    is_parallel = _is_parallel(row, window, tape, x)
    tape.run(stage, row.name, stage.inputs, (y,), forward, is_parallel=is_parallel)

    def backward(dout: str) -> None:
        g = tape.masked(stage, dout)
        if residual:
            tape.pass_on(stage, residual, g)
        _give_dw(stage, tape, window, g, exact)
        if b:
            _give_db(stage, tape, g)
        _give_dx(stage, tape, window, g, exact)

    return backward


def _give_dw(stage: Stage, tape: Tape, window: ConvWindow, g: str, exact: bool) -> None:
    x, w = stage.main.inputs[:2]
    row = tape.row("conv_dw", window, tape.values[x].dtype, exact=exact)
    assert row is not None

    def call(at: Arrays, out: Array, residual: Array | None) -> Array:
        return row.load()(window, at[x], at[g])

    tape.give(stage, row.name, w, Reader(call, (x, g)), is_launched=row.replays)


def _give_db(stage: Stage, tape: Tape, g: str) -> None:
    """Sum the gradient, unless a normalisation by the batch follows, to which a bias is nothing.

    It takes the mean away: the gradient that comes back from it sums to 0 in each channel, unless
    a ReLU lies between.
    """
    b = stage.main.inputs[2]
    is_centred = tape.is_centred(stage.output) and not stage.activation[0]
    if b in tape.needed and tape.readers[b] == 1 and is_centred:
        tape.gradients[b] = gradient_of(b)
        return

    def call(at: Arrays, out: Array, residual: Array | None) -> Array:
        return channel_sums(at[g], out=out)

    tape.give(stage, "sums", b, Reader(call, (g,)))


def _give_dx(stage: Stage, tape: Tape, window: ConvWindow, g: str, exact: bool) -> None:
    x, w = stage.main.inputs[:2]
    if x not in tape.needed:
        return
    row = tape.row("conv_dx", window, tape.values[x].dtype, exact=exact, prepared=True)
    assert row is not None

    def call(at: Arrays, out: Array, residual: Array | None) -> Array:
        if not row.fuses:
            return row.load()(window, at[g], at[w])
        packed = {"packed": row.pack(window, at[w])} if row.packs else {}
        epilogue = Epilogue(residual=residual)
        return row.load()(window, at[g], at[w], out=out, epilogue=epilogue, **packed)

    is_parallel = _is_parallel(row, window, tape, x)
    how = {"is_launched": row.fuses, "is_parallel": is_parallel}
    tape.give(stage, row.name, x, Reader(call, (g, w), adds=row.fuses), **how)


def _is_parallel(row: Row, window: ConvWindow, tape: Tape, x: str) -> bool:
    return window.batch * row.cycles(window, tape.values[x].dtype, True) >= SMALL
