"""The one-machine stack without Docker: a real Kafka broker and the care of processes."""
