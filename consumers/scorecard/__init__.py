"""The plan's scorecard: read from the store, judged by the pure core, written for people."""

from consumers.scorecard.read import Row, Scorecard, known_through, scorecard

__all__ = ["Row", "Scorecard", "known_through", "scorecard"]
