"""What the commands that last share: servers, a port for metrics, and the log."""

import logging
import sys
from pathlib import Path

from deploy.native.ports import is_free
from pipeline.batch_errors import ErrorsWithoutValues
from pipeline.cli.common import endpoints, fail
from pipeline.settings import Settings
from producers.access import use


def with_servers(chosen: Settings) -> Settings:
    """Those given, or those of the stack that runs on the data folder."""
    if chosen.bootstrap and chosen.clickhouse:
        use(chosen.kafka_client)
        return chosen
    where = endpoints(chosen)
    return chosen.model_copy(
        update={
            "bootstrap": where.bootstrap,
            "clickhouse": where.clickhouse,
            "clickhouse_user": where.clickhouse_user,
            "clickhouse_password_file": Path(where.clickhouse_password_file),
        }
    )


def with_port(chosen: Settings) -> Settings:
    """The usual port for metrics when it is free; one that was named must be."""
    port = chosen.metrics_port
    if port == 0 or is_free(port):
        return chosen
    if "metrics_port" in chosen.model_fields_set:
        fail(f"port {port} is taken: name another with --metrics-port, or 0 for a free one")
    return chosen.model_copy(update={"metrics_port": 0})


def log_to_stderr(chosen: Settings) -> None:
    """Ours at the level chosen; no event may reach a log.

    Libraries stay at INFO at the lowest: at DEBUG aiokafka writes whole requests, with messages.
    """
    chosen_level = logging.getLevelName(chosen.log_level)
    logging.basicConfig(
        stream=sys.stderr,
        level=max(chosen_level, logging.INFO),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(ErrorsWithoutValues())
    for ours in ("pipeline", "consumers"):
        logging.getLogger(ours).setLevel(min(logging.INFO, chosen_level))
