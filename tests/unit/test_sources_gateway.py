"""The HTTP gateway without a network: cases, tokens, receipts, limits, its document."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from producers.sources.gateway import explained, split, take
from producers.sources.gateway_http import HttpError
from producers.sources.gateway_limits import Answers, Buckets
from producers.sources.gateway_openapi import openapi
from producers.sources.gateway_page import PAGE, SCRIPT
from producers.sources.gateway_receipts import ReceiptKeyError, Signer, is_genuine
from producers.sources.gateway_tokens import TokenError, TokenFile
from tests.sources.deaths import death, written
from tests.sources.edge import ON, cases

CASES = cases("gateway")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    raw = written(case)
    taken = take(raw, "health.h7", ON)
    if case["outcome"] == "accepted":
        assert taken.refusal is None
        assert taken.ready is not None
        assert taken.ready.value == raw, "the very bytes that were sent"
        return
    assert taken.ready is None
    said = explained(taken.refusal)
    assert said["code"] == case["outcome"]
    assert said["mend"]
    assert said["mend_zh"]
    assert "3205021950" not in json.dumps(said)


class TestSplit:
    def test_the_bytes_of_each_event_stay_what_they_are(self) -> None:
        one, two = b'{"a": 1,  "a":2}', b'{ "b" :1.0 }'
        assert split(b" [" + one + b" , " + two + b"]\n", lines=False) == [one, two]
        assert split(one + b"\r\n\n" + two, lines=True) == [one, two]
        assert split(b"\n" + one + b" ", lines=False) == [one]

    @pytest.mark.parametrize("body", [b"", b"  \n", b"[]", b"[1,", b"[\xff]", b"[" * 100_000])
    def test_nothing_to_take(self, body: bytes) -> None:
        with pytest.raises(HttpError) as raised:
            split(body, lines=False)
        assert raised.value.status == 400

    def test_too_many(self) -> None:
        with pytest.raises(HttpError) as raised:
            split(b"1\n" * 10_001, lines=True)
        assert raised.value.status == 413


class TestTokens:
    def test_a_token_is_its_publisher_s(self, tmp_path: Path) -> None:
        file = TokenFile(tmp_path / "a/tokens.json")
        assert file.holder("popflow_00000000_x") is None
        mine, other = file.add("health.h7"), file.add("police.permits")
        again = TokenFile(tmp_path / "a/tokens.json")
        assert again.holder(mine) == "health.h7"
        assert again.holder(other) == "police.permits"
        for wrong in (
            "",
            mine[:-1],
            mine + "x",
            mine.upper(),
            "é",
            "\udcff",
            other[:16] + mine[16:],
        ):
            assert again.holder(wrong) is None

    def test_only_hashes_are_kept(self, tmp_path: Path) -> None:
        file = TokenFile(tmp_path / "tokens.json")
        token = file.add("health.h7")
        kept = (tmp_path / "tokens.json").read_text()
        assert token.rpartition("_")[2] not in kept
        assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600

    def test_a_revoked_token_is_nobody_s_at_once(self, tmp_path: Path) -> None:
        gateway = TokenFile(tmp_path / "tokens.json")
        first, second = gateway.add("health.h7"), gateway.add("health.h7")
        desk = TokenFile(tmp_path / "tokens.json")
        assert [one.id for one in desk.revoke(first.split("_")[1])] == [first.split("_")[1]]
        assert gateway.holder(first) is None
        assert gateway.holder(second) == "health.h7"
        assert len(desk.revoke("health.h7")) == 1
        assert gateway.holder(second) is None
        with pytest.raises(TokenError, match="popflow gateway token list"):
            desk.revoke("health.h7")

    def test_names_and_files_that_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(TokenError, match=r"<sector>\.<name>"):
            TokenFile(tmp_path / "tokens.json").add("hospital")
        (tmp_path / "tokens.json").write_text('{"tokens": 3}')
        with pytest.raises(TokenError, match="is no file of tokens"):
            TokenFile(tmp_path / "tokens.json").all()


class TestReceipts:
    def test_what_was_changed_is_not_genuine(self, tmp_path: Path) -> None:
        signer = Signer.from_file(tmp_path / "gateway/receipt.key")
        receipt = signer.sign({"source": "health.h7", "events": [{"record_id": "张"}]})
        assert is_genuine(receipt, signer.jwk)
        assert is_genuine(json.loads(json.dumps(receipt)), signer.jwk)
        assert not is_genuine({**receipt, "source": "health.h8"}, signer.jwk)
        assert not is_genuine({**receipt, "signature": receipt["signature"][:-4]}, signer.jwk)
        other = Signer.from_file(tmp_path / "other.key")
        assert not is_genuine(receipt, other.jwk)
        assert Signer.from_file(tmp_path / "gateway/receipt.key").jwk == signer.jwk
        assert stat.S_IMODE((tmp_path / "gateway/receipt.key").stat().st_mode) == 0o600

    def test_a_file_that_is_no_key(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("no key")
        with pytest.raises(ReceiptKeyError, match="is no Ed25519 key"):
            Signer.from_file(tmp_path / "key")


class TestLimits:
    def test_a_bucket_fills_again(self) -> None:
        now = [0.0]
        buckets = Buckets(10.0, 20.0, lambda: now[0])
        assert buckets.seconds_until("a", 20) == 0
        buckets.take("a", 20)
        assert buckets.seconds_until("a", 5) == pytest.approx(0.5)
        assert buckets.seconds_until("b", 20) == 0
        now[0] = 0.5
        assert buckets.seconds_until("a", 5) == 0
        now[0] = 100.0
        assert buckets.seconds_until("a", 500) == 0, "more than fits comes when it is full"
        buckets.take("a", 500)
        assert buckets.seconds_until("a", 1) == pytest.approx(48.1)

    def test_answers_are_forgotten_the_oldest_first(self) -> None:
        answers = Answers(most=2, most_bytes=100)
        for name in "abc":
            answers.begin("health.h7", name, b"f")
            answers.keep("health.h7", name, 202, b"x")
        assert answers.find("health.h7", "a") is None
        assert answers.find("health.h7", "c") is not None
        assert answers.find("health.h8", "c") is None
        answers.begin("health.h7", "d", b"f")
        answers.keep("health.h7", "d", 202, b"x" * 100)
        assert answers.find("health.h7", "c") is None


def test_document_describes_what_is_sent() -> None:
    document = openapi(1 << 20, 10_000)
    assert document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]
    validator = jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/Event", "components": {"schemas": schemas}}
    )
    validator.validate(death())
    assert not validator.is_valid(death(sex="3"))
    references = json.dumps(document)
    for name in schemas:
        assert f'"#/components/schemas/{name}"' in references, f"{name} is used"
    for found in set(json.dumps(document).split('"$ref": "')[1:]):
        target = found.partition('"')[0].removeprefix("#/")
        node: Any = document
        for step in target.split("/"):
            node = node[step]


def test_page_needs_nothing_from_elsewhere() -> None:
    assert "://" not in PAGE
    assert "://" not in SCRIPT
    assert "innerHTML" not in SCRIPT
