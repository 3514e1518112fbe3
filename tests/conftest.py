"""What every test may use: peers by name, and settings for Hypothesis."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

from faltung.kernels.choose import compiled_for

ROOT = Path(__file__).parents[1]

hypothesis.settings.register_profile("faltung", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("faltung")


def require_peer(name: str) -> ModuleType:
    """Import a peer that only tests need; skip, naming it, or fail where all must be there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        reason = f"the peer {name} is not installed (make test-all installs it)"
        if os.environ.get("FALTUNG_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def onnxruntime() -> ModuleType:
    """ONNX Runtime, or a skip that names it."""
    return require_peer("onnxruntime")


@pytest.fixture
def onnxscript() -> ModuleType:
    """What PyTorch's newer export to ONNX needs, or a skip that names it."""
    return require_peer("onnxscript")


@pytest.fixture
def torch() -> ModuleType:
    """PyTorch, or a skip that names it."""
    return require_peer("torch")


@pytest.fixture
def scipy() -> ModuleType:
    """SciPy, or a skip that names it."""
    return require_peer("scipy")


@pytest.fixture
def compiler() -> str:
    """The instruction set that kernels are compiled for, or a skip where NumPy does everything."""
    if not compiled_for():
        pytest.skip("nothing is compiled here (FALTUNG_ISA=none)")
    return compiled_for()


@pytest.fixture
def sklearn() -> ModuleType:
    """scikit-learn, or a skip that names it."""
    return require_peer("sklearn")


@pytest.fixture
def rapidocr() -> ModuleType:
    """rapidocr, whose three trained networks find and read text, or a skip that names it."""
    if sys.version_info >= (3, 13):
        pytest.skip("rapidocr-onnxruntime is there up to Python 3.12")
    return require_peer("rapidocr_onnxruntime")


@pytest.fixture(scope="session")
def full_data() -> Path:
    """The folder of the full MNIST and Fashion-MNIST files, or a skip that names it."""
    folder = Path(os.environ.get("FALTUNG_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "mnist").is_dir():
        pytest.skip(f"no full data in {folder} (set FALTUNG_TEST_DATA)")
    return folder
