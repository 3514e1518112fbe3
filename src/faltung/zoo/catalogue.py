"""Networks by name: which module draws which, and the layers that all of them have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from faltung.errors import GraphError, message
from faltung.graph.graph import Graph
from faltung.graph.layers import AbstractLayer, Chain, Normalize
from faltung.graph.layers import build as build_graph
from faltung.zoo.lenet import lenet
from faltung.zoo.resnet import resnet
from faltung.zoo.small import small
from faltung.zoo.zero_one import zero_one

ImageShape = tuple[int, int, int]
Architecture = Callable[[ImageShape, int], AbstractLayer]

NETWORKS: Mapping[str, Architecture] = MappingProxyType(
    {"small": small, "zero-one": zero_one, "lenet": lenet, "resnet": resnet}
)
NAMES = tuple(NETWORKS)


def build(
    name: str,
    in_shape: Sequence[int],
    classes: int = 10,
    *,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    seed: int = 0,
) -> Graph:
    """Return a named network with fresh weights, for images of one size.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    in_shape : (int, int, int)
        (C, H, W) of an image.
    classes : int
        How many scores it puts out, at least 1.
    mean, std : float or one float for each channel
        The first layer makes ``(x - mean) / std`` of the pixels, so that the network, and every
        file of it, takes them raw: 0 to 255 as float32.
    seed : int
        Decides the weights.

    Returns
    -------
    Graph
        Input ``x`` (N, C, H, W), one output (N, classes): scores before the softmax. Its metadata
        has the ``network``'s name.

    Raises
    ------
    GraphError
        An unknown name, or images that the network cannot take [zoo Z1 to Z6].

    Examples
    --------
    >>> graph = build("lenet", (1, 28, 28))
    >>> graph.trainable
    61706
    """
    if name not in NETWORKS:
        cure = f"Use one of {', '.join(NAMES)}"
        raise GraphError(message("zoo", "no such network", {"name": repr(name)}, cure, "zoo Z1"))
    shape = checked_shape(name, in_shape)
    if classes < 1:
        rule, values = "classes must be at least 1", {"classes": classes}
        raise GraphError(message(f"zoo {name}", rule, values, "", "zoo Z2"))
    first = Normalize(_numbers(mean, "mean", shape), _numbers(std, "std", shape))
    network = Chain(first, NETWORKS[name](shape, classes))
    graph = build_graph(network, shape, seed=seed, metadata={"network": name})
    check_nothing_is_empty(name, graph, shape)
    return graph


def checked_shape(name: str, in_shape: Sequence[int]) -> ImageShape:
    """Refuse what is not (C, H, W)."""
    if len(in_shape) != 3 or min(in_shape) < 1:
        rule, values = "in_shape must be (C, H, W)", {"in_shape": tuple(in_shape)}
        raise GraphError(message(f"zoo {name}", rule, values, "", "zoo Z3"))
    channels, height, width = in_shape
    return channels, height, width


def check_nothing_is_empty(name: str, graph: Graph, shape: ImageShape) -> None:
    """Refuse images of which pooling would leave nothing."""
    shapes = graph.shapes()
    for node in graph.nodes:
        if 0 in shapes[node.outputs[0]]:
            rule = f"the images are too small, layer {node.name!r} would have no output"
            values, cure = {"in_shape": shape}, "Use larger images, or another network"
            raise GraphError(message(f"zoo {name}", rule, values, cure, "zoo Z6"))


def _numbers(
    value: float | Sequence[float], name: str, shape: ImageShape
) -> float | tuple[float, ...]:
    """One number, or one for each channel; a divisor of 0 would make every output infinite."""
    numbers = tuple(map(float, value)) if isinstance(value, Sequence) else (float(value),)
    if len(numbers) not in (1, shape[0]):
        rule, values = f"{name} must be one number, or one for each channel", {name: numbers}
        raise GraphError(message("zoo", rule, values, "", "zoo Z4"))
    if name == "std" and not min(numbers) > 0:
        rule = "std must be positive"
        raise GraphError(message("zoo", rule, {"std": numbers}, "Use 1 for flat images", "zoo Z5"))
    return numbers
