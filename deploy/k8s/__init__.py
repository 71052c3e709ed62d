"""Kubernetes: the workers and the page beside a Kafka of Strimzi and a ClickHouse."""
