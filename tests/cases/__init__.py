"""Small cases of the contract, as data: messages in, figures, findings and refusals out."""

from tests.cases.loader import AsKnown, Case, Message, load_cases, load_sources

__all__ = ["AsKnown", "Case", "Message", "load_cases", "load_sources"]
