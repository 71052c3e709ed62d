"""The stream: intake, ledger, and the figures they keep."""
