"""Where events come from, one module each, found by the entry points ``popflow.sources``."""
