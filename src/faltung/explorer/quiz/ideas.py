"""Questions about ideas: which property a constraint uses, what it gives up."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from faltung.constraints import CORNERS, square
from faltung.constraints.corner import constraints_of
from faltung.explorer.quiz.problem import Family, Problem, choose


class Idea(NamedTuple):
    """A question with one right choice and wrong ones with their reasons; why it is right."""

    text: str
    right: str
    wrong: tuple[tuple[str, str], ...]
    why: str


_INVARIANCE: Final = "what something looks like does not depend on where it is"
_LOCALITY: Final = "what belongs together lies close together"
_CHANNELS: Final = "colours do not depend on each other"
_SMALL: Final = "a small shift of the whole does not change what is seen"

_SHARES: Final = "Weights that stay the same from place to place would use that."
_NEAR: Final = "Leaving far inputs out would use that."
_NO_CHANNELS: Final = "Channels are neither left out nor kept apart here."
_POOLS: Final = "Pooling over neighbours would use that."

PROPERTIES: Final = (
    Idea(
        "A layer uses the same weights at every position. Which property of images does this "
        "sharing exploit?",
        _INVARIANCE,
        ((_LOCALITY, _NEAR), (_CHANNELS, _NO_CHANNELS), (_SMALL, _POOLS)),
        "A weight that finds an edge here finds it there: translation invariance.",
    ),
    Idea(
        "A layer connects each output with near inputs only. Which property of images does this "
        "exploit?",
        _LOCALITY,
        ((_INVARIANCE, _SHARES), (_CHANNELS, _NO_CHANNELS), (_SMALL, _POOLS)),
        "Neighbouring pixels correlate most, far ones less: locality.",
    ),
    Idea(
        "Max pooling keeps the largest of a few neighbours. Which property does this exploit?",
        _SMALL,
        (
            (_INVARIANCE, _SHARES),
            (_LOCALITY, "It is about leaving near detail out, not far inputs."),
            (_CHANNELS, "Pooling treats each channel alike, but exploits something else."),
        ),
        "The largest stays the largest when it moves a little within its window.",
    ),
    Idea(
        "A depthwise convolution gives each channel a kernel of its own and mixes none. Which "
        "assumption does it make that a full convolution does not?",
        "where something is can be found in each channel by itself",
        (
            (_INVARIANCE, "A full convolution assumes that as well."),
            (_LOCALITY, "A full convolution assumes that as well."),
            (_SMALL, "Neither of the two assumes that; pooling does."),
        ),
        "Both share weights and look near; only mixing channels is left out.",
    ),
    Idea(
        "A locally connected layer looks near but has its own weights at each place. Which "
        "property does it not exploit, although a convolution does?",
        _INVARIANCE,
        (
            (_LOCALITY, "It looks near only: that it does exploit."),
            (_CHANNELS, "Neither layer assumes that."),
            (_SMALL, "Neither layer assumes that; pooling does."),
        ),
        "Local, not shared: each place learns for itself.",
    ),
    Idea(
        "A layer has one weight for each offset, near and far alike, at every position. Which "
        "property does it not exploit, although a convolution does?",
        _LOCALITY,
        (
            (_INVARIANCE, "Its weights are the same everywhere: that it does exploit."),
            (_CHANNELS, "Neither layer assumes that."),
            (_SMALL, "Neither layer assumes that; pooling does."),
        ),
        "Shared, not local: far pixels count as much as near ones.",
    ),
)

_PIXELS: Final = "photographs in which a cat may sit anywhere"
_SOUND: Final = "one second of sound in which a word may begin at any time"
_PAGE: Final = "scanned pages on which a stamp is to be found"
_STREET: Final = "pictures of a street whose cars may be anywhere"
_YES: Final = "Near values belong together, and what is looked for may be anywhere: convolve."
_FITS: Final = (_PIXELS, _SOUND, _PAGE, _STREET)

_MISFITS: Final = (
    (
        "a table of patients: age, weight, blood pressure",
        "Columns have no order: neighbours mean nothing, and a place has a meaning of its own.",
    ),
    (
        "passport photographs, always with the eyes at the same place",
        "Each place has a meaning of its own: weights of its own may serve it better.",
    ),
    (
        "a row of switches, of which the first decides what all others mean",
        "What counts is far away, and which switch it is.",
    ),
    (
        "images whose pixels were all put in one random order",
        "Neighbours no longer belong together; a dense layer does not mind, a convolution does.",
    ),
    (
        "a chess position, where it matters on which row a pawn stands",
        "The same pattern means something else at another place.",
    ),
    (
        "the words of a sentence in alphabetical order",
        "Their order was lost, so neighbours mean nothing.",
    ),
)

_LOST: Final = (
    Idea(
        "A rule says: what is on the left half counts double. Why can no convolution with circular "
        "padding learn it?",
        "it does the same at every place, and the rule does not",
        (
            ("its kernel is too small", "A kernel as large as the image would not do either."),
            ("it has no bias", "A bias is the same at every place too."),
            ("the rule is not linear", "It is: each value times 1 or 2."),
        ),
        "Weights are shared; a channel with coordinates brings the place back.",
    ),
    Idea(
        "An output must compare two pixels far apart. What helps a stack of small kernels?",
        "more layers, or dilation",
        (
            ("more channels", "Channels do not see further."),
            ("'same' padding", "Padding keeps the size; it does not see further."),
            ("a larger image", "That moves them further apart."),
        ),
        "Each layer adds (k − 1) times dilation to what is seen.",
    ),
    Idea(
        "A network of convolutions gives the same scores wherever the cat sits. What makes it "
        "invariant?",
        "global pooling at its end",
        (
            ("the convolutions", "They are equivariant: their output moves along."),
            ("ReLU", "It works at each place by itself: its output moves along."),
            ("its biases", "They are the same everywhere; the output still moves along."),
        ),
        "Equivariant layers move the answer along; the global maximum forgets where it was.",
    ),
    Idea(
        "Two convolutions in a row with nothing between them. What do they gain over one?",
        "nothing but a larger kernel: they are one convolution",
        (
            ("they can find curved edges", "Whatever they find, one larger kernel finds too."),
            ("they are no longer linear", "Linear after linear is linear."),
            ("they are no longer equivariant", "Equivariant after equivariant is equivariant."),
        ),
        "(x∗f)∗g = x∗(f∗g), with a kernel of k₁ + k₂ − 1: that is why ReLU is needed.",
    ),
    Idea(
        "A layer learns its kernel. What is lost if it computes cross-correlation, "
        "without the flip?",
        "nothing: it learns the flipped kernel",
        (
            ("equivariance", "Both are equivariant."),
            ("linearity", "Both are linear."),
            ("half of the kernels", "Every kernel has a flipped one."),
        ),
        "Flipping is one to one; only the order of the two no longer does not matter.",
    ),
    Idea(
        "All pixels of all images are put in one fixed random order. Which network learns as well "
        "as before?",
        "one of dense layers",
        (
            ("one of convolutions", "Neighbours no longer belong together."),
            ("one of locally connected layers", "Neighbours no longer belong together."),
            ("one of convolutions and pooling", "Neighbours no longer belong together."),
        ),
        "A dense layer is blind to the arrangement: its weights are put in the same order.",
    ),
)


def _of(rng: Random, ideas: tuple[Idea, ...]) -> Problem:
    idea = rng.choice(ideas)
    return choose(rng, idea.text, idea.right, idea.wrong, idea.why)


def exploits(rng: Random) -> Problem:
    """Which property a constraint exploits."""
    return _of(rng, PROPERTIES)


def given_up(rng: Random) -> Problem:
    """What a convolution cannot do, and what helps."""
    return _of(rng, _LOST)


def misfit(rng: Random) -> Problem:
    """Where a convolution is a bad idea, or a good one."""
    if rng.random() < 0.6:
        right, why = rng.choice(_MISFITS)
        wrong = [(each, _YES) for each in rng.sample(_FITS, 3)]
        return choose(rng, "For which of these is a convolution a bad idea?", right, wrong, why)
    right = rng.choice(_FITS)
    asked = "For which of these does a convolution fit best?"
    return choose(rng, asked, right, rng.sample(_MISFITS, 3), _YES)


def which_corner(rng: Random) -> Problem:
    """Which of the four layers has so many weights."""
    size = (rng.randint(3, 9), rng.randint(3, 9))
    made = square(size, rng.choice(((-1, 1), (0, 1))))
    counts = {corner: made.parameters(corner) for corner in CORNERS}
    if len(set(counts.values())) < len(counts):
        return Problem("", (0,), "", ())  # drawn again
    right = rng.choice(CORNERS)
    (lo, hi), _ = made.offsets("convolution")
    named = {corner: _named(corner) for corner in CORNERS}
    wrong = [(named[c], f"That one has {counts[c]:,} weights.") for c in CORNERS if c != right]
    return choose(
        rng,
        f"A layer from {size[0]}×{size[1]} pixels to as many has {counts[right]:,} weights; near "
        f"means offsets {lo} to {hi}. Which layer is it?",
        named[right],
        wrong,
        "; ".join(f"{named[corner]}: {counts[corner]:,}" for corner in CORNERS) + ".",
    )


def _named(corner: str) -> str:
    found = constraints_of(corner)
    weights = "the same weights everywhere" if found.shared else "weights of its own at each place"
    return f"{corner} ({weights}, {'near' if found.local else 'all'} pixels)"


IDEAS: Final = (
    Family("exploits", "Which property it exploits", exploits, is_idea=True),
    Family("given-up", "What is given up", given_up, is_idea=True),
    Family("misfit", "When not to convolve", misfit, is_idea=True),
    Family("which", "Which layer it is", which_corner, is_idea=True),
)
