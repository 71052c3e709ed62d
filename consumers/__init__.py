"""What reads the stream: the store, audit, refusals, baselines."""
