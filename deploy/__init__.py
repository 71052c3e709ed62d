"""How a stack is run."""
