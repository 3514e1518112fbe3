"""The report on a probed function: its axes, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from faltung.analysis.reach import Reach
from faltung.analysis.shifting import Shift, period_of
from faltung.report import AbstractReport, Table


@dataclass(frozen=True)
class AxisProbe:
    """One axis of the input.

    Parameters
    ----------
    axis, out_axis
        Which one, and which axis of the output it becomes; None where nobody can tell.
    size, out_size
        Their sizes.
    probed
        How many positions of the input were changed: all, or those in the middle.
    used
        How many of these change any output.
    reach
        What an output sees; None where the output has no such axis.
    turned
        Whether shifts turned the axis like a circle.
    shifts
        What shifts did.
    """

    axis: int
    out_axis: int | None
    size: int
    out_size: int | None
    probed: int
    used: int
    reach: Reach | None
    turned: bool = False
    shifts: tuple[Shift, ...] = field(default=(), repr=False)

    @property
    def lo(self) -> int | None:
        """The offset of the first position that is seen; None for all there are."""
        return self.reach.lo if self.reach is not None else None

    @property
    def hi(self) -> int | None:
        """The offset of the last position that is seen; None for all there are."""
        return self.reach.hi if self.reach is not None else None

    @property
    def stride(self) -> Fraction | None:
        """How many input positions the field moves from one output to the next."""
        return self.reach.stride if self.reach is not None else None

    @property
    def period(self) -> int | None:
        """The least shift of the input that shifts the output and changes nothing else."""
        return period_of(self.shifts)

    @property
    def compared(self) -> int:
        """How many positions of the output the least shift compared."""
        return self.shifts[0].compared if self.shifts else 0

    @property
    def kind(self) -> str:
        """Return what an output sees, in a word or two."""
        if not self.used:
            return "nothing"
        if self.reach is None:
            return "unknown"
        if self.stride == 0:
            return "a fixed part"
        if self.lo is None or self.hi is None:
            one_sided = {(True, False): "all before", (False, True): "all after"}
            return one_sided.get((self.lo is None, self.hi is None), "the whole axis")
        return "a part" if self.stride is not None else "a part, without pattern"

    @property
    def is_local(self) -> bool:
        """Whether an output sees a part; where no pattern is seen, at most half of the axis."""
        if self.kind == "a part, without pattern":
            assert self.lo is not None
            assert self.hi is not None
            return 2 * (self.hi - self.lo + 1) <= self.size
        return self.kind in ("a part", "nothing")

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, the stride as text such as 1/2."""
        return {
            **{name: getattr(self, name) for name in ("axis", "out_axis", "size", "out_size")},
            **{name: getattr(self, name) for name in ("probed", "used", "kind", "lo", "hi")},
            "stride": None if self.stride is None else str(self.stride),
            "phases": 0 if self.reach is None else self.reach.phases,
            "wraps": self.reach is not None and self.reach.wraps,
            "gaps": 0 if self.reach is None else self.reach.gaps,
            "period": self.period,
            "turned": self.turned,
            "shifts": [dict(vars(each)) for each in self.shifts],
        }


