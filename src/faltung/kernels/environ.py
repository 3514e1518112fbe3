"""Environment variables mixed into one number, by machine code: for `faltung.kernels.settings`."""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir

from faltung.kernels.compiled import kernel
from faltung.kernels.simd import ADDRESS, I8, I64, INTS, Code, Int, Pointer, Variable

RESULT, GETENV, NAMES = range(3)
"""Words of what `mix` is told: where the result goes, the C library's getenv, names from there."""

# Fowler, Noll and Vo's hash (FNV-1a), 64 bits.
_START: Final = 0xCBF29CE484222325 - (1 << 64)
_PRIME: Final = 0x100000001B3


@kernel(told=INTS)
def mix(code: Code, told: Pointer, *, count: int) -> None:
    """Write the hash of so many variables' values, each ended by a zero; unset ones are empty."""
    build = code.build
    kind = ir.FunctionType(ADDRESS, [ADDRESS])
    getenv = build.inttoptr(told[GETENV].value, kind.as_pointer())
    state = code.variable(code.integer(_START))
    for name in range(NAMES, NAMES + count):
        text = build.call(getenv, [build.inttoptr(told[name].value, ADDRESS)])
        is_set = build.icmp_unsigned("!=", build.ptrtoint(text, I64), I64(0))
        with code.when(is_set):
            _mix_text(code, text, state)
        _mix_byte(state, code.integer(0))
    build.store(state.get().value, build.inttoptr(told[RESULT].value, ADDRESS), align=8)


def _mix_text(code: Code, text: Any, state: Variable) -> None:
    build = code.build
    at = code.variable(code.integer(0))
    look, step, end = (build.append_basic_block(n) for n in ("look", "step", "end"))
    build.branch(look)
    build.position_at_end(look)
    place = build.gep(text, [at.get().value], source_etype=I8)
    byte = Int(build, build.zext(build.load(place, typ=I8, align=1), I64))
    build.cbranch(byte.equals(0), end, step)
    build.position_at_end(step)
    _mix_byte(state, byte)
    at.set(at.get() + 1)
    build.branch(look)
    build.position_at_end(end)


def _mix_byte(state: Variable, byte: Int) -> None:
    mixed = byte.build.xor(state.get().value, byte.value)
    state.set(Int(byte.build, mixed) * _PRIME)
