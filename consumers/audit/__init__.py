"""Checking what was counted by counting it again, independently of the ledger."""
