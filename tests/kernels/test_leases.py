"""Memory of large results is taken again, never while somebody can still read it."""

from __future__ import annotations

import gc
import os
import threading

import numpy as np
import pytest

from faltung.kernels import leases
from faltung.kernels.leases import KEPT, LEAST, leased, release, waiting

FLOAT = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def nothing_waits() -> None:
    gc.collect()
    release()


def large(megabytes: int = 2) -> np.ndarray:
    return leased((megabytes, 1 << 18), FLOAT)


def test_small_arrays_own_their_memory() -> None:
    assert leased((LEAST // 4 - 1,), FLOAT).flags.owndata
    assert leased((0, 3), FLOAT).shape == (0, 3)


def test_an_array_is_like_any_other() -> None:
    x = large()
    assert x.shape == (2, 1 << 18)
    assert x.dtype == FLOAT
    assert x.flags.c_contiguous
    assert x.flags.writeable
    assert x.ctypes.data % leases.LINE == 0
    x[:] = 3
    assert x.sum() == 3 << 19


def test_memory_is_taken_again_after_the_last_reader() -> None:
    x = large()
    place = x.ctypes.data
    view = x[1:, ::2].T
    del x
    assert large().ctypes.data != place
    del view
    assert waiting() >= LEAST
    assert large().ctypes.data == place


def test_views_stay_whole_while_others_come_and_go() -> None:
    rows = []
    for value in range(20):
        x = large()
        x.fill(value)
        rows.append(x[0, :5])
    for value, row in enumerate(rows):
        assert (row == value).all()


def test_what_waits_is_bounded() -> None:
    held = [large(16) for _ in range(24)]
    assert waiting() == 0
    held.clear()
    assert KEPT - (16 << 20) <= waiting() <= KEPT


def test_a_piece_is_never_much_larger_than_asked_for() -> None:
    x = large(8)
    place = x.ctypes.data
    del x
    assert large(2).ctypes.data != place
    assert large(7).ctypes.data == place


def test_threads_never_share_a_piece() -> None:
    failures = []

    def work(number: int) -> None:
        for turn in range(200):
            x = large()
            x.fill(number)
            if not (x[::1, ::4096] == number).all():
                failures.append(turn)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_has_memory_of_its_own() -> None:
    x = large()
    x.fill(1)
    child = os.fork()
    if not child:
        x.fill(2)
        os._exit(0 if (large() is not None and (x == 2).all()) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (x == 1).all()
    assert leases.waiting() >= 0
