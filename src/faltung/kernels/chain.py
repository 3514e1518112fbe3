"""Chains: values computed number by number, in one pass over memory.

What is computed is a list of steps, each of one or two results before it::

    (("load", 0), ("load", 1), ("mul", 0, 1), ("relu", 2))

``("number", 0.5)`` is that number everywhere; ``("where", 0, 1, 2)`` is the second result where the
first is above 0, and the third elsewhere.

The arrays that are loaded may be repeated along axes, as NumPy's broadcasting has it, or lie with
any strides: a step that only loads moves a value to where another layout has it. All axes along
which the arrays go on alike are one; what is left are rows, in three nested loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from llvmlite import ir

from faltung.kernels.compiled import kernel
from faltung.kernels.epilogue import activated
from faltung.kernels.exponential import exp, logistic
from faltung.kernels.simd import I32, INT, INTS, Code, Int, Pointer, Vector
from faltung.kernels.vector_math import erf, tanh

LOADS: Final = 8
"""Arrays that a chain reads at most."""
OUTER: Final = 3
"""Loops around that over the numbers of a row."""
Step = tuple[Any, ...]
UNARY: Final = ("relu", "leaky_relu", "clip", "hard_sigmoid", "hard_swish")
"""Activations, as `faltung.kernels.epilogue` has them; more are below."""
REPEATED, ROW, STRIDED = "repeated", "row", "strided"
"""How an array lies along a row: one number for all of it, one after the other, or apart."""
UNROLLED: Final = 2
"""Vectors of one turn."""


def strides_of(name: str) -> tuple[str, ...]:
    """Return the fields of an array's strides, those of the outer loops first."""
    return tuple(f"{name}_{axis}" for axis in range(OUTER + 1))


_NAMES: Final = ("y", *(f"x{i}" for i in range(LOADS)))
FIELDS: Final = (
    *_NAMES,
    *("scratch", "size", "segment", "segments", "items", "count", "second", "third"),
    *(field for name in _NAMES for field in strides_of(name)),
)


