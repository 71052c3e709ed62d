"""The HTTP listener with a real Kafka behind it: curl, FHIR clients and a browser before it."""

from __future__ import annotations

import gc
import http.client
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from playwright.sync_api import expect, sync_playwright

from deploy.native.kafka import KafkaServer
from deploy.native.ports import free_ports
from deploy.native.topics import ensure_topics
from producers.sources.gateway_receipts import is_genuine
from schemas.topics import specs
from tests.e2e.stack import POPFLOW
from tests.sources import resources
from tests.sources.adt import PATIENT
from tests.sources.deaths import death
from tests.sources.listening import Listener, consumed

# kafka-python leaves sockets that were refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*<socket\.socket fd:pytest.PytestUnraisableExceptionWarning"
)
FHIR = "application/fhir+json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Desk:
    """A publisher with a token."""

    def __init__(self, listener: Listener, source: str = "health.h7") -> None:
        self.listener = listener
        made = self.popflow("gateway", "token", "add", source)
        assert made.returncode == 0, made.stderr
        self.token = made.stdout.strip()

    def popflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*POPFLOW, *arguments, "--data", str(self.listener.folder)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ask(self, path: str, body: Any = None, method: str = "POST", **headers: str) -> Answer:
        """One request; what is no bytes goes as JSON."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        named.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection = http.client.HTTPConnection("127.0.0.1", self.listener.port, timeout=60)
        try:
            connection.request(method, path, sent, named)
            response = connection.getresponse()
            got = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, got, response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka"), heap="256m") as server:
        ensure_topics(server.bootstrap, specs())
        yield server


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def desk(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Listener("http", tmp_path_factory.mktemp("http"), kafka.bootstrap) as running:
        yield Desk(running)


def records(kafka: KafkaServer) -> Counter[str]:
    return Counter(event["record_id"] for event in consumed(kafka.bootstrap))


def curl(desk: Desk, body: str, *arguments: str) -> tuple[int, Any]:
    done = subprocess.run(
        [
            *("curl", "-sS", "-m", "60", "-w", "\n%{http_code}", f"{desk.listener.url}/v1/events"),
            *("-H", f"Authorization: Bearer {desk.token}", "--data-binary", body, *arguments),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    said, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(said)


JSON = ("-H", "Content-Type: application/json")
LINES = ("-H", "Content-Type: application/x-ndjson")


class TestEvents:
    def test_curl_accepted_refused_and_both(self, kafka: KafkaServer, desk: Desk) -> None:
        status, said = curl(desk, json.dumps(death(record_id="C-1")), *JSON)
        assert (status, said["accepted"], said["refused"]) == (202, 1, 0)
        assert records(kafka)["C-1"] == 1, "accepted means that Kafka has it"
        (key,) = desk.ask("/v1/receipt-key", method="GET").json["keys"]
        assert is_genuine(said["receipt"], key)

        status, said = curl(desk, json.dumps(death(record_id="C-2", sex="3")), *JSON)
        assert (status, said["events"][0]["code"]) == (422, "schema")
        assert "receipt" not in said

        lines = "\n".join(
            json.dumps(one)
            for one in (death(record_id="C-3"), death(source="health.x"), death(record_id="C-4"))
        )
        status, said = curl(desk, lines, *LINES)
        assert status == 207
        assert [one["status"] for one in said["events"]] == ["accepted", "refused", "accepted"]
        assert said["events"][1]["code"] == "source_mismatch"
        assert set(records(kafka)) >= {"C-3", "C-4"}

    def test_repeats_under_a_key_get_the_first_answer(self, kafka: KafkaServer, desk: Desk) -> None:
        body = death(record_id="I-1")
        first = desk.ask("/v1/events", body, Idempotency_Key="i1")
        again = desk.ask("/v1/events", body, Idempotency_Key="i1")
        assert (first.status, first.body) == (again.status, again.body)
        assert again.headers["idempotency-replayed"] == "true"
        assert records(kafka)["I-1"] == 1
        other = desk.ask("/v1/events", death(record_id="I-2"), Idempotency_Key="i1")
        assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
        assert "I-2" not in records(kafka)

    def test_tokens(self, desk: Desk) -> None:
        mine = Desk(desk.listener, "health.h9")
        body = death(record_id="T-1", source="health.h9")
        assert mine.ask("/v1/events", body).status == 202
        assert desk.ask("/v1/events", body).json["events"][0]["code"] == "source_mismatch"
        listed = json.loads(mine.popflow("gateway", "token", "list", "--json").stdout)
        assert {one["source"] for one in listed} == {"health.h7", "health.h9"}
        assert mine.token not in json.dumps(listed)
        assert mine.popflow("gateway", "token", "revoke", "health.h9").returncode == 0
        refused = mine.ask("/v1/events", body)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        assert mine.popflow("gateway", "token", "revoke", "health.h9").returncode == 1
        assert mine.popflow("gateway", "token", "add", "h9").returncode == 2

    @pytest.mark.parametrize(
        ("path", "method", "headers", "body", "status"),
        [
            ("/v1/events", "POST", {"Content_Type": "text/csv"}, b"a", 415),
            ("/v1/events", "POST", {"Content_Encoding": "gzip"}, b"a", 415),
            ("/v1/events", "POST", {}, b"", 400),
            ("/v1/events", "POST", {}, b"[}", 400),
            ("/v1/events", "POST", {"Idempotency_Key": "x" * 256}, b"{}", 400),
            ("/v1/events", "GET", {}, None, 405),
            ("/v2/events", "POST", {}, b"{}", 404),
        ],
    )
    def test_wrong_requests_are_problems(
        self,
        desk: Desk,
        path: str,
        method: str,
        headers: dict[str, str],
        body: bytes | None,
        status: int,
    ) -> None:
        answer = desk.ask(path, body, method, **headers)
        assert answer.status == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == status
        assert answer.json["detail"]

    def test_document_and_health(self, desk: Desk) -> None:
        assert desk.ask("/openapi.json", method="GET").json["openapi"] == "3.1.0"
        assert desk.ask("/health", method="GET").json == {"kafka": True}

    def test_no_number_is_written_down(self, kafka: KafkaServer, desk: Desk) -> None:
        for body in (death(record_id=PATIENT), death(person=PATIENT), {PATIENT: 1}, f"{PATIENT}"):
            answer = desk.ask("/v1/events", body)
            assert answer.status == 422
            assert b"3205021950" not in answer.body
        desk.ask(f"/{PATIENT}?n={PATIENT}", death(), X_Number=PATIENT)
        desk.ask("/v1/events", death(record_id="N-1"), Idempotency_Key=PATIENT)
        desk.ask("/fhir/Patient", resources.patient(), If_None_Exist=f"identifier=a|{PATIENT}")
        assert "3205021950" not in desk.listener.said
        assert "3205021950" not in json.dumps(consumed(kafka.bootstrap))


def outcome(answer: Answer) -> Any:
    """The OperationOutcome of an answer, as fhir.resources reads it."""
    assert answer.headers["content-type"] == FHIR
    made: Any = OperationOutcome
    return made.model_validate(answer.json)


class TestFhir:
    def test_transaction_of_a_stay(self, kafka: KafkaServer, desk: Desk) -> None:
        sent = resources.bundle(resources.stay(patient={"identifier": _case("FH-1")}))
        for _ in range(2):
            answer = desk.ask("/fhir", sent, Content_Type=FHIR)
            assert answer.status == 200, answer.body
            made: Any = Bundle
            got = made.model_validate(answer.json)
            assert got.type == "transaction-response"
            assert [entry.response.status[:3] for entry in got.entry] == ["200"] * 4 + ["201"]
            assert got.entry[4].response.location.startswith("Encounter/")
        # Sent again it is the same revision: counted once.
        (event,) = {orjson.dumps(e) for e in _of(kafka, "H7/FH-1/1")}
        assert orjson.loads(event)["kind"] == "discharge"

    def test_transaction_is_all_or_nothing(self, kafka: KafkaServer, desk: Desk) -> None:
        wrong = resources.stay(patient={"identifier": _case("FH-2")}, period={"start": "2026-03"})
        answer = desk.ask("/fhir", resources.bundle([*resources.newborn("B-FH2"), *wrong]))
        assert answer.status == 422
        (issue,) = outcome(answer).issue
        assert (issue.severity, issue.code) == ("error", "value")
        assert issue.diagnostics.startswith("Bundle.entry[8].resource: Encounter.period.start")
        assert "B-FH2" not in records(kafka)

    def test_batch_takes_what_is_right(self, kafka: KafkaServer, desk: Desk) -> None:
        wrong = resources.stay(patient={"identifier": _case("FH-3")}, period={"start": "2026-03"})
        sent = resources.bundle([*resources.newborn("B-FH3"), *wrong], "batch")
        sent["entry"].append({"resource": {"resourceType": "Procedure"}, "request": {}})
        answer = desk.ask("/fhir", sent)
        assert answer.status == 200
        statuses = [entry["response"]["status"][:3] for entry in answer.json["entry"]]
        assert statuses == ["201"] + ["200"] * 7 + ["422", "400"]
        assert records(kafka)["B-FH3"] == 1

    def test_one_encounter_that_contains_the_rest(self, kafka: KafkaServer, desk: Desk) -> None:
        contained = [
            resources.patient(identifier=_case("FH-4")),
            {**resources.condition(1, "J18.900"), "subject": {"reference": "#p1"}},
            {**resources.coverage(), "beneficiary": {"reference": "#p1"}},
        ]
        sent = resources.encounter(
            subject={"reference": "#p1"},
            diagnosis=[{"condition": {"reference": "#c1"}}],
            contained=contained,
        )
        answer = desk.ask("/fhir/Encounter", sent)
        assert answer.status == 201
        assert answer.headers["location"].startswith("Encounter/")
        assert outcome(answer).issue[0].details.text == "Reported: discharge H7/FH-4/1"
        assert records(kafka)["H7/FH-4/1"] == 1

        found = {"If_None_Exist": "identifier=urn:h7:visit|ZY20260001"}
        again = desk.ask("/fhir/Encounter", sent, **found)
        assert (again.status, records(kafka)["H7/FH-4/1"]) == (200, 1)
        other = desk.ask("/fhir/Encounter", sent, If_None_Exist="identifier=urn:h7:visit|other")
        assert (other.status, records(kafka)["H7/FH-4/1"]) == (201, 2)
        assert len({orjson.dumps(e) for e in _of(kafka, "H7/FH-4/1")}) == 1
        assert desk.ask("/fhir/Encounter", sent, If_None_Exist="name=x").status == 400

    def test_an_update_is_a_newer_revision(self, kafka: KafkaServer, desk: Desk) -> None:
        for hour, url in enumerate(("Encounter", "Encounter?identifier=urn:h7:visit|1"), 10):
            encounter = {"meta": {"lastUpdated": f"2026-03-06T{hour}:00:00+08:00"}}
            made = resources.stay(patient={"identifier": _case("FH-5")}, **encounter)
            sent = resources.bundle(made)
            sent["entry"][-1]["request"] = {"method": "PUT", "url": url}
            answer = desk.ask("/fhir", sent)
            assert [entry["response"]["status"] for entry in answer.json["entry"]] == ["200 OK"] * 5
        first, second = sorted(event["revision"] for event in _of(kafka, "H7/FH-5/1"))
        assert second - first == 3_600_000

    @pytest.mark.parametrize(
        ("path", "method", "kind", "body", "status", "code"),
        [
            ("/fhir/Encounter", "POST", "application/fhir+xml", b"<a/>", 415, "not-supported"),
            ("/fhir/Encounter", "POST", FHIR, b"{", 400, "structure"),
            ("/fhir/Encounter", "POST", FHIR, b'{"resourceType":"Patient"}', 400, "structure"),
            ("/fhir/Observation", "POST", FHIR, resources.newborn()[2], 422, "required"),
            ("/fhir/Condition", "POST", FHIR, resources.condition(1, "I10"), 422, "processing"),
            ("/fhir/Medication", "POST", FHIR, {}, 404, "not-found"),
            ("/fhir", "POST", FHIR, {"resourceType": "Bundle", "type": "history"}, 422, None),
            ("/fhir/Patient/1", "GET", FHIR, None, 404, "not-found"),
        ],
    )
    def test_refusals_are_operation_outcomes(
        self,
        desk: Desk,
        path: str,
        method: str,
        kind: str,
        body: Any,
        status: int,
        code: str | None,
    ) -> None:
        answer = desk.ask(path, body, method, Content_Type=kind)
        assert answer.status == status
        issue = outcome(answer).issue[0]
        assert issue.severity == "error"
        assert issue.details.text
        assert code is None or issue.code == code

    def test_needs_a_token(self, desk: Desk) -> None:
        answer = desk.ask("/fhir/Patient", resources.patient(), Authorization="Bearer x")
        assert answer.status == 401
        assert outcome(answer).issue[0].code == "login"

    def test_metadata(self, desk: Desk) -> None:
        answer = desk.ask("/fhir/metadata", method="GET")
        made: Any = CapabilityStatement
        assert made.model_validate(answer.json).fhirVersion == "4.0.1"


def _case(number: str) -> list[dict[str, Any]]:
    return [resources.identifier("NI", PATIENT), resources.identifier("MR", number)]


def _of(kafka: KafkaServer, record_id: str) -> list[dict[str, Any]]:
    return [event for event in consumed(kafka.bootstrap) if event["record_id"] == record_id]


def test_a_browser_sends_an_event(kafka: KafkaServer, desk: Desk) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(desk.listener.url)
        page.get_by_label("Token").fill(desk.token)
        answer = page.get_by_role("status")
        page.get_by_label("Events").fill(json.dumps(death(record_id="W-1")))
        page.get_by_role("button").click()
        expect(answer).to_contain_text("202")
        expect(answer).to_contain_text('"accepted": 1')
        page.get_by_label("Events").fill(json.dumps(death(record_id="W-2", sex="3")))
        page.get_by_role("button").click()
        expect(answer).to_contain_text("422")
        browser.close()
    assert all(url.startswith(desk.listener.url) for url in asked)
    assert records(kafka)["W-1"] == 1


def test_kafka_is_away(tmp_path: Path) -> None:
    bootstrap = f"127.0.0.1:{free_ports(1)[0]}"
    with Listener("http", tmp_path, bootstrap, "--answer-seconds", "1") as listener:
        desk = Desk(listener)
        for _ in range(2):
            answer = desk.ask("/v1/events", death(), Idempotency_Key="k")
            assert (answer.status, answer.json["code"]) == (503, "kafka_away")
            assert int(answer.headers["retry-after"]) > 0
        fhir = desk.ask("/fhir", resources.bundle(resources.stay()))
        assert fhir.status == 503
        assert outcome(fhir).issue[0].code == "transient"
        assert desk.ask("/health", method="GET").status == 503


def test_limits(kafka: KafkaServer, tmp_path: Path) -> None:
    (tmp_path / "popflow.toml").write_text(
        "gateway_events_per_second = 0.01\ngateway_body_bytes = 60000\n"
    )
    with Listener("http", tmp_path, kafka.bootstrap) as listener:
        desk = Desk(listener)
        large = desk.ask("/v1/events", [death(record_id=f"L-{n}") for n in range(500)])
        assert (large.status, large.json["code"]) == (413, "body_too_large")
        assert desk.ask("/v1/events", [death(record_id="L-1")] * 100).status == 202
        limited = desk.ask("/v1/events", death(record_id="L-2"))
        assert (limited.status, limited.json["code"]) == (429, "too_many")
        assert int(limited.headers["retry-after"]) >= 1
        for _ in range(20):
            assert desk.ask("/v1/events", death(), Authorization="Bearer x").status == 401
        assert desk.ask("/v1/events", death(), Authorization="Bearer x").status == 429
