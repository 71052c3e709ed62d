"""Names by which workers and those who watch them know each other; imports nothing heavy."""

GROUP = "popflow"
"""The workers' consumer group."""
READY = "popflow worker is ready"
"""What a worker writes once it holds partitions; the supervisor waits for it."""
PAGE_READY = "popflow page is ready"
"""What the page's process writes once it answers."""
