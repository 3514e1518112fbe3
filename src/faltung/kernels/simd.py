"""The vector vocabulary: kernels as Python functions that write vector code.

A kernel is a Python function of a `Code` and its arguments. It runs once, when it is compiled:
Python's loops are unrolled, `Code.loop` makes loops of the compiled code, and the arithmetic of
`Int`, `Vector` and `Pointer` becomes instructions. How many numbers a vector holds is a parameter,
so that one source serves AVX-512, AVX2, SSE and NEON::

    @kernel(x=POINTER, y=POINTER, n=INT)
    def double(code, x, y, n):
        with code.loop(n, step=code.lanes) as i:
            v = code.load(x + i)
            code.store(y + i, v + v)

Pointers count numbers, not bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from llvmlite import ir

from faltung.kernels.isa import Isa

I1: Final = ir.IntType(1)
I8: Final = ir.IntType(8)
I32: Final = ir.IntType(32)
I64: Final = ir.IntType(64)
ADDRESS: Final = ir.PointerType()
DOUBLE: Final = "f64"
NUMBERS: Final = {"f32": ir.FloatType(), "f64": ir.DoubleType()}

POINTER: Final = "pointer"
"""An argument that is the address of numbers of the kernel's type."""
INTS: Final = "ints"
"""An argument that is the address of 64-bit integers."""
INT: Final = "int"
"""An argument that is a 64-bit integer."""


class Int:
    """A 64-bit integer of the compiled code."""

    __slots__ = ("build", "value")

    def __init__(self, build: ir.IRBuilder, value: Any) -> None:
        self.build, self.value = build, value

    def _other(self, other: Int | int) -> Any:
        return other.value if isinstance(other, Int) else I64(other)

    def _made(self, instruction: str, other: Int | int) -> Int:
        return Int(self.build, getattr(self.build, instruction)(self.value, self._other(other)))

    def __add__(self, other: Int | int) -> Int:
        return self if isinstance(other, int) and other == 0 else self._made("add", other)

    def __radd__(self, other: int) -> Int:
        return self + other

    def __sub__(self, other: Int | int) -> Int:
        return self if isinstance(other, int) and other == 0 else self._made("sub", other)

    def __rsub__(self, other: int) -> Int:
        return Int(self.build, self.build.sub(I64(other), self.value))

    def __mul__(self, other: Int | int) -> Int:
        return self if isinstance(other, int) and other == 1 else self._made("mul", other)

    def __rmul__(self, other: int) -> Int:
        return self * other

    def __floordiv__(self, other: Int | int) -> Int:
        """Divide; both must be at least 0, as C's and Python's division differ below."""
        return self._made("sdiv", other)

    def __mod__(self, other: Int | int) -> Int:
        """Return the rest; both must be at least 0."""
        return self._made("srem", other)

    def _compared(self, sign: str, other: Int | int) -> Any:
        return self.build.icmp_signed(sign, self.value, self._other(other))

    def __lt__(self, other: Int | int) -> Any:
        return self._compared("<", other)

    def __le__(self, other: Int | int) -> Any:
        return self._compared("<=", other)

    def __gt__(self, other: Int | int) -> Any:
        return self._compared(">", other)

    def __ge__(self, other: Int | int) -> Any:
        return self._compared(">=", other)

    def equals(self, other: Int | int) -> Any:
        """Return whether two integers are equal."""
        return self._compared("==", other)

    def at_most(self, other: Int | int) -> Int:
        """Return the smaller of two."""
        return Int(self.build, self.build.select(self < other, self.value, self._other(other)))

    def at_least(self, other: Int | int) -> Int:
        """Return the larger of two."""
        return Int(self.build, self.build.select(self > other, self.value, self._other(other)))


