"""What Kafka and ClickHouse must have before a worker runs: topics, tables, views, registries.

Everything may be done again, and changes nothing that is right.
"""

from collections.abc import Iterator

from consumers.store.client import Store
from consumers.store.migrate import migrate, seed_districts
from consumers.store.registry import seed_sources
from consumers.store.views import create_views
from deploy.native.topics import ensure_topics
from pipeline.settings import Settings
from schemas.districts import DISTRICTS
from schemas.sources import DEMONSTRATION
from schemas.topics import specs


def prepare_topics(bootstrap: str, chosen: Settings) -> None:
    """Create the topics, or set their settings right.

    Raises:
        TopicError: a topic has another number of partitions, or Kafka refuses or is away.
    """
    wanted = specs(chosen.partitions, forge_proof=chosen.forge_proof)
    ensure_topics(bootstrap, wanted, replication_factor=chosen.replicas)


def prepare_tables(store: Store) -> None:
    """Migrate the tables, make the views, and fill the registries of an empty database.

    Raises:
        StoreError: ClickHouse is away, or does not belong to this program.
    """
    migrate(store)
    create_views(store)
    seed_districts(store, _district_rows())
    seed_sources(store, DEMONSTRATION)


def _district_rows() -> Iterator[dict[str, object]]:
    for district in DISTRICTS:
        alias = "" if district.code == district.counted_as else district.counted_as
        yield {
            "code": district.code,
            "name_zh": district.name_zh,
            "name_en": district.name_en,
            "alias_of": alias,
            "valid_from": district.valid_from,
            "valid_to": district.valid_to,
            "in_city": True,
        }
