"""Optimisers: how gradients move parameters.

An optimiser is a frozen record of its settings. What it remembers from step to step, the moments,
belongs to the training state: ``init`` makes them, ``update`` changes parameters and moments in
place, in their own dtype. All arithmetic is element by element, so its bits depend on no thread; a
compiled pass over parameters, gradients and moments (`faltung.kernels.optimise`) gives the same.

Weight decay applies only to parameters of rank 2 or more (kernels and matrices). Biases and the
scales of batch normalisation are not pulled towards zero: they are few, and they do not overfit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from faltung.errors import GraphError, TrainingError, message
from faltung.ops import dispatch
from faltung.training.state import Array, Moments


class AbstractOptimiser(ABC):
    """What the training loop asks of an optimiser."""

    @abstractmethod
    def init(self, params: Mapping[str, Array]) -> Moments:
        """Return the moments before the first step of training ``params``.

        They are ``{moment: {parameter: zeros like it}}``; see each optimiser for its moments.
        """

    @abstractmethod
    def update(
        self,
        params: Mapping[str, Array],
        grads: Mapping[str, Array],
        moments: Moments,
        *,
        lr: float,
        step: int,
    ) -> None:
        """Take one step, in place on ``params`` and ``moments``.

        Parameters
        ----------
        params : mapping of name to array
            Writable arrays.
        grads : mapping of name to array
            The gradient of each parameter, of its shape. Names that are no parameters are ignored.
        moments : mapping
            What `init` made for these parameters.
        lr : float
            The learning rate of this step.
        step : int
            Steps taken before this one: 0 at the first. Adam corrects its bias with ``step + 1``.

        Raises
        ------
        GraphError
            A gradient is missing or has another shape, or the moments are not those of these
            parameters [optimiser O1, O2, O3].
        """

    def update_flat(
        self,
        params: Array,
        grads: Array,
        moments: Mapping[str, Array],
        cut: Array,
        *,
        lr: float,
        step: int,
    ) -> bool:
        """Take the same step for parameters that lie in one piece of memory, to the same bits.

        Parameters
        ----------
        params, grads : array (n,)
            float32 or float64.
        moments : mapping of moment to array (n,)
            Of one dtype with them.
        cut : array
            What `faltung.kernels.optimise.pieces` gave: which of them are of rank 2 or more.
        lr, step
            As of `update`.

        Returns
        -------
        bool
            Whether it was taken; False for an optimiser that does not know how.
        """
        return False


class AbstractElementwise(AbstractOptimiser):
    """An optimiser that moves each number by itself, and so many of them in one pass."""

    @property
    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """Names of the moments."""

    @abstractmethod
    def numbers(self, lr: float, step: int) -> tuple[float, ...]:
        """Return what a step reads beside arrays, in the order of `faltung.kernels.optimise`.

        Parameters
        ----------
        lr, step
            As of `update`.
        """

    @abstractmethod
    def launch(self, arrays: Sequence[Array], numbers: Array, cut: Array) -> None:
        """Take a step in one pass, with a compiled kernel.

        Parameters
        ----------
        arrays
            Parameters, gradients and each moment: flat, contiguous, all of one dtype.
        numbers
            What `numbers` gives, as an array of that dtype.
        cut
            Which of them may be decayed, as `faltung.kernels.optimise.pieces` gives it.
        """

    @abstractmethod
    def _move(self, arrays: Sequence[Array], numbers: Sequence[float]) -> None:
        """Take a step by NumPy."""

    def init(self, params: Mapping[str, Array]) -> Moments:
        """See `AbstractOptimiser.init`."""
        return {word: _zeros(params) for word in self.words}

    def update(
        self,
        params: Mapping[str, Array],
        grads: Mapping[str, Array],
        moments: Moments,
        *,
        lr: float,
        step: int,
    ) -> None:
        """See `AbstractOptimiser.update`."""
        _check_match(params, grads, moments, self.words)
        numbers = self.numbers(float(lr), step)
        for name, p in params.items():
            arrays = (p, grads[name], *(moments[word][name] for word in self.words))
            if dispatch.is_compiled(*arrays) and all(a.flags.c_contiguous for a in arrays):
                from faltung.kernels.optimise import pieces

                flat = [array.reshape(-1) for array in arrays]
                self.launch(flat, np.array(numbers, p.dtype), pieces((p.size,), (p.ndim >= 2,)))
            else:
                self._move(arrays, numbers)

    def update_flat(
        self,
        params: Array,
        grads: Array,
        moments: Mapping[str, Array],
        cut: Array,
        *,
        lr: float,
        step: int,
    ) -> bool:
        """See `AbstractOptimiser.update_flat`."""
        if set(moments) != set(self.words):
            return False  # `update` says what is wrong
        numbers = np.array(self.numbers(float(lr), step), params.dtype)
        self.launch([params, grads, *(moments[word] for word in self.words)], numbers, cut)
        return True


@dataclass(frozen=True, slots=True)
class SGD(AbstractElementwise):
    """Stochastic gradient descent with momentum, Nesterov's if asked.

    ``g = grad + weight_decay p;  v = momentum v + g;  p -= lr v``, and with ``nesterov``
    ``p -= lr (g + momentum v)``. Source: Sutskever, Martens, Dahl, Hinton, *On the importance of
    initialization and momentum in deep learning* (2013), in the form PyTorch gives it.
    Its one moment is ``velocity``; without momentum it has none.

    Parameters
    ----------
    momentum : float
        At least 0 and below 1.
    nesterov : bool
        Look ahead; only with momentum.
    weight_decay : float
        0 or more.

    Raises
    ------
    TrainingError
        A value outside its range [optimiser O4, O5]; ``nesterov`` without momentum [optimiser O6].

    Examples
    --------
    >>> sgd, params = SGD(momentum=0.5), {"w": np.array([1.0])}
    >>> moments = sgd.init(params)
    >>> for step in range(2):
    ...     sgd.update(params, {"w": np.array([1.0])}, moments, lr=0.25, step=step)
    >>> params["w"].tolist()  # 1 - 0.25 (1) - 0.25 (1.5)
    [0.375]
    """

    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_fraction("SGD", "momentum", self.momentum)
        _check_decay("SGD", self.weight_decay)
        if self.nesterov and self.momentum == 0.0:
            rule, cure = "nesterov needs momentum above 0", "Use momentum=0.9"
            raise TrainingError(message("SGD", rule, {"momentum": 0.0}, cure, "optimiser O6"))

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the moments."""
        return ("velocity",) if self.momentum else ()

    def numbers(self, lr: float, step: int) -> tuple[float, ...]:
        """See `AbstractElementwise.numbers`."""
        return lr, self.momentum, self.weight_decay

    def _move(self, arrays: Sequence[Array], numbers: Sequence[float]) -> None:
        p, g, *moments = arrays
        lr, momentum, weight_decay = numbers
        if weight_decay and p.ndim >= 2:
            g = g + weight_decay * p
        for v in moments:
            v *= momentum
            v += g
            g = g + momentum * v if self.nesterov else v
        p -= lr * g

    def launch(self, arrays: Sequence[Array], numbers: Array, cut: Array) -> None:
        """See `AbstractElementwise.launch`."""
        from faltung.kernels.optimise import sgd

        p, g, *moments = arrays
        how = {"nesterov": self.nesterov, "decays": self.weight_decay > 0}
        sgd(p, g, moments[0] if moments else None, numbers, cut, **how)


