"""Bugs planted on purpose: what the checks are worth is how many of them they find.

``python -m faltung.testing.mutants`` plants every bug in turn, in this process alone, runs the
checks of its operator until one fails, and takes it out again. It prints how many were found and
ends with exit code 1 if one was not. A bug that changes nothing that anybody could see is not
planted: the reason stands where the others of its kind are.
"""

from faltung.testing.mutants.catalogue import mutants_of as mutants_of
from faltung.testing.mutants.mutant import Mutant as Mutant
from faltung.testing.mutants.verdicts import Verdict as Verdict
from faltung.testing.mutants.verdicts import hunt as hunt
from faltung.testing.mutants.verdicts import sample as sample

__all__ = ["Mutant", "Verdict", "hunt", "mutants_of", "sample"]
