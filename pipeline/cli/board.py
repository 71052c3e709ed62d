"""What ``popflow up`` shows: its steps while starting, then the city's counts as they change."""

import threading
import time
from datetime import datetime
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from consumers.store.errors import StoreError
from deploy.native.stack import Endpoints
from pipeline.cli.common import open_store
from pipeline.settings import Settings
from schemas.clock import ZONE

_MEASURES = (
    ("births", "出生", "births"),
    ("deaths", "死亡", "deaths"),
    ("arrivals", "迁入", "arrivals"),
    ("departures", "迁出", "departures"),
    ("permits", "居住登记办理", "permits"),
    ("discharges", "出院", "discharges"),
    ("migrants_known", "流动人口", "migrants known"),
    ("migrants_managed", "其中在管", "of them managed"),
)
_EVERY = 1.0


class Steps:
    """Progress of the start and the stop, one line a step."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=console,
            disable=quiet,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, step: str, done: int, total: int) -> None:
        """Show how far a step is."""
        with self._lock:
            if step not in self._tasks:
                self._tasks[step] = self._progress.add_task(step, total=total)
            self._progress.update(self._tasks[step], completed=done, total=total)


class Board:
    """The counts up to today, read again about once a second while it is drawn."""

    def __init__(self, where: Endpoints, chosen: Settings) -> None:
        self._store = open_store(where)
        self._data = chosen.data
        self._read_at = 0.0
        self._rows: dict[str, tuple[int, int]] = {}
        self._outcomes: tuple[int, ...] = (0, 0, 0)

    def __rich__(self) -> RenderableType:
        now = time.monotonic()
        if now - self._read_at >= _EVERY:
            self._read_at = now
            try:
                self._read()
            except StoreError:
                return "The store is being started again …  存储正在重启"
        return self._draw()

    def _read(self) -> None:
        today = datetime.now(ZONE).date()
        rows = self._store.query(
            "SELECT measure, sum(value), sumIf(value, day > {today:Date32} - 28)"
            " FROM population.daily WHERE day <= {today:Date32} GROUP BY measure",
            {"today": today},
        )
        self._rows = {measure: (total, recent) for measure, total, recent in rows}
        self._outcomes = (
            self._store.query("SELECT count() FROM population.reports FINAL")[0][0],
            self._store.query("SELECT count() FROM population.rejected")[0][0],
            self._store.query("SELECT count() FROM population.finding_rows FINAL WHERE standing")[
                0
            ][0],
        )

    def _draw(self) -> RenderableType:
        drawn = Table(title="popflow · 苏州市 Suzhou", title_justify="left")
        drawn.add_column("指标 measure")
        drawn.add_column("合计 total", justify="right")
        drawn.add_column("近28天 last 28 days", justify="right")
        for measure, name_zh, name_en in _MEASURES:
            total, recent = self._rows.get(measure, (0, 0))
            shown = "" if measure.startswith("migrants") else f"{recent:,}"
            drawn.add_row(f"{name_zh} {name_en}", f"{total:,}", shown)
        reports, refused, findings = self._outcomes
        drawn.caption = (
            f"已接收 accepted {reports:,} · 已拒绝 refused {refused:,}"
            f" · 待核查 findings {findings:,}\nCtrl-C 停止全部 stops everything"
        )
        return drawn
