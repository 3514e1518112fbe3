"""Checkpoints: nothing is lost, and nothing that is not whole is taken for one."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import CheckpointError, StorageError
from faltung.training import checkpoint
from faltung.training.checkpoint import differences, latest, load, prune, save, step_path
from faltung.training.environment import environment
from faltung.training.record import digest
from faltung.training.state import Array, TrainState

META: dict[str, Any] = {"net": "small", "lr": 0.1, "classes": ["0", "1"], "nested": {"2": [None]}}


def make(step: int = 7, value: float = 1.5) -> TrainState:
    """A small run with one of each: odd names, no axes, no values, numbers that are not finite."""
    params = {
        "conv1.weight": np.full((2, 1, 2, 2), value, np.float32),
        "a/b": np.array([np.nan, -0.0, np.inf, 1e-45], np.float32),
        "scale": np.array(3.0, np.float32),
        "none": np.zeros((0, 4), np.float32),
    }
    state = {"norm.mean": np.arange(3.0), "count": np.array(2**60 + 1), "on": np.array([True])}
    zeros = {name: np.zeros_like(p) for name, p in params.items()}
    moments = {"m": zeros, "v": {name: p + 1 for name, p in params.items()}}
    best = {"params": {"conv1.weight": params["conv1.weight"] * 2}, "state": {}}
    return TrainState(params, state, moments, 2**63, step, epoch=1, batch=2, best=best)


def groups(run: TrainState) -> dict[str, dict[str, Array]]:
    found = {"params": run.params, "state": run.state}
    found |= {f"m/{word}": arrays for word, arrays in run.moments.items()}
    return found | {f"b/{word}": arrays for word, arrays in run.best.items()}


def bits(run: TrainState) -> Any:
    """Everything a state holds, comparable to the last bit."""
    counters = (run.seed, run.step, run.epoch, run.batch)
    return counters, {
        group: {name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()}
        for group, arrays in groups(run).items()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.safetensors"
    save(path, make(), META)
    return path.read_bytes()


def test_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    save(tmp_path / "a", make(), META)
    run, meta = load(tmp_path / "a", like=make(step=0))
    assert bits(run) == bits(make())
    assert meta == {**META, "environment": environment()}
    for arrays in groups(run).values():
        assert all(array.flags.writeable for array in arrays.values())


def test_moments_and_best_without_arrays_come_back(tmp_path: Path) -> None:
    save(tmp_path / "a", TrainState({}, {}, {"velocity": {}}, 0, best={"params": {}}), {})
    run, _ = load(tmp_path / "a")
    assert (run.moments, run.best) == ({"velocity": {}}, {"params": {}})


def test_the_same_numbers_make_the_same_file(tmp_path: Path, whole: bytes) -> None:
    save(tmp_path / "a", make(), dict(reversed(META.items())))
    assert (tmp_path / "a").read_bytes() == whole


def test_the_file_is_plain_safetensors_with_json_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a"
    save(path, make(), META)
    assert set(safetensors.numpy.load_file(path)) >= {
        "params/conv1.weight",
        "params/a/b",
        "state/norm.mean",
        "moments/v/a/b",
        "best/params/conv1.weight",
    }
    with safetensors.safe_open(path, framework="np") as file:
        metadata = file.metadata()
    record = json.loads(metadata["faltung"])
    assert list(metadata) == ["faltung"]
    assert re.fullmatch("[0-9a-f]{64}", record["sha256"])
    content = record["content"]
    assert (content["step"], content["seed"], content["dtype"]) == (7, 2**63, ["float32"])
    assert content["environment"] == environment()
    assert content["meta"] == META


def test_another_environment_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FALTUNG_KERNEL", raising=False)
    save(tmp_path / "a", make(), {})
    meta = load(tmp_path / "a")[1]
    assert differences(meta) == []
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    assert differences(meta) == ["FALTUNG_KERNEL was '', is 'reference'"]


def test_resaving_what_was_loaded_records_the_environment_of_now(tmp_path: Path) -> None:
    save(tmp_path / "a", make(), {"environment": "an older one"})
    assert load(tmp_path / "a")[1]["environment"] == environment()


# Damage


def wrong_or_same(path: Path, data: bytes) -> bool:
    """Whether a damaged file is refused; if not, it must say exactly what the whole one says."""
    path.unlink(missing_ok=True)  # a file that is cut and written again, ext4 puts on the disk
    path.write_bytes(data)
    try:
        run, meta = load(path)
    except CheckpointError as error:
        return str(error).startswith(f"checkpoint {path}: ") and "\n" not in str(error)
    assert bits(run) == bits(make())
    assert meta == {**META, "environment": environment()}
    return False


def test_a_file_that_was_cut_anywhere_is_refused(tmp_path: Path, whole: bytes) -> None:
    assert all(wrong_or_same(tmp_path / "a", whole[:size]) for size in range(len(whole)))


def test_a_file_with_one_bit_flipped_anywhere_is_refused(tmp_path: Path, whole: bytes) -> None:
    refused = 0
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1 << (at * 5 % 8)
        refused += wrong_or_same(tmp_path / "a", bytes(data))
    assert refused >= len(whole) - 16  # all but blanks that JSON does not read


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"dtype":"F32"', b'"dtype":"I32"'),
        (b'"shape":[2,1,2,2]', b'"shape":[1,2,2,2]'),
        (b"params/scale", b"params/spare"),
        (b"state/count", b"state/tally"),
    ],
)
def test_a_header_that_says_other_things_of_the_same_size_is_refused(
    tmp_path: Path, whole: bytes, old: bytes, new: bytes
) -> None:
    assert old in whole
    assert wrong_or_same(tmp_path / "a", whole.replace(old, new))


@given(st.data())
def test_a_file_with_pieces_moved_is_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    cut = st.integers(0, len(whole))
    lo, hi = sorted((data.draw(cut), data.draw(cut)))
    start, stop = sorted((data.draw(cut), data.draw(cut)))
    piece = data.draw(st.sampled_from([whole[start:stop], bytes(stop - start)]) | st.binary())
    wrong_or_same(tmp_path_factory.getbasetemp() / "a", whole[:lo] + piece + whole[hi:])


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    assert wrong_or_same(tmp_path_factory.getbasetemp() / "a", data)


def forged(content: Any, tensors: dict[str, Array] | None = None) -> bytes:
    """A file with a right digest over whatever it is given."""
    tensors = tensors or {}
    text = json.dumps(content, sort_keys=True)
    record = {"content": content, "sha256": digest(text, tensors)}
    return bytes(safetensors.numpy.save(tensors, {"faltung": json.dumps(record)}))


CONTENT: dict[str, Any] = {
    "format": 1,
    "seed": 0,
    "step": 0,
    "epoch": 0,
    "batch": 0,
    "moments": [],
    "best": [],
    "meta": {},
    "environment": {},
}
ONE = np.ones(1, np.float32)
FOREIGN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not a safetensors file, or cut or damaged"),
    "text": (b"hello, world, how are you?", "not a safetensors file, or cut or damaged"),
    "weights of another tool": (
        safetensors.numpy.save({"w": ONE}, {"format": "np"}),
        "a safetensors file, but not a checkpoint of faltung",
    ),
    "no metadata": (
        safetensors.numpy.save({"w": ONE}),
        "a safetensors file, but not a checkpoint of faltung",
    ),
    "no json": (safetensors.numpy.save({}, {"faltung": "{"}), "its record is damaged"),
    "deep json": (safetensors.numpy.save({}, {"faltung": "[" * 10**5}), "its record is damaged"),
    "no digest": (safetensors.numpy.save({}, {"faltung": '{"content": {}}'}), "record is damaged"),
    "a list": (safetensors.numpy.save({}, {"faltung": "[1]"}), "its record is damaged"),
    "later": (forged({**CONTENT, "format": 2}), "its format is 2, this version reads 1"),
    "no format": (forged({}), "its format is None, this version reads 1"),
    "list in it": (forged([1]), "its format is None, this version reads 1"),
    "no step": (
        forged({name: value for name, value in CONTENT.items() if name != "step"}),
        r"its record is not that of a checkpoint \('step'\)",
    ),
    "words": (forged({**CONTENT, "step": "many"}), "its record is not that of a checkpoint"),
    "meta": (forged({**CONTENT, "meta": 3}), "its record is not that of a checkpoint"),
    "environment": (
        forged({**CONTENT, "environment": 3}),
        "its record is not that of a checkpoint",
    ),
    "group": (forged(CONTENT, {"weights/w": ONE}), "its record is not that of a checkpoint"),
    "moment": (forged(CONTENT, {"moments/m/w": ONE}), "its record is not that of a checkpoint"),
    "moments of nothing": (
        forged({**CONTENT, "moments": ["m"]}, {"moments/m/w": ONE}),
        "moments/m/w belongs to another network",
    ),
    "no moments": (
        forged({**CONTENT, "moments": ["m"]}, {"params/w": ONE}),
        "moments/m/w is missing",
    ),
    "moments of another shape": (
        forged({**CONTENT, "moments": ["m"]}, {"params/w": ONE, "moments/m/w": np.ones((1, 1))}),
        r"moments/m/w is float64 \(1, 1\), not float32 \(1,\)",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_says_what_is_wrong_with_a_file(tmp_path: Path, name: str) -> None:
    data, cause = FOREIGN[name]
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(
        CheckpointError, match=f"^checkpoint {re.escape(str(tmp_path))}/a: .*{cause}"
    ):
        load(tmp_path / "a")


def test_the_forger_makes_what_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(forged(CONTENT, {"params/w": ONE}))
    assert load(tmp_path / "a")[0].params["w"].tolist() == [1.0]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"a: cannot be read, No such file or directory\."):
        load(tmp_path / "a")
    with pytest.raises(StorageError, match=r"cannot be read, Is a directory\."):
        load(tmp_path)


def test_another_network_or_optimiser(tmp_path: Path) -> None:
    save(tmp_path / "a", make(), {})

    def refused(like: TrainState, cause: str) -> None:
        with pytest.raises(CheckpointError, match=f"^checkpoint {tmp_path}/a: {cause}"):
            load(tmp_path / "a", like=like)

    more, less, shape, dtype, state, moments = (make() for _ in range(6))
    more.params["dense.weight"] = ONE
    refused(more, r"params/dense\.weight is missing\.")
    del less.params["scale"]
    refused(less, r"params/scale belongs to another network\.")
    shape.params["scale"] = np.ones((2, 2), np.float32)
    refused(shape, r"params/scale is float32 \(\), not float32 \(2, 2\)\.")
    dtype.params["scale"] = np.array(1.0)
    refused(dtype, r"params/scale is float32 \(\), not float64 \(\)\.")
    del state.state["on"]
    refused(state, r"state/on belongs to another network\.")
    moments.moments = {"velocity": {}}
    cause = r"another optimiser wrote it, its moments are \['m', 'v'\], not \['velocity'\]\."
    refused(moments, cause)


@pytest.mark.parametrize("value", [np.float32(1), {1, 2}, float("nan"), float("inf"), b"x"])
def test_meta_that_is_not_json(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"a: its meta must be JSON \("):
        save(tmp_path / "a", make(), {"loss": value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["complex64", "U3", "datetime64[s]", "longdouble", "object"])
def test_arrays_that_the_file_cannot_hold(tmp_path: Path, dtype: str) -> None:
    run = TrainState({"w": np.zeros(2, dtype)}, {}, {}, seed=0)
    with pytest.raises(
        CheckpointError, match="params/w has a dtype that the file cannot hold, got"
    ):
        save(tmp_path / "a", run, {})
    assert not list(tmp_path.iterdir())


def test_a_byte_order_is_not_content(tmp_path: Path) -> None:
    run = TrainState({"w": np.arange(5, dtype=">f4")}, {}, {}, seed=0)
    save(tmp_path / "a", run, {})
    found = load(tmp_path / "a")[0].params["w"]
    assert found.dtype == np.float32
    assert found.tolist() == [0, 1, 2, 3, 4]


# A folder of them


def fill(folder: Path, *steps: int) -> None:
    for step in steps:
        save(step_path(folder, step), make(step), {})


def test_latest_is_the_highest_step(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    assert latest(tmp_path / "missing") is None
    fill(tmp_path, 5, 123_456_789, 40)
    (tmp_path / "step-999.safetensors").write_bytes(b"not a name of ours")
    (tmp_path / ".step-00000099.safetensors.0123456789abcdef.tmp").write_bytes(b"unfinished")
    assert latest(tmp_path) == step_path(tmp_path, 123_456_789)


def test_latest_passes_over_what_is_not_whole_and_says_so(tmp_path: Path) -> None:
    fill(tmp_path, 10, 20, 30)
    damaged = step_path(tmp_path, 30)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    step_path(tmp_path, 40).mkdir()
    step_path(tmp_path, 50).write_bytes(step_path(tmp_path, 10).read_bytes())
    notes: list[str] = []
    assert latest(tmp_path, note=notes.append) == step_path(tmp_path, 20)
    assert [note.split(": ")[0] for note in notes] == ["passed over"] * 3
    said = ["its name says step 50, its content step 10", "Is a directory", "cut or damaged"]
    assert all(text in note for text, note in zip(said, notes, strict=True))
    with pytest.warns(UserWarning, match="passed over: .*step-000000") as warned:
        latest(tmp_path)
    assert len(warned) == 3


def test_prune_keeps_the_last(tmp_path: Path) -> None:
    fill(tmp_path, 10, 20, 30, 40)
    stale = tmp_path / ".step-00000005.safetensors.0123456789abcdef.tmp"
    stale.write_bytes(b"unfinished")
    os.utime(stale, (time.time() - 10**5,) * 2)
    assert prune(step_path(tmp_path, 40), 2) == [step_path(tmp_path, 10), step_path(tmp_path, 20)]
    assert [step for step, _ in checkpoint.checkpoints(tmp_path)] == [30, 40]
    assert not stale.exists()
    assert prune(step_path(tmp_path, 40), 5) == []


def test_prune_never_counts_a_later_damaged_one(tmp_path: Path) -> None:
    fill(tmp_path, 10, 20)
    step_path(tmp_path, 30).write_bytes(b"damaged")
    fill(tmp_path, 25)
    assert prune(step_path(tmp_path, 25), 1) == [step_path(tmp_path, 10), step_path(tmp_path, 20)]
    assert latest(tmp_path, note=str) == step_path(tmp_path, 25)


def test_prune_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 10, 20)
    with pytest.raises(CheckpointError, match=r"prune: keep must be at least 1, got keep=0\."):
        prune(step_path(tmp_path, 20), 0)
    with pytest.raises(CheckpointError, match=r"step-00000030\.safetensors: there is no such file"):
        prune(step_path(tmp_path, 30), 1)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(StorageError, match="cannot be removed, Operation not permitted"):
        prune(step_path(tmp_path, 20), 1)


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(StorageError, match="cannot be read, Permission denied"):
        latest(tmp_path)


CHILD = """
import os, signal, sys
import numpy as np
from faltung import atomic
from faltung.training.checkpoint import save, step_path
from faltung.training.state import TrainState

folder, point = sys.argv[1], sys.argv[2]

def killing(function, when):
    def wrapped(*arguments):
        if when == point:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    return wrapped

run = TrainState({"w": np.full((50, 1000), 1.0, np.float32)}, {}, {}, seed=0, step=1)
save(step_path(folder, 1), run, {})
os.fsync = killing(os.fsync, "sync")
os.replace = killing(os.replace, "rename")
atomic._sync_folder = killing(atomic._sync_folder, "sync of the folder")
run.params["w"][:], run.step = 2.0, 2
save(step_path(folder, 2), run, {})
run.params["w"][:] = 3.0
save(step_path(folder, 2), run, {})
"""


@pytest.mark.parametrize(("point", "step"), [("sync", 1), ("rename", 1), ("sync of the folder", 2)])
def test_a_killed_run_goes_on_from_a_whole_checkpoint(
    tmp_path: Path, point: str, step: int
) -> None:
    killed = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), point], check=False)
    assert killed.returncode == -signal.SIGKILL
    found = latest(tmp_path)  # a note would be a warning, and fail
    assert found == step_path(tmp_path, step)
    assert found is not None
    run, _ = load(found)
    assert (run.step, np.unique(run.params["w"]).tolist()) == (step, [float(step)])
