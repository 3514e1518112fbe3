"""Weights in files beside a model: read from its folder, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from faltung.errors import GraphError, ModelFileError
from faltung.graph import load, onnx_external
from faltung.graph.unknown import unknown_nodes

W = np.arange(6, dtype=np.float32).reshape(2, 3)
V = np.arange(6, 12, dtype=np.float16).reshape(2, 3)


def tensor(name: str, array: np.ndarray, **place: object) -> TensorProto:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    proto = TensorProto(name=name, data_type=kind, dims=array.shape)
    proto.data_location = TensorProto.EXTERNAL
    for key, value in place.items():
        proto.external_data.add(key=key, value=str(value))
    return proto


def written(folder: Path, *tensors: TensorProto) -> Path:
    """A model that adds all of them to x, and its weights in w.bin: W, then V."""
    names = ["x", *(t.name for t in tensors)]
    ends = [*(f"h{i}" for i, _ in enumerate(names[2:])), "y"]
    firsts = ["x", *ends]
    nodes = [
        helper.make_node("Add", [first, name], [end])
        for first, name, end in zip(firsts, names[1:], ends, strict=False)
    ]
    shape = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    end = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])
    graph = helper.make_graph(nodes, "g", [shape], [end], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(exist_ok=True)
    (folder / "w.bin").write_bytes(W.tobytes() + V.tobytes())
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_beside_the_model(tmp_path: Path) -> None:
    w = tensor("w", W, location="w.bin", offset=0, length=24)
    same = tensor("same", W, location="./w.bin")
    v = tensor("v", V, location="w.bin", offset=24, length=12)
    graph = load(written(tmp_path, w, same, v))
    assert [a.name for a in graph.inputs] == ["x"]
    assert list(graph.params) == ["w", "same", "v"]
    assert {a.dtype.name for a in graph.params.values()} == {"float32"}
    assert np.array_equal(graph(W), 3 * W + V)


def test_a_file_of_onnx_itself(tmp_path: Path) -> None:
    model = onnx.load(written(tmp_path, tensor("w", W, location="w.bin", length=24)))
    (tmp_path / "deep").mkdir()
    onnx.save(model, tmp_path / "deep" / "n.onnx", save_as_external_data=True, size_threshold=0)
    graph = load(tmp_path / "deep" / "n.onnx")
    assert np.array_equal(graph(W), 2 * W)


@pytest.mark.parametrize(
    "location", ["", "../w.bin", "sub/../../w.bin", "/etc/passwd", "C:\\w.bin", "..\\w.bin", "a\0b"]
)
def test_paths_out_of_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "w.bin").write_bytes(W.tobytes())
    path = written(tmp_path / "inner", tensor("w", W, location=location))
    match = "initializer 'w': its file must be named by a path inside the model's folder"
    with pytest.raises(ModelFileError, match=match):
        load(path)


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(W.tobytes())
    path = written(tmp_path / "inner", tensor("w", W, location="link/w.bin"))
    (tmp_path / "inner" / "link").symlink_to(tmp_path)
    match = "initializer 'w': its file must be a plain one inside the model's folder"
    with pytest.raises(ModelFileError, match=match):
        load(path)


@pytest.mark.parametrize(
    ("name", "match"), [("nowhere", "its file cannot be found"), ("folder", "must be a plain one")]
)
def test_what_is_no_file(tmp_path: Path, name: str, match: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelFileError, match=match):
        load(written(tmp_path, tensor("w", W, location=name)))


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="must be a plain one"):
        load(written(tmp_path, tensor("w", W, location="pipe")))


@pytest.mark.parametrize(
    ("place", "match"),
    [
        ({"offset": 13}, r"its values must fill its shape, and lie in the file"),
        ({"length": 20}, r"got offset=0, length=20, needed=24, file=36"),
        ({"offset": 10**18}, r"its values must fill its shape"),
        ({"offset": -1}, r"offset and length must be whole numbers, got number='-1'"),
        ({"length": "1e1"}, r"offset and length must be whole numbers, got number='1e1'"),
    ],
)
def test_ranges_that_do_not_fit(tmp_path: Path, place: dict[str, object], match: str) -> None:
    with pytest.raises(ModelFileError, match=match):
        load(written(tmp_path, tensor("w", W, location="w.bin", **place)))


def test_ranges_that_overlap(tmp_path: Path) -> None:
    pair = (tensor("w", W, location="w.bin"), tensor("v", W, location="w.bin", offset=8))
    with pytest.raises(ModelFileError, match="two tensors share some of their bytes"):
        load(written(tmp_path, *pair))


def test_a_file_that_shrinks_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after the ranges were found to lie in the file."""
    path = written(tmp_path, tensor("w", W, location="w.bin"))
    weights = tmp_path / "w.bin"
    monkeypatch.setattr(onnx_external, "_check_apart", lambda _: os.truncate(weights, 20))
    with pytest.raises(ModelFileError, match=r"the file became shorter, got read=20, wanted=24"):
        load(path)


def test_sizes_that_are_negative(tmp_path: Path) -> None:
    odd = tensor("w", W, location="w.bin")
    odd.dims[0] = -2
    with pytest.raises(ModelFileError, match="its sizes must not be negative"):
        load(written(tmp_path, odd))


def test_numbers_that_we_do_not_hold(tmp_path: Path) -> None:
    odd = tensor("w", W, location="w.bin")
    odd.data_type = TensorProto.FLOAT8E5M2
    with pytest.raises(ModelFileError, match="element type is not supported, got type=FLOAT8E5M2"):
        load(written(tmp_path, odd))


def test_the_upper_halves_of_floats(tmp_path: Path) -> None:
    """bfloat16 is widened: the file holds the upper 16 of 32 bits."""
    brain = tensor("w", V, location="w.bin", length=12, offset=0)
    brain.data_type = TensorProto.BFLOAT16
    brain.dims[:] = (2, 3)
    path = written(tmp_path, brain)
    halves = (W.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "w.bin").write_bytes(halves)
    graph = load(path)
    assert graph.params["w"].dtype == np.float32
    assert np.array_equal(graph(W), 2 * W)


def test_weights_that_are_not_there_leave_the_rest(tmp_path: Path) -> None:
    """A model without its weights can still be looked at; those outside its folder stay unread."""
    (tmp_path / "secret.bin").write_bytes(W.tobytes())
    missing = tensor("w", W, location="gone.bin")
    outside = tensor("v", W, location="../secret.bin")
    here = tensor("u", W, location="w.bin")
    path = written(tmp_path / "inner", missing, outside, here)
    graph = load(path, unknown=True)
    unknown = {n.name: n.operator for n in unknown_nodes(graph)}
    assert {name: op.out_shapes([]) for name, op in unknown.items()} == {
        "w": ((2, 3),),
        "v": ((2, 3),),
    }
    assert "its file cannot be found" in str(unknown["w"])
    assert "must be named by a path inside the model's folder" in str(unknown["v"])
    assert graph.shapes()["y"] == (2, 3)
    assert list(graph.params) == ["u"]
    with pytest.raises(GraphError, match=r"Initializer \(node 'w'.*Initializer \(node 'v'"):
        graph(W)
