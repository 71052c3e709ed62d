"""Drift on the store: what the monitors see, the alerts they give, and what a page draws of it."""
