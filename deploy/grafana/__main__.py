"""``python -m deploy.grafana``: write the dashboards and what provisions them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.dashboards import boards
from deploy.grafana.panels import CLICKHOUSE

HERE = Path(__file__).parent
FIRING = """
    SELECT monitor, district, count() AS firing FROM population.alerts
    WHERE state = 'firing' AND severity IN ('warning', 'critical')
    GROUP BY monitor, district
"""
STALE = """
    SELECT dateDiff('second', max(published_at), now()) AS seconds FROM population.readings
"""


def documents() -> Iterator[tuple[Path, str]]:
    """Every generated file and its text."""
    for name, board in boards().items():
        text = json.dumps(board.build(), cls=JSONEncoder, ensure_ascii=False, indent=1)
        yield HERE / "dashboards" / f"{name}.json", text + "\n"
    rules = json.dumps(alert_rules(), ensure_ascii=False, indent=1)
    yield HERE / "provisioning" / "alerting" / "popflow.json", rules + "\n"


def alert_rules() -> dict[str, Any]:
    """Alert rules: what popflow's own monitors hold to be firing, and figures gone stale."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": "popflow",
                "folder": "popflow",
                "interval": "1m",
                "rules": [
                    _rule("drift", "指标漂移 An indicator drifts", FIRING, above=0),
                    _rule("stale", "读数过期 Readings are stale", STALE, above=900),
                ],
            }
        ],
    }


def _rule(uid: str, title: str, sql: str, *, above: int) -> dict[str, Any]:
    return {
        "uid": f"popflow-{uid}",
        "title": title,
        "condition": "B",
        "for": "0s",
        "noDataState": "OK",
        "execErrState": "Error",
        "data": [
            {
                "refId": "A",
                "datasourceUid": CLICKHOUSE.uid,
                "relativeTimeRange": {"from": 600, "to": 0},
                "model": {
                    "refId": "A",
                    "editorType": "sql",
                    "format": 1,
                    "queryType": "table",
                    "rawSql": " ".join(sql.split()),
                },
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "relativeTimeRange": {"from": 0, "to": 0},
                "model": {
                    "refId": "B",
                    "type": "threshold",
                    "expression": "A",
                    "conditions": [{"evaluator": {"type": "gt", "params": [above]}}],
                },
            },
        ],
    }


def main() -> None:
    """Write all files."""
    for path, text in documents():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
