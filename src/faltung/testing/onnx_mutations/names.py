"""Names of a model's values, and odd ones."""

from __future__ import annotations

from random import Random

from onnx import ModelProto


def value_names(model: ModelProto) -> list[str]:
    """Return the names of all values that a model is given or makes.

    Parameters
    ----------
    model : onnx.ModelProto
        Any.
    """
    graph = model.graph
    given = [*(v.name for v in graph.input), *(t.name for t in graph.initializer)]
    return given + [name for node in graph.node for name in node.output]


def odd_name(rng: Random) -> str:
    """Return a name that nobody expects: none, very long, of other letters, of signs.

    Parameters
    ----------
    rng : random.Random
        Draws it.
    """
    return rng.choice(
        (
            *(
                "",
                "nobody",
                " ",
                "a" * 100_000,
                "größe",
                "名前",
                "\U0001f600",
                "e\u0301",
                "\u202ex",
            ),
            *("a\nb", "a\x00b", "\x1b[31m", "%s%n", "{0}", "../../x", "x" * 300, "__class__"),
            *("@0", "=0", "faltung.state", "x_0", "N", "-1", "0"),
        )
    )


def any_name(rng: Random, model: ModelProto) -> str:
    """Return the name of a value of the model, mostly, or an odd one.

    Parameters
    ----------
    rng : random.Random
        Draws it.
    model : onnx.ModelProto
        Any.
    """
    names = value_names(model)
    return rng.choice(names) if names and rng.random() < 0.8 else odd_name(rng)
