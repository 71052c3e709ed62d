"""What ``popflow up`` shows: its steps while starting, then the city's counts as they change."""

import threading
import time
from datetime import date, datetime
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from consumers.store.errors import StoreError
from deploy.native.endpoints import Endpoints
from pipeline.cli.common import open_store
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
    """The counts so far, read again about once a second while it is drawn."""

    def __init__(self, where: Endpoints, *, simulated: bool) -> None:
        self._store = open_store(where)
        self._simulated = simulated
        self._as_of: date | None = None
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
        """The figures of the newest day known: a replay of history has a today of its own."""
        newest = self._store.query("SELECT max(known_on) FROM population.cells")[0][0]
        self._as_of = min(newest, datetime.now(ZONE).date())
        rows = self._store.query(
            "SELECT measure, sum(value), sumIf(value, day > {as_of:Date32} - 28)"
            " FROM population.daily WHERE day <= {as_of:Date32} GROUP BY measure",
            {"as_of": self._as_of},
        )
        self._rows = {measure: (total, recent) for measure, total, recent in rows}
        self._outcomes = tuple(
            self._store.query(f"SELECT count() FROM population.{what}")[0][0]  # noqa: S608
            for what in ("reports FINAL", "rejected", "finding_rows FINAL WHERE standing")
        )

    def _draw(self) -> RenderableType:
        city = "苏州市 Suzhou" + (" · 模拟数据 simulated" if self._simulated else "")
        drawn = Table(
            title=f"popflow · {city} · 截至 as of {self._as_of or '–'}",
            title_justify="left",
            caption_justify="left",
        )
        drawn.add_column("指标 measure")
        drawn.add_column("合计 total", justify="right")
        drawn.add_column("近28天 last 28 days", justify="right")
        for measure, name_zh, name_en in _MEASURES:
            total, recent = self._rows.get(measure, (0, 0))
            shown = "" if measure.startswith("migrants") else f"{recent:,}"
            drawn.add_row(f"{name_zh} {name_en}", f"{total:,}", shown)
        reports, refused, findings = self._outcomes
        drawn.caption = (
            f"已接收 accepted {reports:,} · 已拒绝 refused {refused:,}\n"
            f"待核查 findings {findings:,} · Ctrl-C 停止全部 stops everything"
        )
        return drawn
