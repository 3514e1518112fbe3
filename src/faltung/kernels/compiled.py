"""From a kernel's Python function to its address: written, optimised, kept, linked.

LLVM compiles each variant of a kernel once. The machine code is kept as an object file in the
user's cache folder, under a name that is a hash of all that it depends on: the sources of the
modules that write it, the constants of the variant, the instruction set, the CPU, LLVM's version.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import inspect
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from faltung.kernels import objects, simd
from faltung.kernels.isa import Isa, host_features, required_isa
from faltung.kernels.simd import ADDRESS, I64, INT, INTS, Code, Int, Pointer

Constants = Mapping[str, Any]
LEVEL: Final = 3
"""LLVM's level of optimisation."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A function that writes vector code, and the kinds of its arguments.

    Parameters
    ----------
    write
        Called with a `Code` and the arguments; what it is given by name are constants.
    arguments
        Kinds by name, in order.
    uses
        Kernels that it calls.
    """

    write: Callable[..., None]
    arguments: Mapping[str, str]
    uses: tuple[Kernel, ...] = field(default=())

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.write.__name__

    def address(self, number: str = "f32", isa: Isa | None = None, **constants: Any) -> int:
        """Return where the machine code of a variant is; it is compiled when first asked for.

        Parameters
        ----------
        number
            ``"f32"`` or ``"f64"``.
        isa
            The instruction set; that of this process if left out.
        **constants
            What the function is given by name: numbers, strings, tuples of these.
        """
        isa = isa or required_isa(self.name)
        return _address(self, number, isa, tuple(sorted(constants.items())))

    def call(self, code: Code, *given: Any, **constants: Any) -> None:
        """Call a variant from the code of another kernel."""
        function = _function(code.build.module, self, code.number, code.isa, constants)
        code.build.call(function, [value.value for value in given])

    def call_apart(self, code: Code, *given: Any, **constants: Any) -> None:
        """Call a variant that stays a function of its own: large ones compile faster so."""
        function = _function(code.build.module, self, code.number, code.isa, constants)
        values = [value.value for value in given]
        code.build.call(function, values, attrs=("noinline",))


def kernel(*uses: Kernel, **arguments: str) -> Callable[[Callable[..., None]], Kernel]:
    """Make a function a kernel; its arguments' kinds are given by name.

    Examples
    --------
    >>> from faltung.kernels.simd import POINTER
    >>> @kernel(x=POINTER, n=INT)
    ... def double(code, x, n):
    ...     with code.loop(n, step=code.lanes) as i:
    ...         code.store(x + i, code.load(x + i) + code.load(x + i))
    >>> double.name
    'double'
    """
    return lambda write: Kernel(write, arguments, uses)


@functools.cache
def function(address: int, count: int) -> Callable[..., None]:
    """Return machine code at an address as a function of so many addresses and integers.

    Calling it gives up the interpreter's lock.
    """
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * count)(address)


def object_code(kernel: Kernel, number: str, isa: Isa, **constants: Any) -> bytes:
    """Compile a variant for any instruction set, and return the object file."""
    return _compiled(kernel, number, isa, constants, "kernel")


def assembly(kernel: Kernel, number: str, isa: Isa, **constants: Any) -> str:
    """Return a variant as text, to see what became of it."""
    return str(_machine(isa).emit_assembly(_optimised(kernel, number, isa, constants, "kernel")))


# Inside -------------------------------------------------------------------------------------


_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child must not find the lock held by a thread that it does not have.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


@functools.cache
def _address(kernel: Kernel, number: str, isa: Isa, constants: tuple[tuple[str, Any], ...]) -> int:
    key = _key(kernel, number, isa, constants)
    symbol = f"{kernel.name}_{key[:24]}"
    code = objects.kept(symbol, lambda: _compiled(kernel, number, isa, dict(constants), symbol))
    with _lock:
        return _linked(symbol, code)


def _linked(symbol: str, code: bytes) -> int:
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(symbol))


def _key(kernel: Kernel, number: str, isa: Isa, constants: tuple[tuple[str, Any], ...]) -> str:
    facts = (
        *(_source(module) for module in _modules(kernel)),
        *(kernel.name, number, isa, constants, LEVEL),
        *(llvmlite.__version__, llvm.llvm_version_info, llvm.get_host_cpu_name()),
        sorted(name for name, is_there in host_features().items() if is_there),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _modules(kernel: Kernel) -> tuple[str, ...]:
    """Return the modules whose sources decide what a kernel's code is."""
    own = {kernel.write.__module__, *(m for used in kernel.uses for m in _modules(used))}
    helpers = {m for module in own for m in _imported(module)}
    return tuple(sorted(own | helpers | {simd.__name__, __name__}))


