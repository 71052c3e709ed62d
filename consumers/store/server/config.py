"""The engine's own configuration file and the folders of a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from consumers.store.server.errors import StartError

TIMEZONE = "Asia/Shanghai"


@dataclass(frozen=True)
class Layout:
    """Where one store keeps its things, all below one folder.

    The folder holds personal records, so it is made readable by its owner only.
    """

    root: Path

    @property
    def engine(self) -> Path:
        """The engine's data folder; its ``status`` file names the process that holds it."""
        return self.root / "engine"

    @property
    def config(self) -> Path:
        """The engine's configuration, written anew at every start."""
        return self.root / "config.xml"

    @property
    def backups(self) -> Path:
        """The only folder BACKUP may write to."""
        return self.root / "backups"


@dataclass(frozen=True)
class Limits:
    """What the engine may use.

    Attributes:
        memory: Bytes for the whole engine (``max_server_memory_usage``).
        fsync: Write every insert through to the disk before it is acknowledged. Without
            it a killed process loses nothing acknowledged, a power cut may; it costs
            about 2 ms an insert.
    """

    memory: int = 2 << 30
    fsync: bool = False


def prepare(layout: Layout, limits: Limits) -> None:
    """Create the folders and write the configuration the engine is started with.

    The engine reads a ``config.xml`` in the working directory when it is given none: so
    it is always given this one. (The path is one the engine takes in its connection text:
    one with ``?``, ``&`` or ``%`` is refused.)

    Raises:
        StartError: The folder's name cannot be given to the engine.
    """
    if any(sign in str(layout.root) for sign in "?&%#"):
        raise StartError(f"{layout.root}: the engine takes no folder with ? & % or # in its name")
    for folder in (layout.root, layout.engine, layout.backups):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = layout.config.with_suffix(".new")
    draft.write_text(_xml(layout, limits), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(layout.config)


def _xml(layout: Layout, limits: Limits) -> str:
    fsync = int(limits.fsync)
    # The defaults suit a server with many cores and tens of gigabytes.
    return f"""<clickhouse>
    <timezone>{TIMEZONE}</timezone>
    <max_server_memory_usage>{limits.memory}</max_server_memory_usage>
    <max_concurrent_queries>64</max_concurrent_queries>
    <mark_cache_size>{limits.memory // 16}</mark_cache_size>
    <background_pool_size>4</background_pool_size>
    <background_schedule_pool_size>8</background_schedule_pool_size>
    <backups><allowed_path>{escape(str(layout.backups))}/</allowed_path></backups>
    <logger><level>error</level></logger>
    <merge_tree>
        <fsync_after_insert>{fsync}</fsync_after_insert>
        <fsync_part_directory>{fsync}</fsync_part_directory>
        <min_rows_to_fsync_after_merge>{fsync}</min_rows_to_fsync_after_merge>
    </merge_tree>
</clickhouse>
"""
