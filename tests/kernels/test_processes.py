"""Processes and threads: a fork, calls from several threads, numbers of threads. Same bits."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import faltung
from faltung.errors import KernelError
from faltung.kernels.isa import host_isa

pytestmark = pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")

BEFORE = """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of fork with threads
import numpy as np
import faltung

def arrays():
    rng = np.random.default_rng(0)
    shapes = ((4, 16, 40, 40), (24, 16, 3, 3), (1, 16, 8, 8))
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]

def bits(prepared=None):
    x, w, small = arrays()
    conv = prepared or faltung.prepare(w, padding=1)
    found = [faltung.conv(x, w, padding=1), faltung.conv(small, w, padding=1), conv(x), conv(small)]
    return b"".join(y.tobytes() for y in found)
"""

FORK = """
prepared = faltung.prepare(arrays()[1], padding=1)
before = [bits(prepared), bits(prepared)][1]
# While another thread computes: no lock of its may stay locked in the child.
stop = []
def work():
    while not stop:
        bits()
thread = threading.Thread(target=work)
thread.start()
for _ in range(5):
    child = os.fork()
    if child == 0:
        os._exit(0 if bits(prepared) == bits() == before else 3)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        break
stop.append(1)
thread.join()
print(code, bits() == before)
"""

PARALLEL = """
right, wrong = bits(), []
prepared = faltung.prepare(arrays()[1], padding=1)
def work():
    for _ in range(10):
        if bits() != right or bits(prepared) != right:
            wrong.append(1)
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(wrong))
"""

COUNTED = """
import hashlib
print(faltung.num_threads(), hashlib.sha256(bits()).hexdigest())
faltung.set_num_threads(2)
print(faltung.num_threads(), hashlib.sha256(bits()).hexdigest())
faltung.set_num_threads(None)
print(faltung.num_threads(), hashlib.sha256(bits()).hexdigest())
"""


def run(code: str, **variables: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE + code],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "FALTUNG_NUM_THREADS": "2", **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_computes_the_same_bits_while_threads_of_its_parent_compute() -> None:
    assert run(FORK) == ["0 True"]


def test_calls_from_several_threads_at_once_have_the_same_bits() -> None:
    assert run(PARALLEL) == ["0"]


def test_the_number_of_threads_is_set_by_a_variable_or_a_function() -> None:
    one, three = run(COUNTED, FALTUNG_NUM_THREADS="1"), run(COUNTED, FALTUNG_NUM_THREADS="3")
    assert [line.split()[0] for line in one] == ["1", "2", "1"]
    assert [line.split()[0] for line in three] == ["3", "2", "3"]
    assert len({line.split()[1] for line in one + three}) == 1


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", True])
def test_a_number_of_threads_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(KernelError, match=r"set_num_threads: must be a number of at least 1.*K4"):
        faltung.set_num_threads(wrong)  # type: ignore[arg-type]


def test_a_number_of_numpys_will_do() -> None:
    faltung.set_num_threads(np.int64(3))  # type: ignore[arg-type]
    assert faltung.num_threads() == 3
    faltung.set_num_threads(None)
