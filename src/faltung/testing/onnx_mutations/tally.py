"""What became of all mutants, as lines to print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from faltung.testing.onnx_mutations.driver import LONGEST
from faltung.testing.onnx_mutations.examine import MOST_MACS, MOST_NUMBERS, Stage
from faltung.testing.onnx_mutations.worker import MEMORY, Answer

COMMAND = "python -m faltung.testing.onnx_mutations"


@dataclass
class Tally:
    """Counts of verdicts and stages, and the failures.

    Parameters
    ----------
    seed
        Of the cases, for the commands that repeat them.
    """

    seed: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    stages: Counter[tuple[bool, Stage]] = field(default_factory=Counter)
    failures: list[Answer] = field(default_factory=list)
    slowest: float = 0.0
    resident: int = 0

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.verdicts[answer.outcome.verdict] += 1
        self.stages[answer.structural, answer.outcome.reached] += 1
        self.slowest = max(self.slowest, answer.seconds)
        self.resident = max(self.resident, answer.resident)
        if answer.outcome.is_failure:
            self.failures.append(answer)

    def told(self, answer: Answer) -> tuple[str, str]:
        """Return a failure, and the command that repeats it.

        Parameters
        ----------
        answer : Answer
            What was found.
        """
        found = answer.outcome
        return (
            f"FAILED {found.verdict}: {answer.base}, {answer.what}: {found.text}",
            f"    {COMMAND} --seed {self.seed} --case {answer.index}",
        )

    @property
    def total(self) -> int:
        """How many mutants there were."""
        return sum(self.verdicts.values())

    def reached(self, stage: Stage, structural: bool | None = None) -> int:
        """Return how many reached a stage, of all or of one kind.

        Parameters
        ----------
        stage : Stage
            Which stage.
        structural : bool, optional
            Of which kind; None for both.
        """
        wanted = (True, False) if structural is None else (structural,)
        return sum(n for (kind, at), n in self.stages.items() if at & stage and kind in wanted)

    def lines(self) -> Iterator[str]:
        """Return the shares."""
        yield f"{self.total:,} mutants, {len(self.failures)} failures"
        for said, verdict in (
            *(("a result", "result"), ("one clear error", "error")),
            ("read, not run: over the driver's budget", "costly"),
        ):
            yield self._share(said, self.verdicts[verdict])
        yield self._share("structural, and past the parser", self.reached(Stage.PARSED, True))
        for said, stage in (
            *(("past the parser", Stage.PARSED), ("reached shape inference", Stage.SHAPES)),
            *(("described by inspect", Stage.DESCRIBED), ("read as a graph", Stage.GRAPH)),
            ("reached execution", Stage.RUN),
        ):
            yield self._share(said, self.reached(stage))
        yield (
            f"slowest {self.slowest:.2f} s of {LONGEST:.0f} s; resident at most "
            f"{self.resident / 2**20:,.0f} MiB; {MEMORY / 2**30:.0f} GiB beyond the start allowed; "
            f"run up to {MOST_MACS:,} connections and {MOST_NUMBERS:,} numbers"
        )

    def _share(self, said: str, count: int) -> str:
        return f"{count:>9,}  {100 * count / max(self.total, 1):5.1f} %  {said}"
