"""Grafana as code: dashboards, data sources and alert rules, generated from the catalogue."""
