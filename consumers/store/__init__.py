"""ClickHouse: one schema and one client, for a server and for the embedded store process."""