@functools.cache
def _imported(module: str) -> frozenset[str]:
    """Return the kernels' modules whose functions a module uses, and those that these use.

    What a kernel is written with may be a plain function: a constant matrix times a vector.
    """
    used = {getattr(value, "__module__", None) for value in vars(sys.modules[module]).values()}
    near = {m for m in used if isinstance(m, str) and m.startswith(_PACKAGE)} - {module, __name__}
    return frozenset(near).union(*(_imported(m) for m in near))


_PACKAGE: Final = __name__.rpartition(".")[0] + "."


@functools.cache
def _source(module: str) -> str:
    return hashlib.sha256(inspect.getsource(sys.modules[module]).encode()).hexdigest()


def _compiled(kernel: Kernel, number: str, isa: Isa, constants: Constants, symbol: str) -> bytes:
    return bytes(_machine(isa).emit_object(_optimised(kernel, number, isa, constants, symbol)))


def _optimised(kernel: Kernel, number: str, isa: Isa, constants: Constants, symbol: str) -> Any:
    machine = _machine(isa)
    module = ir.Module(symbol)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    _function(module, kernel, number, isa, constants, symbol)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=LEVEL)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return parsed


def _function(
    module: ir.Module,
    kernel: Kernel,
    number: str,
    isa: Isa,
    constants: Constants,
    symbol: str = "",
) -> ir.Function:
    """Return a variant as a function of a module, written where it is not there yet."""
    name = symbol or f"{kernel.name}.{number}.{sorted(constants.items())}"
    known = module.globals.get(name)
    if known is not None:
        return known
    kinds = [I64 if symbol or kind == INT else ADDRESS for kind in kernel.arguments.values()]
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    # Nothing is thrown, so there are no tables for it, which would have to lie near the code.
    made.attributes.add("nounwind")
    if not symbol:
        made.linkage = "internal"
    build = ir.IRBuilder(made.append_basic_block("entry"))
    code = Code(isa, number, build)
    given = zip(kernel.arguments.values(), made.args, strict=True)
    kernel.write(code, *(_argument(code, kind, value) for kind, value in given), **constants)
    build.ret_void()
    return made


def _argument(code: Code, kind: str, value: Any) -> Int | Pointer:
    if kind == INT:
        return Int(code.build, value)
    # From outside all arguments are integers, so that all kernels are called alike.
    is_integer = value.type == I64
    place = code.build.inttoptr(value, ADDRESS) if is_integer else value
    return Pointer(code.build, place, I64 if kind == INTS else code.element)


@functools.cache
def _initialise(isa: Isa) -> None:
    if isa.triple:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
    else:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()


@functools.cache
def _machine(isa: Isa) -> Any:
    _initialise(isa)
    triple = isa.triple or llvm.get_process_triple()
    cpu = isa.cpu or llvm.get_host_cpu_name()
    features = [f"+{name}" for name in isa.needs] + [f"-{name}" for name in isa.lacks]
    own = [] if isa.triple else [_flag(*item) for item in sorted(host_features().items())]
    target = llvm.Target.from_triple(triple)
    # Code and its constants may come to lie further apart than 32 bits reach: in a process with
    # much memory there is no room near by. So every address is written out.
    return target.create_target_machine(
        cpu=cpu, features=",".join(own + features), opt=LEVEL, reloc="static", codemodel="large"
    )


def _flag(name: str, is_there: bool) -> str:
    return f"{'+' if is_there else '-'}{name}"


@functools.cache
def _engine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
