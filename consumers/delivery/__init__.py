"""Alerts handed to those who have to know: Alertmanager, webhooks, mail and chat robots."""
