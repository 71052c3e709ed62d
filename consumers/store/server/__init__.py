"""The store process: the embedded ClickHouse engine behind ClickHouse's HTTP interface.

Run as ``python -m consumers.store.server --path DIR --credentials FILE``. One process
owns one data folder; workers, pages and tools reach it with any ClickHouse HTTP client,
exactly as they would reach a ClickHouse server.
"""
