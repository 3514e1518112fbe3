"""Networks from files: `load`, and the same with what was assumed of the sizes left open."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from faltung.graph.graph import Graph
from faltung.ops.operator import Shape

if TYPE_CHECKING:
    from pathlib import Path

    from faltung.graph.open_sizes import Sized


def load(
    path: str | Path,
    shapes: Shape | Mapping[str, Shape] | None = None,
    *,
    open_size: int | Literal["default"] | None = None,
    unknown: bool = False,
) -> Graph:
    """Read a network from an ONNX file.

    Sizes that the file leaves open stay open, as names, where nothing needs a number. Where
    constants are computed from them they take a default, and a warning says which: 1 for a batch;
    for channels what the weights tell, or 3; for space 1,000 on one axis, 224 x 224 on two,
    64 x 64 x 64 on three. Where the network does not fit these, others are tried in a fixed order
    (`faltung.graph.open_sizes.SPACE`).

    Parameters
    ----------
    path
        A file of any producer. Weights in files beside it are read as well, from its own folder
        alone.
    shapes
        The shape of each input by name, or of the only one, where the file leaves sizes open.
    open_size
        One number for every size that is open nonetheless, such as 1; ``"default"`` gives each of
        them the default above, without a warning.
    unknown
        Whether what faltung lacks (operators, forms of them, element types) becomes nodes that
        cannot be run, of which `faltung.graph.unknown.unknown_nodes` is the list. Else such a file
        is refused, and all that is lacking is named.

    Returns
    -------
    Graph
        What the file says. Of a file that `Graph.save` wrote, the graph that was saved.

    Raises
    ------
    ModelFileError
        The file is empty, damaged, no model, or asks for what is not there; one line names the
        file and the cause.
    StorageError
        The file cannot be read at all.

    Warns
    -----
    UserWarning
        Open sizes took numbers that nobody gave.
    """
    found = load_sized(path, shapes, open_size=open_size, unknown=unknown)
    if found.taken and open_size is None:
        cure = "load(path, shapes=...) takes other sizes, open_size='default' takes these silently"
        why = "since constants are computed from them"
        warnings.warn(f"{path}: {found.sentence()}, {why}. {cure}.", UserWarning, stacklevel=2)
    return found.graph


def load_sized(
    path: str | Path,
    shapes: Shape | Mapping[str, Shape] | None = None,
    *,
    open_size: int | Literal["default"] | None = "default",
    unknown: bool = False,
) -> Sized:
    """Read a network from an ONNX file, its open sizes filled in, and tell which were assumed.

    Parameters
    ----------
    path, shapes, unknown
        As in `load`.
    open_size
        As in `load`; by default every open size takes the default.
    """
    from faltung.graph import onnx

    return onnx.load_sized(path, shapes, open_size=open_size, unknown=unknown)