@dataclass(frozen=True)
class Probe(AbstractReport):
    """What was seen of a function.

    Parameters
    ----------
    shape, out_shape
        Of what it takes and returns.
    dtype, out_dtype
        Their dtypes.
    axes
        What was measured along each axis; empty where the function does not repeat itself.
    deterministic
        Whether it returned the same for the same input, before and after.
    mutates
        Whether it wrote into what it was given.
    evaluations
        How often it was run.
    rounding
        The share of the largest value up to which a change counted as none.
    """

    shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    dtype: str
    out_dtype: str
    axes: tuple[AxisProbe, ...]
    deterministic: bool
    mutates: bool
    evaluations: int
    rounding: float

    @property
    def is_local(self) -> bool | None:
        """Whether each output sees a part of every axis; None where that cannot be told."""
        if not self.deterministic or any(axis.kind == "unknown" for axis in self.axes):
            return None
        return all(axis.is_local for axis in self.axes)

    @property
    def is_equivariant(self) -> bool | None:
        """Whether some shift along every axis shifts the output; None where none was compared."""
        measured = [axis for axis in self.axes if axis.used]
        if not measured or not all(axis.compared for axis in measured):
            return None
        return all(axis.period is not None for axis in measured)

    def blocks(self) -> list[Table | str]:
        """Return the axes as a table, then what else is to be said."""
        if not self.deterministic:
            return [f"{self._sizes()}: {_UNSTEADY}", *self._notes()]
        rows = [_row(axis) for axis in self.axes]
        return [
            Table(_HEADER, rows, title=self._sizes(), left=(3,)),
            self._verdict(),
            *self._notes(),
        ]

    def _sizes(self) -> str:
        return f"{self.dtype} {self.shape} becomes {self.out_dtype} {self.out_shape}"

    def _verdict(self) -> str:
        if not any(axis.used for axis in self.axes):
            return "it does not depend on its input"
        if any(axis.reach is None for axis in self.axes):
            used = ", ".join(
                f"{axis.used} of {axis.probed} on axis {axis.axis}" for axis in self.axes
            )
            other = "its output has other axes than its input; out_axes says which belong together"
            return f"it depends on its input: on {used}; {other}"
        return f"it is {'local' if self.is_local else 'not local'} and {self._moves()}"

    def _moves(self) -> str:
        if self.is_equivariant is None:
            is_without = any(axis.used and not axis.stride for axis in self.axes)
            cause = "it has no stride" if is_without else "no output lies away from the border"
            return f"was not compared under shifts: {cause}"
        if self.is_equivariant:
            return "shifts with its input, by multiples of the periods"
        odd = [axis for axis in self.axes if axis.compared and axis.period is None]
        tried = "; ".join(
            f"on axis {axis.axis} by {', '.join(str(each.shift) for each in axis.shifts)}"
            for axis in odd
        )
        return f"does not shift with its input (tried {tried})"

    def _notes(self) -> list[str]:
        notes = [
            f"{axis.probed} of {axis.size} positions of axis {axis.axis} were probed, in its middle"
            for axis in self.axes
            if axis.probed < axis.size
        ]
        notes += [
            f"{axis.reach.gaps} outputs in the middle of axis {axis.axis} were seen to see less "
            "than the others: dead zones, or what differs by position; more samples may tell"
            for axis in self.axes
            if axis.reach is not None and axis.reach.gaps
        ]
        notes += ["it writes into the array that it is given"] if self.mutates else []
        share = f"; changes up to {self.rounding:.1e} of the largest value are rounding"
        return [*notes, f"{self.evaluations:,} evaluations{share if self.rounding else ''}"]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure."""
        plain = ("shape", "out_shape", "dtype", "out_dtype")
        return {
            **{name: getattr(self, name) for name in plain},
            "local": self.is_local,
            "equivariant": self.is_equivariant,
            "deterministic": self.deterministic,
            "mutates": self.mutates,
            "evaluations": self.evaluations,
            "rounding": self.rounding,
            "axes": [axis.to_dict() for axis in self.axes],
        }


_HEADER = ("axis", "size", "output", "sees", "from", "to", "stride", "phases", "period", "compared")
_UNSTEADY = "it returned other values for the same input: it is random, or keeps a state"


def _row(axis: AxisProbe) -> tuple[str, ...]:
    reach = axis.reach
    known = reach is not None and not reach.empty
    ends = ["" if end is None or not known else f"{end:+d}" for end in (axis.lo, axis.hi)]
    return (
        str(axis.axis),
        str(axis.size),
        "" if axis.out_size is None else str(axis.out_size),
        axis.kind + (", round the ends" if reach is not None and reach.wraps else ""),
        *ends,
        "" if axis.stride is None else str(axis.stride),
        "" if reach is None or not reach.phases else str(reach.phases),
        "none" if axis.period is None and axis.compared else str(axis.period or ""),
        f"{axis.compared}{' (turned)' if axis.turned and axis.compared else ''}",
    )