class Vector:
    """As many numbers as a vector of the CPU holds."""

    __slots__ = ("build", "value")

    def __init__(self, build: ir.IRBuilder, value: Any) -> None:
        self.build, self.value = build, value

    def __add__(self, other: Vector) -> Vector:
        return Vector(self.build, self.build.fadd(self.value, other.value))

    def __sub__(self, other: Vector) -> Vector:
        return Vector(self.build, self.build.fsub(self.value, other.value))

    def __mul__(self, other: Vector) -> Vector:
        return Vector(self.build, self.build.fmul(self.value, other.value))

    def __truediv__(self, other: Vector) -> Vector:
        return Vector(self.build, self.build.fdiv(self.value, other.value))

    def __neg__(self) -> Vector:
        return Vector(self.build, self.build.fneg(self.value))


class Pointer:
    """The address of a number; adding an integer moves it by so many numbers."""

    __slots__ = ("build", "element", "value")

    def __init__(self, build: ir.IRBuilder, value: Any, element: ir.Type) -> None:
        self.build, self.value, self.element = build, value, element

    def __add__(self, offset: Int | int) -> Pointer:
        if isinstance(offset, int) and offset == 0:
            return self
        by = offset.value if isinstance(offset, Int) else I64(offset)
        moved = self.build.gep(self.value, [by], source_etype=self.element)
        return Pointer(self.build, moved, self.element)

    def __getitem__(self, offset: Int | int) -> Int:
        """Read a 64-bit integer, of a pointer to such."""
        place = (self + offset).value
        return Int(self.build, self.build.load(place, typ=I64, align=8))


class Variable:
    """A vector or an integer that changes; LLVM keeps it in a register."""

    __slots__ = ("build", "kind", "place", "type")

    def __init__(self, build: ir.IRBuilder, start: Vector | Int) -> None:
        self.build, self.kind, self.type = build, type(start), start.value.type
        with build.goto_entry_block():
            self.place = build.alloca(self.type)
        self.set(start)

    def get(self) -> Any:
        """Return its value now."""
        return self.kind(self.build, self.build.load(self.place, typ=self.type))

    def set(self, value: Vector | Int) -> None:
        """Give it another value."""
        self.build.store(value.value, self.place)


