"""What the environment says about kernels. It is read at each call, so that must cost nothing.

Asking `os.environ` takes a microsecond for each variable that is not set. So a few lines of machine
code read them with the C library's ``getenv``, which sees what `os.environ` sets, and mix their
bytes into one number, the *token*: as long as it is the same, so are all settings, and whatever was
worked out from them. Where nothing can be compiled the token is the tuple of the values.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Hashable
from functools import cache, lru_cache
from typing import Final, NamedTuple

from faltung.errors import KernelError, message

KERNEL: Final = "FALTUNG_KERNEL"
ISA: Final = "FALTUNG_ISA"
EXACT: Final = "FALTUNG_EXACT"
TUNED: Final = "FALTUNG_TUNED"
VARIABLES: Final = (KERNEL, ISA, EXACT, TUNED)


class Settings(NamedTuple):
    """What the variables hold; an empty one counts as not set.

    Parameters
    ----------
    kernel
        ``"reference"``, or the row that is imposed.
    isa
        The instruction set to compile for.
    is_exact
        Whether only rows with the error of direct summation are taken.
    tuned
        The file with the table of measured rows; ``"none"`` for none.
    """

    kernel: str = ""
    isa: str = ""
    is_exact: bool = False
    tuned: str = ""


def settings() -> Settings:
    """Return what the environment says now.

    Raises
    ------
    KernelError
        ``FALTUNG_EXACT`` is neither 0 nor 1 (K5).
    """
    return _at(token())


@lru_cache(16)
def _at(token: Hashable) -> Settings:
    """Return the settings of the present token."""
    return _read(*(os.environ.get(name, "") for name in VARIABLES))


@cache
def _read(kernel: str, isa: str, exact: str, tuned: str) -> Settings:
    if exact not in ("", "0", "1"):
        values = {EXACT: repr(exact)}
        raise KernelError(message(EXACT, "must be 0 or 1", values, "Unset it", "kernel K5"))
    return Settings(kernel, isa, exact == "1", tuned)


class _Changes:
    """How often a setting was changed by a function, not by a variable."""

    number = 0


_changes = _Changes()


def changed() -> None:
    """Note that a setting was changed: the next `token` is another one."""
    _changes.number += 1


def token() -> Hashable:
    """Return a value that changes with the settings, in a fraction of a microsecond."""
    return _tokens()(), _changes.number


@cache
def _tokens() -> Callable[[], Hashable]:
    try:
        return _compiled()
    except (ImportError, OSError, AttributeError, KernelError):
        return lambda: tuple(os.environ.get(name, "") for name in VARIABLES)


def _compiled() -> Callable[[], Hashable]:
    """Return the token as machine code computes it."""
    if os.environ.get(ISA) == "none":
        raise OSError("nothing is to be compiled")
    from faltung.kernels.environ import mix
    from faltung.kernels.isa import chosen

    isa = chosen("")
    if isa is None or os.name == "nt":  # Windows keeps an environment for each C library
        raise OSError("no getenv that os.environ writes to")
    getenv = ctypes.cast(ctypes.CDLL(None).getenv, ctypes.c_void_p).value or 0
    names = [ctypes.create_string_buffer(name.encode()) for name in VARIABLES]
    result = ctypes.c_int64()
    words = (ctypes.addressof(result), getenv, *map(ctypes.addressof, names))
    told = (ctypes.c_int64 * len(words))(*words)
    read = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(mix.address(isa=isa, count=len(names)))
    place = ctypes.addressof(told)

    def token(kept: object = (told, names)) -> int:
        read(place)
        return result.value

    return token