@dataclass(frozen=True, slots=True)
class Adam(AbstractElementwise):
    """Adam: steps scaled by running means of the gradient and of its square.

    With ``t = step + 1``: ``m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g**2``;
    ``p -= lr (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)``. ``m`` and ``v`` are its
    moments. Source: Kingma, Ba, *Adam: a method for stochastic optimization* (2015), algorithm 1.

    Parameters
    ----------
    beta1, beta2 : float
        At least 0 and below 1.
    eps : float
        Positive; what keeps a step finite where gradients vanish.

    Raises
    ------
    TrainingError
        A value outside its range [optimiser O4, O7].
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _check_adam("Adam", self.beta1, self.beta2, self.eps)

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the moments."""
        return "m", "v"

    def numbers(self, lr: float, step: int) -> tuple[float, ...]:
        """See `AbstractElementwise.numbers`."""
        correction1, correction2 = 1.0 - self.beta1 ** (step + 1), 1.0 - self.beta2 ** (step + 1)
        betas = (self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2)
        return lr / correction1, correction2, *betas, self.eps, 1.0

    def _move(self, arrays: Sequence[Array], numbers: Sequence[float]) -> None:
        p, g, m, v = arrays
        rate, correction, beta1, rest1, beta2, rest2, eps, kept = numbers
        m *= beta1
        m += rest1 * g
        v *= beta2
        v += rest2 * np.square(g)
        if kept != 1.0 and p.ndim >= 2:
            p *= kept
        p -= rate * m / (np.sqrt(v / correction) + eps)

    def launch(self, arrays: Sequence[Array], numbers: Array, cut: Array) -> None:
        """See `AbstractElementwise.launch`."""
        from faltung.kernels.optimise import adam

        p, g, m, v = arrays
        adam(p, g, m, v, numbers, cut)


