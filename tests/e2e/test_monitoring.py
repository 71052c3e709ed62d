"""From an event to whoever has to know: stack, Prometheus, Alertmanager and receivers, all real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from deploy.prometheus.__main__ import Place, write
from schemas.clock import ZONE
from tests.e2e.stack import RunningStack, until
from tests.e2e.test_bad_input import CANARY
from tests.integration.receiving import Receiver, alert, published
from tests.monitoring import alertmanager, asked, prometheus

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RECEIVERS = """
[receivers.duty]
kind = "webhook"
url = "{duty}/alerts"
secret_file = "duty.secret"
gather_seconds = 0.1

[receivers.alertmanager]
kind = "alertmanager"
urls = ["{alertmanager}"]
"""


class Watched(NamedTuple):
    """A stack, and everything that watches it."""

    stack: RunningStack
    duty: Receiver
    office: Receiver
    prometheus: str


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    data, configured = folder / "data", folder / "prometheus"
    data.mkdir()
    with Receiver() as duty, Receiver() as office:
        quick = Place(webhook=office.url, scrape="1s", hold="0s", group_wait="0s")
        quick = replace(quick, targets=str(data / "targets.json"))
        write(configured, quick)
        routes = (configured / "alertmanager.yml").read_text("utf-8")
        with alertmanager(folder / "alertmanager", routes) as am:
            (data / "duty.secret").write_text(SECRET)
            (data / "popflow.toml").write_text(RECEIVERS.format(duty=duty.url, alertmanager=am))
            stack = RunningStack(data).start()
            write(configured, replace(quick, alertmanagers=(am.removeprefix("http://"),)))
            with prometheus(folder / "tsdb", configured / "prometheus.yml") as url:
                until(lambda: _up(url) == 2, "Prometheus scrapes worker and delivery")
                yield Watched(stack, duty, office, url)
            assert stack.stop() == 0


def _up(url: str) -> int:
    found = asked(f"{url}/api/v1/query?query=sum(up)")["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def sent_on(office: Receiver) -> dict[str, dict[str, Any]]:
    """Alerts that Alertmanager has sent on, the newest of each name."""
    return {
        one["labels"]["alertname"]: one
        for request in office.taken
        for one in request.document["alerts"]
    }


def arrivals(number: int) -> Iterator[tuple[str, int, bytes, None]]:
    """Migrants who came ten days ago and never registered."""
    now = datetime.now(ZONE)
    for place in range(number):
        event = {
            "kind": "move",
            "record_id": f"arrival-{place}",
            "revision": 1,
            "source": "police.household",
            "recorded_at": now.isoformat(timespec="seconds"),
            "person": f"{place:032x}",
            "moved_on": (now.date() - timedelta(10)).isoformat(),
            "from_district": "340100",
            "to_district": "320583",
            "residency": "migrant",
        }
        yield (
            "population.moves.v1",
            int(now.timestamp() * 1000),
            json.dumps(event).encode(),
            None,
        )


def test_people_who_never_registered_are_an_alert_at_the_webhook(watched: Watched) -> None:
    watched.stack.publish(arrivals(200))
    watched.duty.wait(lambda it: any("management_rate_level" in r.body.decode() for r in it.taken))
    told = [one for r in watched.duty.taken for one in r.document["alerts"]]
    level = next(one for one in told if one["monitor"] == "management_rate_level")
    assert level["state"] == "firing"
    assert level["numerator"] == 0
    assert 0 < level["denominator"] <= 200, "as many as had arrived when it fired"
    watched.office.wait(lambda it: "management_rate_level" in sent_on(it))
    assert sent_on(watched.office)["management_rate_level"]["labels"]["origin"] == "popflow"


def test_a_plain_identity_number_is_an_alert_by_prometheus(watched: Watched) -> None:
    event = json.dumps({"kind": "birth", "note": CANARY}).encode()
    watched.stack.publish([("population.births.v1", 1_700_000_000_000, event, None)])
    watched.office.wait(lambda it: "PopflowIdentityNumber" in sent_on(it))
    fired = sent_on(watched.office)["PopflowIdentityNumber"]
    assert fired["labels"]["severity"] == "critical"
    assert fired["annotations"]["runbook_url"] == "deploy/runbooks/PopflowIdentityNumber.md"


def test_receiver_and_delivery_away_then_everything_once(watched: Watched) -> None:
    stack, duty = watched.stack, watched.duty
    before = len(duty.told())
    duty.close()
    changes = [alert(n, state=s) for n in range(1, 11) for s in ("firing", "resolved")]
    published(stack.producer, *changes)
    stack.kill("delivery")
    duty.open()
    duty.wait(lambda it: len(it.told()) >= before + len(changes))
    wanted = sorted(f"{one.id}-{one.state}" for one in changes)
    assert sorted(duty.told()[before:]) == wanted
