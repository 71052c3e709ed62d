"""Who may do what on a Kafka that asks: access control lists, certificates, client files."""
