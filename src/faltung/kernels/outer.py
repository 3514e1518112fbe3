"""The register block of weights' gradients: outer products of pixels, summed over a plane.

A few numbers of x, broadcast, times a few vectors of dout's channels, at every pixel (or tile)::

    sums[b, i, j] += sum over rows y, columns q of
        x[offset[b] + y * x_pitch + q * step + inside[i]] * dout[y * dout_pitch + q * lanes, j]

What the numbers of x are is up to who lays it out: channels that lie side by side, at one tap, or
taps of one channel. The sums stay in registers over the whole plane, and go on from what they are
in memory: how many planes come one after the other, and how a plane is cut between two of its
pixels, changes no bit.
"""

from __future__ import annotations

from llvmlite import ir

from faltung.kernels.compiled import kernel
from faltung.kernels.isa import Isa
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer


@kernel(
    x=POINTER,
    dout=POINTER,
    sums=POINTER,
    offsets=INTS,
    rows=INT,
    columns=INT,
    x_pitch=INT,
    dout_pitch=INT,
    spread=INT,
    pitch=INT,
)
def outer(
    code: Code,
    x: Pointer,
    dout: Pointer,
    sums: Pointer,
    offsets: Pointer,
    rows: Int,
    columns: Int,
    x_pitch: Int,
    dout_pitch: Int,
    spread: Int,
    pitch: Int,
    *,
    bases: int,
    inside: tuple[int, ...],
    vectors: int,
    step: int,
) -> None:
    """Add to ``bases * len(inside)`` rows of `vectors` vectors of sums, a ``pitch`` apart.

    Vectors of dout lie a ``spread`` apart, those of the sums side by side.
    """
    numbers, across = range(bases * len(inside)), range(vectors)
    places = [[sums + pitch * i + j * code.lanes for j in across] for i in numbers]
    total = [[code.variable(code.load(place)) for place in row] for row in places]
    starts = [x + offsets[b] for b in range(bases)]
    with code.loop(rows) as y:
        lines = [start + y * x_pitch for start in starts]
        line = dout + y * dout_pitch
        with code.loop(columns) as q:
            _one_by_one(code)
            here, at = line + q * code.lanes, q * step
            vectors_here = [code.load(here + spread * j) for j in across]
            for i in numbers:
                base, offset = divmod(i, len(inside))
                factor = code.broadcast(lines[base] + at + inside[offset])
                for j in across:
                    total[i][j].set(code.fma(factor, vectors_here[j], total[i][j].get()))
    for row, variables in zip(places, total, strict=True):
        for place, variable in zip(row, variables, strict=True):
            code.store(place, variable.get())


def _one_by_one(code: Code) -> None:
    """Keep LLVM from writing a loop's body twice: it would share loads, and run out of registers.

    It does not do that to a loop with assembly in it, though there is nothing in this.
    """
    code.build.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], side_effect=True)


def together(isa: Isa, vectors: int) -> int:
    """Return how many numbers of x are broadcast for 1 or 2 vectors, all sums in registers.

    Examples
    --------
    >>> from faltung.kernels.isa import AVX2, AVX512
    >>> [together(isa, vectors) for isa in (AVX512, AVX2) for vectors in (1, 2)]
    [16, 8, 8, 4]
    """
    return (16 if isa.registers >= 32 else 8) // vectors
