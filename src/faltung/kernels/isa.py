"""Instruction sets: how wide a vector is, and what LLVM is told of the CPU.

The same kernels are compiled for any of them. ``FALTUNG_ISA`` forces one that this CPU has;
``FALTUNG_ISA=none`` leaves everything to NumPy.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Final

import llvmlite.binding as llvm

from faltung.errors import KernelError, message


@dataclass(frozen=True, slots=True)
class Isa:
    """An instruction set.

    Parameters
    ----------
    name
        What ``FALTUNG_ISA`` takes.
    width
        Bytes of a vector.
    registers
        How many vectors the CPU holds.
    needs
        Features, in LLVM's names, that the CPU must have.
    lacks
        Features that are switched off though the CPU may have them, so that the code is that of
        an older one.
    triple
        LLVM's name of the machine; empty for this one.
    cpu
        LLVM's name of the CPU; empty for this one.
    """

    name: str
    width: int
    registers: int
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    triple: str = ""
    cpu: str = ""

    def lanes(self, itemsize: int) -> int:
        """How many numbers of so many bytes a vector holds.

        >>> AVX2.lanes(4), AVX2.lanes(8)
        (8, 4)
        """
        return self.width // itemsize


_AVX512 = ("avx512f", "avx512vl", "avx512dq", "avx512bw")
AVX512: Final = Isa("avx512", 64, 32, (*_AVX512, "fma"))
AVX2: Final = Isa("avx2", 32, 16, ("avx2", "fma"), _AVX512)
SSE: Final = Isa("sse", 16, 16, ("sse2",), (*_AVX512, "avx", "avx2", "fma", "fma4", "xop"))
NEON: Final = Isa("neon", 16, 32, ("neon",), triple="aarch64-unknown-linux-gnu", cpu="generic")
ISAS: Final = (AVX512, AVX2, SSE, NEON)
"""The widest first."""

VARIABLE: Final = "FALTUNG_ISA"


@cache
def host_features() -> dict[str, bool]:
    """Return which features this CPU has, by LLVM's names."""
    return dict(llvm.get_host_cpu_features())


def has(isa: Isa) -> bool:
    """Whether this CPU can run code for an instruction set."""
    here = llvm.get_process_triple().split("-")[0]
    is_arm = here in ("aarch64", "arm64")
    if is_arm != (isa is NEON):
        return False
    return is_arm or all(host_features().get(name, False) for name in isa.needs)


def host_isa() -> Isa | None:
    """Return the instruction set that kernels are compiled for; None where NumPy does everything.

    Raises
    ------
    KernelError
        ``FALTUNG_ISA`` names none that this CPU has.
    """
    return chosen(os.environ.get(VARIABLE, ""))


def required_isa(row: str) -> Isa:
    """Return the instruction set that a row of the registry is compiled for.

    Raises
    ------
    KernelError
        There is none.
    """
    isa = host_isa()
    if isa is None:
        rule, cure = "nothing is compiled here", f"Unset {VARIABLE}"
        raise KernelError(message(row, rule, {VARIABLE: os.environ.get(VARIABLE)}, cure))
    return isa


@cache
def chosen(name: str) -> Isa | None:
    """Return an instruction set by its name; the widest that this CPU has for an empty one."""
    here = [isa for isa in ISAS if has(isa)]
    if name == "none" or (not name and not here):
        return None
    if not name:
        return here[0]
    for isa in here:
        if isa.name == name:
            return isa
    rule = "this CPU does not run it"
    cure = f"Use {', '.join([*(isa.name for isa in here), 'none'])}"
    raise KernelError(message(VARIABLE, rule, {VARIABLE: name}, cure))
