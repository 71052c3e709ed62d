"""Alerts as people get them: the services' own forms, on the wire, and their word for taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from pydantic import TypeAdapter

from consumers.delivery.history import Change
from consumers.delivery.outcomes import Away
from consumers.delivery.receivers import Receiver, ReceiverError
from consumers.delivery.senders import Sender, sender
from tests.integration.offices import Chats, Mail
from tests.integration.receiving import alert


def changes(number: int = 1, **given: Any) -> list[Change]:
    alerts = [alert(n, **given) for n in range(number)]
    return [Change(f"{one.id}-{one.state}", one, one) for one in alerts]


@pytest.fixture
def chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chats]:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    with Chats(authority) as chats:
        monkeypatch.setenv("HTTPS_PROXY", chats.url)
        monkeypatch.setenv("https_proxy", chats.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        yield chats


def people(folder: Path, url: str, **given: Any) -> Sender:
    (folder / "url").write_text(url)
    written = {"kind": "apprise", "url_file": "url", **given}
    return sender("office", TypeAdapter(Receiver).validate_python(written), folder)


def test_wecom_gets_one_text_that_fits_and_its_refusals_are_noticed(
    chats: Chats, tmp_path: Path
) -> None:
    host = "qyapi.weixin.qq.com"
    chats.answers[host] = [{"errcode": 45009, "errmsg": "api freq out of limit"}, {"errcode": 0}]
    office = people(tmp_path, "wecombot://0f0e0d0c-key")
    with pytest.raises(Away, match="errcode 45009"):
        office.send(changes(100))
    office.send(changes(100))
    refused, (_, path, document) = chats.posted
    assert refused[0] == host
    assert path == "/cgi-bin/webhook/send?key=0f0e0d0c-key"
    assert document["msgtype"] == "text"
    content = document["text"]["content"]
    assert len(content.encode()) <= 2048
    assert "告警 100" in content
    assert "另有 9" in content, "what does not fit is counted"
    assert "昆山流动人口服务管理率 98.00 %，低于 99 %" in content


def test_dingtalk_gets_a_signature_that_its_rule_accepts(chats: Chats, tmp_path: Path) -> None:
    host = "oapi.dingtalk.com"
    chats.answers[host] = [{"errcode": 310000, "errmsg": "sign not match"}]
    office = people(tmp_path, "dingtalk://SECsecret@abcdef0123/", language="zh")
    with pytest.raises(Away, match="errcode 310000"):
        office.send(changes())
    office.send(changes(state="withdrawn"))
    _, (_, path, document) = chats.posted
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    signed = f"{query['timestamp']}\nSECsecret".encode()
    digest = hmac.new(b"SECsecret", signed, hashlib.sha256).digest()
    assert query["sign"] == base64.b64encode(digest).decode()
    assert query["access_token"] == "abcdef0123"
    assert "撤回（迟到数据可解释）" in document["text"]["content"]
    assert "withdrawn" not in document["text"]["content"]


def test_feishu_is_told_and_believed_when_it_refuses(chats: Chats, tmp_path: Path) -> None:
    chats.answers["open.feishu.cn"] = [{"code": 9499, "msg": "Bad Request"}]
    office = people(tmp_path, "feishu://token-0123", language="en")
    with pytest.raises(Away):
        office.send(changes())
    office.send(changes())
    _, (_, path, document) = chats.posted
    assert path.strip("/").endswith("hook/token-0123")
    assert "the management rate of Kunshan is 98.00 %" in document["content"]["text"]


def test_mail_has_a_subject_the_figures_the_work_list_and_the_runbook(tmp_path: Path) -> None:
    with Mail() as mail:
        url = f"mailto://127.0.0.1:{mail.port}?from=popflow@suzhou.example&to=duty@suzhou.example"
        people(tmp_path, url).send(changes(late_reporting_could_explain=True))
    (message,) = mail.messages
    assert message["to"] == "duty@suzhou.example"
    assert message["subject"] == "[popflow] 严重告警 critical, firing"
    text = message.get_body(("plain", "html")).get_content()
    for said in (
        "980,000 / 1,000,000",
        "[97.97, 98.03]",
        "99.8 %",
        "2026-03-01",
        "迟报可能是原因",
        "population.people",
        "deploy/runbooks/management_rate_level.md",
    ):
        assert said in text


def test_a_mail_server_that_is_away_is_no_loss(tmp_path: Path) -> None:
    with Mail() as mail:
        url = f"mailto://127.0.0.1:{mail.port}?from=popflow@suzhou.example&to=duty@suzhou.example"
    with pytest.raises(Away):
        people(tmp_path, url).send(changes())


def test_a_url_that_is_none_is_told_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(ReceiverError, match="holds no Apprise URL") as raised:
        people(tmp_path, "nothing://secret-token")
    assert "secret-token" not in str(raised.value)
