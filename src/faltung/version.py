"""The version of faltung, in one place."""

__version__ = "0.1.0"
