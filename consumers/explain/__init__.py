"""A figure explained: its formula, its cells, and the records that make them."""

from consumers.explain.explain import explain
from consumers.explain.parts import Explanation, Part

__all__ = ["Explanation", "Part", "explain"]
