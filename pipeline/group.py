"""Names by which workers and those who watch them know each other; imports nothing heavy."""

GROUP = "popflow"
"""The workers' consumer group."""
READY = "popflow worker is ready"
"""What a worker writes once it holds partitions; the supervisor waits for it."""
DELIVERING = "popflow delivers alerts"
"""What the delivery writes once it knows what each receiver was told."""