class Code:
    """What a kernel writes its instructions with.

    Parameters
    ----------
    isa
        The instruction set.
    number
        ``"f32"`` or ``"f64"``: the type of the numbers.
    build
        LLVM's builder, at the place where instructions go.
    """

    def __init__(self, isa: Isa, number: str, build: ir.IRBuilder) -> None:
        self.isa, self.number, self.build = isa, number, build
        self.element = NUMBERS[number]
        self.itemsize = 8 if number == DOUBLE else 4
        self.lanes = isa.lanes(self.itemsize)
        self.vector = ir.VectorType(self.element, self.lanes)
        self.masks = ir.VectorType(I1, self.lanes)
        self._indices = ir.VectorType(I64, self.lanes)

    # Integers and places ----------------------------------------------------------------------

    def integer(self, value: int) -> Int:
        """Return a constant."""
        return Int(self.build, I64(value))

    def ints(self, pointer: Pointer) -> Pointer:
        """Return the same address as one of 64-bit integers."""
        return Pointer(self.build, pointer.value, I64)

    def address(self, value: Int) -> Pointer:
        """Return an integer as the address of numbers."""
        return Pointer(self.build, self.build.inttoptr(value.value, ADDRESS), self.element)

    def choose(self, condition: Any, a: Int, b: Int) -> Int:
        """Return one of two integers."""
        return Int(self.build, self.build.select(condition, a.value, b.value))

    def choose_place(self, condition: Any, a: Pointer, b: Pointer) -> Pointer:
        """Return one of two addresses."""
        return Pointer(self.build, self.build.select(condition, a.value, b.value), a.element)

    def variable(self, start: Vector | Int) -> Variable:
        """Return a variable with its first value."""
        return Variable(self.build, start)

    # Loading and storing ----------------------------------------------------------------------

    def load(self, place: Pointer) -> Vector:
        """Read a vector; it need not be aligned."""
        value = self.build.load(place.value, typ=self.vector, align=self.itemsize)
        return Vector(self.build, value)

    def store(self, place: Pointer, vector: Vector) -> None:
        """Write a vector; it need not be aligned."""
        self.build.store(vector.value, place.value, align=self.itemsize)

    def first(self, count: Int | int) -> Any:
        """Return the mask of the first lanes; all of them for larger counts."""
        limit = count if isinstance(count, Int) else self.integer(count)
        lanes = ir.Constant(self._indices, list(range(self.lanes)))
        return self.build.icmp_signed("<", lanes, self._spread(limit.value, self._indices))

    def between(self, start: Int, stop: Int) -> Any:
        """Return the mask of the lanes from one on, up to another."""
        lanes = ir.Constant(self._indices, list(range(self.lanes)))
        low, high = (self._spread(v.value, self._indices) for v in (start, stop))
        is_late = self.build.icmp_signed(">=", lanes, low)
        return self.build.and_(is_late, self.build.icmp_signed("<", lanes, high))

    def load_some(self, mask: Any, place: Pointer) -> Vector:
        """Read the lanes of a mask, and nothing else; the others are 0."""
        kinds = (ADDRESS, I32, self.masks, self.vector)
        name = f"llvm.masked.load.v{self.lanes}{self.number}.p0"
        given = [place.value, I32(self.itemsize), mask, self.constant(0.0).value]
        return Vector(self.build, self.intrinsic(name, self.vector, kinds, given))

    def store_some(self, mask: Any, place: Pointer, vector: Vector) -> None:
        """Write the lanes of a mask, and nothing else."""
        kinds = (self.vector, ADDRESS, I32, self.masks)
        name = f"llvm.masked.store.v{self.lanes}{self.number}.p0"
        self.intrinsic(
            name, ir.VoidType(), kinds, [vector.value, place.value, I32(self.itemsize), mask]
        )

    def load_number(self, place: Pointer, condition: Any) -> Any:
        """Read one number where a condition holds, and nothing where not; 0 then."""
        before = self.build.block
        with self.build.if_then(condition):
            inside = self.build.block
            number = self.build.load(place.value, typ=self.element, align=self.itemsize)
        either = self.build.phi(self.element)
        either.add_incoming(number, inside)
        either.add_incoming(ir.Constant(self.element, 0.0), before)
        return either

    def store_number(self, place: Pointer, number: Any) -> None:
        """Write one number."""
        self.build.store(number, place.value, align=self.itemsize)

    def broadcast(self, place: Pointer) -> Vector:
        """Read one number into all lanes."""
        number = self.build.load(place.value, typ=self.element, align=self.itemsize)
        return Vector(self.build, self._spread(number, self.vector))

    def prefetch(self, place: Pointer, locality: int = 2, *, writes: bool = False) -> None:
        """Tell the CPU that a place will be read, or written; 3 keeps it in the nearest cache."""
        given = [place.value, I32(int(writes)), I32(locality), I32(1)]
        self.intrinsic("llvm.prefetch.p0", ir.VoidType(), (ADDRESS, I32, I32, I32), given)

    # Arithmetic -------------------------------------------------------------------------------

    def constant(self, value: float) -> Vector:
        """Return a vector with one number in all lanes."""
        return Vector(self.build, ir.Constant(self.vector, [float(value)] * self.lanes))

    def fma(self, a: Vector, b: Vector, c: Vector) -> Vector:
        """Return ``a * b + c``, rounded once where the CPU can, twice where it cannot."""
        # Without the instruction llvm.fma would call a function for each lane.
        name = "llvm.fma" if "fma" in self.isa.needs or self.isa.name == "neon" else "llvm.fmuladd"
        return self._vectors(name, a, b, c)

    def square_root(self, a: Vector) -> Vector:
        """Return the square root in each lane, rounded once; NaN of negative numbers."""
        return self._vectors("llvm.sqrt", a)

    def maximum(self, a: Vector, b: Vector) -> Vector:
        """Return the larger in each lane; NaN where either is."""
        is_larger = self.build.fcmp_ordered(">", a.value, b.value)
        larger = self.build.select(is_larger, a.value, b.value)
        is_nan = self.build.fcmp_unordered("uno", a.value, a.value)
        return Vector(self.build, self.build.select(is_nan, a.value, larger))

    def select(self, condition: Any, a: Vector, b: Vector) -> Vector:
        """Return ``a`` in the lanes where a mask is set, ``b`` elsewhere."""
        return Vector(self.build, self.build.select(condition, a.value, b.value))

    def shuffle(self, a: Vector, b: Vector, lanes: Sequence[int]) -> Vector:
        """Return lanes of two vectors, those of ``b`` counted on from those of ``a``."""
        indices = ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))
        return Vector(self.build, self.build.shuffle_vector(a.value, b.value, indices))

    def lane_sums(self, vectors: Sequence[Vector]) -> Vector:
        """Return the sum over the lanes of each of so many vectors as there are lanes.

        Lane j of the result is that of vector j; each sum is the same tree, whatever the values.
        """
        h, parts = 1, list(vectors)
        lanes = range(self.lanes)
        while len(parts) > 1:
            own = [j if not j & h else self.lanes + (j ^ h) for j in lanes]
            other = [j ^ h if not j & h else self.lanes + j for j in lanes]
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [self.shuffle(a, b, own) + self.shuffle(a, b, other) for a, b in pairs]
            h *= 2
        return parts[0]

    # Control ----------------------------------------------------------------------------------

    @contextmanager
    def loop(self, stop: Int | int, step: int = 1, start: Int | int = 0) -> Iterator[Int]:
        """Run a block for each of ``range(start, stop, step)``, not at all for an empty one."""
        build = self.build
        first, last = (v.value if isinstance(v, Int) else I64(v) for v in (start, stop))
        before = build.block
        head, body, end = (build.append_basic_block(n) for n in ("loop", "body", "end"))
        build.branch(head)
        build.position_at_end(head)
        index = build.phi(I64)
        index.add_incoming(first, before)
        build.cbranch(build.icmp_signed("<", index, last), body, end)
        build.position_at_end(body)
        yield Int(build, index)
        index.add_incoming(build.add(index, I64(step)), build.block)
        build.branch(head)
        build.position_at_end(end)

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        """Run a block only where a condition holds."""
        with self.build.if_then(condition):
            yield

    def intrinsic(
        self, name: str, result: ir.Type, kinds: Sequence[ir.Type], given: list[Any]
    ) -> Any:
        """Call one of LLVM's intrinsics; of their LLVM values."""
        known = self.build.module.globals.get(name)
        kind = ir.FunctionType(result, kinds)
        function = known if known is not None else ir.Function(self.build.module, kind, name)
        return self.build.call(function, given)

    def call(self, address: Int, *given: Int | Pointer) -> None:
        """Call machine code that was compiled by itself, as `Kernel.address` gives it."""
        kind = ir.FunctionType(ir.VoidType(), [I64] * len(given))
        function = self.build.inttoptr(address.value, kind.as_pointer())
        values = [
            self.build.ptrtoint(one.value, I64) if isinstance(one, Pointer) else one.value
            for one in given
        ]
        self.build.call(function, values)

    @contextmanager
    def either(self, condition: Any) -> Iterator[Any]:
        """Give two blocks: one runs where a condition holds, the other where it does not."""
        with self.build.if_else(condition) as blocks:
            yield blocks

    # Inside -----------------------------------------------------------------------------------

    def _spread(self, number: Any, vector: ir.VectorType) -> Any:
        empty = ir.Constant(vector, ir.Undefined)
        one = self.build.insert_element(empty, number, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
        return self.build.shuffle_vector(one, empty, zeros)

    def _vectors(self, name: str, *vectors: Vector) -> Vector:
        full = f"{name}.v{self.lanes}{self.number}"
        kinds = (self.vector,) * len(vectors)
        called = self.intrinsic(full, self.vector, kinds, [v.value for v in vectors])
        return Vector(self.build, called)