@kernel(arguments=INTS, block=INT, thread=INT)
def chain_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    kinds: tuple[str, ...],
    steps: tuple[Step, ...],
) -> None:
    """Some segments of rows; ``kinds`` are those of the result and of each array loaded."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    first, segments = block * of("count"), of("segments")
    with code.loop((first + of("count")).at_most(of("items")), start=first) as item:
        row, start = item // segments, item % segments * of("segment")
        outer = row // of("third")
        places = (outer // of("second"), outer % of("second"), row % of("third"))
        stop = (start + of("segment")).at_most(of("size"))
        arrays = []
        for name, kind in zip(_NAMES, kinds, strict=False):
            *strides, along = (of(field) for field in strides_of(name))
            place = code.address(of(name))
            for at, stride in zip(places, strides, strict=True):
                place = place + at * stride
            arrays.append((kind, place, along))
        _row(code, arrays, steps, start, stop)


def _row(
    code: Code,
    arrays: Sequence[tuple[str, Pointer, Int]],
    steps: Sequence[Step],
    start: Int,
    stop: Int,
) -> None:
    """Compute the numbers of one segment of a row."""
    repeated = [code.broadcast(p) if kind == REPEATED else None for kind, p, _ in arrays]
    turn = UNROLLED * code.lanes
    whole = (stop - start) // turn * turn + start

    def vector(at: Int, mask: Any, last: Int) -> None:
        loaded = []
        for number, (kind, place, along) in zip(repeated[1:], arrays[1:], strict=True):
            if number is not None:
                loaded.append(number)
            elif kind == STRIDED:
                loaded.append(_gathered(code, place, along, at, last))
            else:
                p = place + at
                loaded.append(code.load(p) if mask is None else code.load_some(mask, p))
        result = computed(code, steps, loaded)
        kind, place, along = arrays[0]
        if kind == STRIDED:
            _scattered(code, place, along, at, last, result)
        elif mask is None:
            code.store(place + at, result)
        else:
            code.store_some(mask, place + at, result)

    with code.loop(whole, step=turn, start=start) as i:
        for n in range(UNROLLED):
            vector(i + n * code.lanes, None, stop)
    with code.loop(stop, step=code.lanes, start=whole) as i:
        vector(i, code.first(stop - i), stop)


def computed(code: Code, steps: Sequence[Step], loaded: Sequence[Vector]) -> Vector:
    """Return what the last step gives."""
    made: list[Vector] = []
    for name, *given in steps:
        if name == "load":
            made.append(loaded[given[0]])
        elif name == "number":
            made.append(code.constant(given[0]))
        elif name in UNARY:
            low, high = (*given[1:], 0.0, 0.0)[:2]
            made.append(activated(code, made[given[0]], (name, low, high)))
        else:
            made.append(_FUNCTIONS[name](code, *(made[i] for i in given)))
    return made[-1]


def _larger(code: Code, a: Vector, b: Vector) -> Vector:
    """As `Code.maximum`, but that NaN of the second counts too."""
    is_nan = code.build.fcmp_unordered("uno", b.value, b.value)
    return code.select(is_nan, b, code.maximum(a, b))


def _prelu(code: Code, x: Vector, slope: Vector) -> Vector:
    is_high = code.build.fcmp_ordered(">=", x.value, code.constant(0.0).value)
    return code.select(is_high, x, x * slope)


def _positive(code: Code, x: Vector) -> Vector:
    is_positive = code.build.fcmp_ordered(">", x.value, code.constant(0.0).value)
    return code.select(is_positive, code.constant(1.0), code.constant(0.0))


def _where(code: Code, x: Vector, a: Vector, b: Vector) -> Vector:
    is_positive = code.build.fcmp_ordered(">", x.value, code.constant(0.0).value)
    return code.select(is_positive, a, b)


def _absolute(code: Code, x: Vector) -> Vector:
    is_low = code.build.fcmp_ordered("<=", x.value, code.constant(0.0).value)
    return code.select(is_low, code.constant(0.0) - x, x)


_FUNCTIONS: Final[dict[str, Any]] = {
    "add": lambda code, a, b: a + b,
    "sub": lambda code, a, b: a - b,
    "mul": lambda code, a, b: a * b,
    "div": lambda code, a, b: a / b,
    "max": _larger,
    "min": lambda code, a, b: -_larger(code, -a, -b),
    "neg": lambda code, a: -a,
    "abs": _absolute,
    "positive": _positive,
    "sqrt": lambda code, a: code.square_root(a),
    "square": lambda code, a: a * a,
    "exp": exp,
    "logistic": logistic,
    "tanh": tanh,
    "erf": erf,
    "prelu": _prelu,
    "where": _where,
}
"""By a step's name; called with the code and the results that it reads."""
KNOWN: Final = frozenset((*UNARY, *_FUNCTIONS, "load", "number"))


# Numbers that do not lie one after the other ---------------------------------------------------


def _gathered(code: Code, place: Pointer, along: Int, at: Int, stop: Int) -> Vector:
    """Read as many numbers as a vector has, a stride apart; behind the last one, that again."""
    build = code.build
    value = ir.Constant(code.vector, ir.Undefined)
    for lane in range(code.lanes):
        p = place + (at + lane).at_most(stop - 1) * along
        number = build.load(p.value, typ=code.element, align=code.itemsize)
        value = build.insert_element(value, number, I32(lane))
    return Vector(build, value)


def _scattered(code: Code, place: Pointer, along: Int, at: Int, stop: Int, made: Vector) -> None:
    """Write the lanes a stride apart, up to the last one."""
    for lane in range(code.lanes):
        with code.when((at + lane) < stop):
            number = code.build.extract_element(made.value, I32(lane))
            code.store_number(place + (at + lane) * along, number)
