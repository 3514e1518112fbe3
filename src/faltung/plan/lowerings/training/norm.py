"""Normalisation by the batch, with the addition and the ReLU behind it."""

from __future__ import annotations

from faltung import ops
from faltung.kernels.norm_batch_call import Running, Statistics, norm_backward, norm_forward
from faltung.ops.operator import Array
from faltung.plan.lowerings.training import Backward
from faltung.plan.stages import Stage
from faltung.plan.tape import Arrays, Tape


def train_norm(stage: Stage, tape: Tape) -> Backward | None:
    """Normalise, add and cut off in one launch; the way back in another."""
    operator, names = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.BatchNormalization)
    if operator.training_mode or not tape.is_compiled(*names) or not set(names[3:]) <= tape.state:
        return None
    x, scale, bias, *old = names
    y, residual, relu = stage.output, stage.residual, bool(stage.activation[0])
    channels = tape.values[scale].shape
    wide = [tape.value(f"{y} {word}", channels, float) for word in Statistics._fields]
    new = [tape.like(f"next {name}", name) for name in old]

    def forward(at: Arrays) -> Array:
        (mean, variance), (moved_mean, moved_variance) = ([at[n] for n in ns] for ns in (old, new))
        running = Running(mean, variance, moved_mean, moved_variance, operator.momentum)
        made, *_ = norm_forward(
            *(at[x], at[scale], at[bias], operator.epsilon),
            residual=at[residual] if residual else None,
            relu=relu,
            out=at[y],
            statistics=Statistics(*(at[name] for name in wide)),
            running=running,
        )
        return made

    tape.run(stage, "norm", stage.inputs, (y, *wide, *new), forward)
    for before, after in zip(old, new, strict=True):
        tape.settle(stage, before, after)

    def backward(dout: str) -> None:
        mean, _, rstd = wide
        masked = tape.like(f"{dout} masked", y) if residual and relu else ""
        if residual:
            tape.pass_on(stage, residual, masked or dout)
        dx, dscale, dbias = (tape.gradient(name) for name in (x, scale, bias))

        def call(at: Arrays) -> Array:
            found, *_ = norm_backward(
                *(at[x], at[y], at[dout], at[scale], at[mean], at[rstd]),
                relu=relu,
                out=at[dx],
                dresidual=at[masked] if masked else None,
                dscale=at[dscale],
                dbias=at[dbias],
            )
            return found

        reads = (x, dout, scale, mean, rstd, *((y,) if relu else ()))
        writes = (dx, dscale, dbias, *((masked,) if masked else ()))
        tape.run_back(stage, "norm", reads, writes, call, over=((masked or dx, dout),))
        for name, found in ((x, dx), (scale, dscale), (bias, dbias)):
            tape.pass_on(stage, name, found)

    return backward
