"""The explorer: one set of components for the page, for saved files and for notebooks."""
