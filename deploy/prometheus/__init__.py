"""Prometheus and Alertmanager: rules and configuration, generated from the catalogue."""
