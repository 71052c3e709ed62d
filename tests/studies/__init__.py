"""Simulations whose results stand in the documents."""
