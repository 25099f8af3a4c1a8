"""Lazuli: an array framework for machine learning. `import lazuli.core as mx` is the door."""

from lazuli.core import __version__

__all__ = ["__version__"]
