"""Numbered SQL files: the store's schema, applied in order by ``consumers.store.migrate``."""
