"""The contract: what publishers send, what readers get, and why an event is refused.

Pydantic and the standard library only; every other package may import this one, it imports none
of them.
"""