@dataclass(frozen=True, slots=True)
class AdamW(Adam):
    """Adam with weight decay apart from the gradient: ``p *= 1 - lr weight_decay``, then Adam.

    Source: Loshchilov, Hutter, *Decoupled weight decay regularization* (2019), algorithm 2.

    Parameters
    ----------
    beta1, beta2, eps : float
        As `Adam` has them, and with its errors.
    weight_decay : float
        0 or more; on parameters of rank 2 or more.

    Raises
    ------
    TrainingError
        A value outside its range [optimiser O4, O5, O7].
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        _check_adam("AdamW", self.beta1, self.beta2, self.eps)
        _check_decay("AdamW", self.weight_decay)

    def numbers(self, lr: float, step: int) -> tuple[float, ...]:
        """See `AbstractElementwise.numbers`."""
        *adam, _ = super(AdamW, self).numbers(lr, step)
        return *adam, 1.0 - lr * self.weight_decay


def _zeros(params: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.zeros(p.shape, p.dtype) for name, p in params.items()}


def _check_match(
    params: Mapping[str, Array],
    grads: Mapping[str, Array],
    moments: Moments,
    words: tuple[str, ...],
) -> None:
    """Refuse what does not fit before anything has changed."""
    if set(moments) != set(words):
        rule = f"the moments must be those of this optimiser, {list(words)}"
        raise GraphError(message("optimiser", rule, {"moments": list(moments)}, "", "optimiser O3"))
    for name, p in params.items():
        if name not in grads:
            rule = f"parameter {name} has no gradient"
            raise GraphError(message("optimiser", rule, constraint="optimiser O1"))
        if grads[name].shape != p.shape:
            rule = f"the gradient of {name} must have its shape"
            shapes = {"gradient": grads[name].shape, "parameter": p.shape}
            raise GraphError(message("optimiser", rule, shapes, "", "optimiser O2"))
        for word in words:
            if name not in moments[word] or moments[word][name].shape != p.shape:
                rule = f"the moment {word} of {name} is missing or has another shape"
                raise GraphError(message("optimiser", rule, constraint="optimiser O3"))


def _check_fraction(subject: str, name: str, value: float) -> None:
    if not 0.0 <= value < 1.0:
        rule = f"{name} must be at least 0 and below 1"
        raise TrainingError(message(subject, rule, {name: value}, "", "optimiser O4"))


def _check_decay(subject: str, value: float) -> None:
    if not value >= 0.0:
        rule, values = "weight_decay must not be negative", {"weight_decay": value}
        raise TrainingError(message(subject, rule, values, "", "optimiser O5"))


def _check_adam(subject: str, beta1: float, beta2: float, eps: float) -> None:
    _check_fraction(subject, "beta1", beta1)
    _check_fraction(subject, "beta2", beta2)
    if not eps > 0.0:
        rule = "eps must be positive"
        raise TrainingError(message(subject, rule, {"eps": eps}, "", "optimiser O7"))
