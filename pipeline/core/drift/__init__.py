"""Drift monitors: pure and replayable, from daily sufficient statistics to alarms.

The same series gives the same path, so a late event is no new alarm but another path.
"""
