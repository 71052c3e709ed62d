"""The committed documents: as generated today, valid, whole, and of no particular machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.events import KINDS
from schemas.export import FOLDER, asyncapi, json_schemas, write
from schemas.refusals import Code
from schemas.tables import tables, with_tables
from schemas.topics import JOURNAL, RAW, specs
from tests.contract.support import ALL

COMMITTED = FOLDER / "generated"
README = FOLDER / "README.md"


def test_committed_documents_are_today_s(tmp_path: Path) -> None:
    written = write(tmp_path / "generated")
    assert {path.name for path in written} == {path.name for path in COMMITTED.iterdir()}
    for path in written:
        assert path.read_text("utf-8") == (COMMITTED / path.name).read_text("utf-8"), (
            f"{path.name} is not what the classes say: run python -m schemas.export"
        )


def test_documents_name_no_machine() -> None:
    for path in COMMITTED.iterdir():
        text = path.read_text("utf-8").replace("https://json-schema.org/draft/2020-12/schema", "")
        assert not re.search(r"https?://|localhost|127\.0\.0\.1|/(work|home|tmp|root|Users)/", text)


@pytest.mark.parametrize("kind", KINDS)
def test_json_schema_is_one(kind: str) -> None:
    schema = json_schemas()[kind]
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == " / ".join(KINDS[kind].title)
    for definition in schema["$defs"].values():
        assert definition["description"]
        for name, field in definition["properties"].items():
            assert re.search("[一-鿿]", field["title"]), name
            assert re.search(r" / [a-z]", field["title"]), name


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for inner in node.values():
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)


def _resolved(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        document = document[step]
    return document


@pytest.mark.parametrize("document", [asyncapi(), *json_schemas().values()])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(_references(document))
    assert references
    for reference in references:
        assert _resolved(document, reference)


class TestAsyncapi:
    """The parts that AsyncAPI 3.1 asks for, and what readers of this document rely on."""

    DOCUMENT = asyncapi()

    def test_head(self) -> None:
        assert self.DOCUMENT["asyncapi"] == "3.1.0"
        assert {"title", "version"} <= set(self.DOCUMENT["info"])
        allowed = {"asyncapi", "id", "info", "defaultContentType", "channels", "operations"}
        assert set(self.DOCUMENT) == allowed | {"components", "x-refusals"}

    def test_every_topic_is_a_channel(self) -> None:
        channels = self.DOCUMENT["channels"].values()
        assert [c["address"] for c in channels] == [s.name for s in specs()]
        for channel, spec in zip(channels, specs(), strict=True):
            kafka = channel["bindings"]["kafka"]
            assert kafka["topic"] == spec.name
            assert kafka["partitions"] == spec.partitions
            assert kafka["topicConfiguration"]["retention.ms"] == -1
            assert channel["title"]
            assert channel["description"]

    def test_pipeline_receives_events_and_sends_the_rest(self) -> None:
        operations = self.DOCUMENT["operations"].values()
        actions: dict[str, set[str]] = {"send": set(), "receive": set()}
        for operation in operations:
            channel = _resolved(self.DOCUMENT, operation["channel"]["$ref"])
            actions[operation["action"]].add(channel["address"])
        ours = {spec.name for spec in specs()} - set(RAW)
        assert actions == {"receive": {*RAW, JOURNAL}, "send": ours}

    @pytest.mark.parametrize("kind", KINDS)
    def test_message_of_a_kind(self, kind: str) -> None:
        message = self.DOCUMENT["components"]["messages"][kind]
        assert message["contentType"] == "application/json"
        assert message["bindings"]["kafka"]["key"]["pattern"] == "^[0-9a-f]{32}$"
        assert "timestamp" in message["description"]
        payload = {"$ref": f"#/components/messages/{kind}/payload", **self.DOCUMENT}
        validator = Draft202012Validator(payload)
        for example in ALL:
            if example.kind == kind and not example.refused:
                validator.validate(json.loads(example.text))
        assert not validator.is_valid({"kind": kind})

    def test_refusal_codes(self) -> None:
        refusals = self.DOCUMENT["x-refusals"]
        assert [refusal["code"] for refusal in refusals] == list(Code)
        assert all(refusal["mend"] and refusal["mend_zh"] for refusal in refusals)
        header = self.DOCUMENT["components"]["messages"]["rejected"]["headers"]
        assert header["properties"]["refusal"]["properties"]["code"]["enum"] == list(Code)


class TestReadme:
    """Its tables are the contract's, and what it points to is there."""

    TEXT = README.read_text("utf-8")

    def test_tables_are_today_s(self) -> None:
        assert with_tables(self.TEXT) == self.TEXT, "run python -m schemas.export"
        for name in tables():
            assert f"<!-- table: {name} -->" in self.TEXT

    def test_relative_links_lead_somewhere(self) -> None:
        for target in re.findall(r"\]\((?!http|#)([^)]+)\)", self.TEXT):
            assert (FOLDER / target).exists(), target
