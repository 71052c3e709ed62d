"""``python -m deploy.prometheus FOLDER``: write rules, their tests and the configuration.

    python -m deploy.prometheus deploy/prometheus

writes anew what is committed. Elsewhere, name what the place has:
``--alertmanager HOST:PORT --targets FILE --runbooks https://handbook.example/``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.prometheus.model import RUNBOOKS
from deploy.prometheus.rules import RECORDINGS, RULES

HEAD = "# Made by python -m deploy.prometheus; do not edit. 由程序生成，请勿修改。\n"
TESTS = {"minutes.test.yml": 60, "hours.test.yml": 3600, "days.test.yml": 86400}
"""promtool evaluates all rules of a file as often as the fastest needs."""
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Place:
    """What differs from one place to another.

    Attributes:
        alertmanagers: ``HOST:PORT`` of each.
        targets: file that lists whom to scrape; relative to the configuration.
        runbooks: put before the name of a runbook's page.
        webhook: where Alertmanager sends what nobody routes elsewhere.
        scrape: how often, in Prometheus' notation; rules are evaluated as often.
        hold: how long a rule has to hold; None: what each rule says.
        group_wait: how long Alertmanager gathers alerts for the first message.
    """

    alertmanagers: tuple[str, ...] = ("127.0.0.1:9093",)
    targets: str = "targets.json"
    runbooks: str = RUNBOOKS
    webhook: str = "http://127.0.0.1:9095/alerts"
    scrape: str = "15s"
    hold: str | None = None
    group_wait: str = "30s"


def documents(place: Place) -> dict[str, str]:
    """Every file by its name."""
    rules = [rule.document(place.runbooks, place.hold) for rule in RULES]
    figures = [one.document() for one in RECORDINGS]
    return {
        "figures.yml": HEAD + yaml({"groups": [{"name": "popflow.figures", "rules": figures}]}),
        "rules.yml": HEAD + yaml({"groups": [{"name": "popflow.alerts", "rules": rules}]}),
        **{name: HEAD + yaml(_tests(step)) for name, step in TESTS.items()},
        "prometheus.yml": HEAD + yaml(_prometheus(place)),
        "alertmanager.yml": HEAD + yaml(_alertmanager(place)),
    }


def _tests(step: int) -> dict[str, Any]:
    """The cases of the rules that are evaluated every so many seconds."""
    cases = [test for rule in RULES if rule.step == step for test in rule.tests()]
    return {"rule_files": ["rules.yml"], "evaluation_interval": f"{step}s", "tests": cases}


def _prometheus(place: Place) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": place.scrape, "evaluation_interval": place.scrape},
        "rule_files": ["figures.yml", "rules.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": list(place.alertmanagers)}]}]
        },
        "scrape_configs": [
            {
                "job_name": "popflow",
                "file_sd_configs": [{"files": [place.targets], "refresh_interval": place.scrape}],
            }
        ],
    }


def _alertmanager(place: Place) -> dict[str, Any]:
    """Critical at once and every four hours, the rest gathered and once a day.

    A monitor's alert arrives twice where both ways are open: from the delivery with its figures,
    and from Prometheus as a count; the first mutes the second. A process that is down mutes what
    follows from it.
    """
    return {
        "route": {
            "receiver": "office",
            "group_by": ["alertname", "district", "monitor"],
            "group_wait": place.group_wait,
            "group_interval": "5m" if place.hold is None else "1s",
            "repeat_interval": "24h",
            "routes": [
                {
                    "receiver": "duty",
                    "matchers": ['severity="critical"'],
                    "group_wait": "5s" if place.hold is None else place.group_wait,
                    "repeat_interval": "4h",
                },
                {
                    "receiver": "record",
                    "matchers": ['severity="info"'],
                    "group_interval": "1h",
                },
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['origin="popflow"'],
                "target_matchers": ['alertname="PopflowMonitorFiring"'],
                "equal": ["severity"],
            },
            {
                "source_matchers": ['alertname="PopflowNobodyLeads"'],
                "target_matchers": ['alertname=~"PopflowNotMeasured|PopflowReadingsOld"'],
            },
        ],
        "receivers": [
            {
                "name": name,
                "webhook_configs": [{"url": place.webhook, "send_resolved": True}],
            }
            for name in ("duty", "office", "record")
        ],
    }


def yaml(value: Any, indent: int = 0) -> str:
    """A document of mappings, lists and scalars in YAML; every text in double quotes."""
    return "\n".join(_lines(value, indent)) + "\n"


def _lines(value: Any, indent: int) -> Iterator[str]:
    pad = "  " * indent
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = key if str(key).replace("_", "").isalnum() else json.dumps(key)
            if isinstance(item, Mapping | list) and item:
                yield f"{pad}{name}:"
                yield from _lines(item, indent + 1)
            else:
                yield f"{pad}{name}: {_scalar(item)}"
        return
    for item in value:
        if isinstance(item, Mapping | list) and item:
            first, *rest = _lines(item, indent + 1)
            yield f"{pad}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{pad}- {_scalar(item)}"


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def write(folder: Path, place: Place | None = None) -> list[Path]:
    """Write every file; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in documents(place or Place()).items():
        (folder / name).write_text(text, "utf-8")
        written.append(folder / name)
    return written


def main(arguments: Iterable[str] | None = None) -> None:
    """Write to the folder that is named."""
    usual = Place()
    parser = argparse.ArgumentParser(prog="python -m deploy.prometheus", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--alertmanager", action="append", metavar="HOST:PORT")
    parser.add_argument("--targets", default=usual.targets, metavar="FILE")
    parser.add_argument("--runbooks", default=usual.runbooks, metavar="PREFIX")
    parser.add_argument("--webhook", default=usual.webhook, metavar="URL")
    given = parser.parse_args(None if arguments is None else list(arguments))
    place = Place(
        tuple(given.alertmanager or usual.alertmanagers),
        given.targets,
        given.runbooks,
        given.webhook,
    )
    for path in write(given.folder, place):
        print(path)


if __name__ == "__main__":
    main()
