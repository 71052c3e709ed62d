"""Delivery's pure parts: what is news, what goes when, what is said, how it is signed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from consumers.delivery import signing
from consumers.delivery.history import Change, History
from consumers.delivery.http import Poster
from consumers.delivery.messages import HOLD, alertmanager_alert, message_id, text
from consumers.delivery.outcomes import Away, Refused
from consumers.delivery.queue import LAST_TRY, LONGEST_PAUSE, Queue
from consumers.delivery.receivers import Receiver, ReceiverError
from consumers.delivery.senders import sender
from consumers.delivery.service import try_out
from pipeline.settings import SettingsError, load
from tests.integration.receiving import Receiver as Server
from tests.integration.receiving import alert

EVERY = ("info", "warning", "critical")


def told(*states: str) -> list[str]:
    """Keys of what is told of one episode that comes to these states."""
    history, start = History(), datetime(2026, 3, 1, tzinfo=UTC)
    changes = (
        history.add(alert(1, state=state, at=start + timedelta(hours=n)))
        for n, state in enumerate(states)
    )
    return [change.key.partition("-")[2] for change in changes if change is not None]


class TestHistory:
    @pytest.mark.parametrize(
        ("states", "wanted"),
        [
            (("pending",), []),
            (("pending", "firing", "resolved"), ["firing", "resolved"]),
            (("pending", "withdrawn"), []),
            (("withdrawn",), ["withdrawn"]),
            (("firing", "firing", "resolved", "resolved"), ["firing", "resolved"]),
            (("firing", "resolved", "withdrawn"), ["firing", "resolved", "withdrawn"]),
            (("firing", "withdrawn", "firing"), ["firing", "withdrawn", "firing-2"]),
            (("firing", "pending", "resolved"), ["firing", "resolved"]),
        ],
    )
    def test_one_episode(self, states: tuple[str, ...], wanted: list[str]) -> None:
        assert told(*states) == wanted

    def test_a_batch_written_twice_is_told_once(self) -> None:
        history = History()
        batch = [alert(1), alert(1, state="resolved")]
        assert [history.add(one) is not None for one in (*batch, *batch)] == [
            True,
            True,
            False,
            False,
        ]

    def test_what_fires_is_what_began_and_has_not_ended(self) -> None:
        history = History()
        for one in (alert(1), alert(2), alert(1, state="withdrawn"), alert(3, state="pending")):
            history.add(one)
        assert set(history.firing) == {f"{2:032x}"}

    @given(st.lists(st.sampled_from(["pending", "firing", "resolved", "withdrawn"]), max_size=12))
    def test_keys_are_never_used_twice_and_ends_follow_beginnings(self, states: list[str]) -> None:
        keys = told(*states)
        assert len(keys) == len(set(keys))
        assert all(not key.startswith("pending") for key in keys)


def queue(**given: Any) -> Queue:
    return Queue(EVERY, **{"gather": 2.0, "pause": 10.0, "most": 3, **given})


def fill(queue: Queue, number: int, now: float = 0.0) -> None:
    for n in range(number):
        queue.add(alert(n), "p", n, now)


class TestQueue:
    def test_the_first_waits_for_others_and_a_full_message_does_not(self) -> None:
        some = queue()
        assert some.due() is None
        fill(some, 2)
        assert some.due() == 2.0
        some.add(alert(9), "p", 9, 0.5)
        assert some.due() <= 0.5

    def test_a_pause_lies_between_two_messages(self) -> None:
        some = queue()
        fill(some, 5)
        some.delivered(len(some.next_message()), now=4.0)
        assert some.due() == 14.0
        assert len(some.next_message()) == 2

    def test_pauses_grow_and_a_receiver_may_ask_for_longer_ones(self) -> None:
        some = queue(gather=0.0)
        fill(some, 1)
        pauses = []
        for now in range(0, 1000, 100):
            some.away(float(now))
            pauses.append(some.due() - now)
        assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
        assert pauses[-1] == LONGEST_PAUSE
        some.away(0.0, retry_after=120.0)
        assert some.due() == 120.0
        some.delivered(1, 0.0)
        fill(some, 1)
        some.away(0.0)
        assert len(some.waiting) == 0

    def test_a_refused_message_is_taken_apart_and_one_alert_set_aside_at_last(self) -> None:
        some = queue()
        fill(some, 3)
        assert some.refused(0.0) is None
        assert len(some.next_message()) == 1
        asides = [some.refused(0.0) for _ in range(LAST_TRY)]
        assert asides[:-1] == [None] * (LAST_TRY - 1)
        assert asides[-1] is not None
        assert asides[-1].offset == 0
        assert [one.offset for one in some.next_message()] == [1, 2]

    def test_offsets_move_only_past_what_was_taken(self) -> None:
        some = queue()
        fill(some, 4)
        assert some.settled({"p": 4, "q": 7}) == {"p": 0, "q": 7}
        some.delivered(3, 0.0)
        assert some.settled({"p": 4}) == {"p": 3}
        some.delivered(1, 0.0)
        assert some.settled({"p": 4}) == {"p": 4}

    def test_an_end_goes_to_whoever_was_told_of_the_beginning(self) -> None:
        some = Queue(("critical",), gather=0.0, pause=0.0, most=9)
        some.add(alert(1), "p", 0, 0.0)
        some.add(alert(1, state="resolved", severity="info"), "p", 1, 0.0)
        some.add(alert(2, severity="info"), "p", 2, 0.0)
        some.add(alert(2, state="resolved", severity="critical"), "p", 3, 0.0)
        assert [one.offset for one in some.waiting] == [0, 1]

    def test_what_waits_is_not_said_again(self) -> None:
        some = queue()
        fill(some, 2)
        some.delivered(1, 0.0)
        assert [one.alert.id for one in some.firing_told()] == [alert(0).id]


def change(**given: Any) -> Change:
    one = alert(1, **given)
    return Change(f"{one.id}-{one.state}", one, alert(1))


class TestMessages:
    def test_the_same_message_has_the_same_id_and_no_full_stop(self) -> None:
        one, other = change(), change(state="resolved")
        assert message_id([one]) == one.key
        assert message_id([one, other]) == message_id([one, other]) != message_id([other, one])
        assert "." not in message_id([one, other])

    def test_alertmanager_s_labels_are_those_of_the_beginning(self) -> None:
        now = datetime(2026, 3, 5, tzinfo=UTC)
        began = alert(1, at=now - timedelta(days=2))
        ended = alert(1, at=now - timedelta(hours=1), state="resolved", severity="info")
        firing = alertmanager_alert(Change("a", began, began), now)
        over = alertmanager_alert(Change("b", ended, began), now)
        assert firing["labels"] == over["labels"]
        assert firing["startsAt"] == over["startsAt"] == began.at.isoformat()
        assert firing["endsAt"] == (now + HOLD).isoformat()
        assert over["endsAt"] == ended.at.isoformat()

    def test_an_end_dated_ahead_is_an_end_now(self) -> None:
        now = datetime(2026, 3, 5, tzinfo=UTC)
        ended = alert(1, at=now + timedelta(minutes=3), state="resolved")
        assert (
            alertmanager_alert(Change("a", ended, alert(1, at=now)), now)["endsAt"]
            == now.isoformat()
        )

    @given(st.integers(1, 60), st.integers(160, 3000), st.sampled_from(["zh", "en", "both"]))
    def test_a_text_fits_and_tells_of_every_alert(self, n: int, most: int, language: str) -> None:
        title, body = text([change(id=f"{k:032x}") for k in range(n)], language, most)
        assert len(f"{title}\n{body}".encode()) <= most
        told = [part for part in body.split("\n\n") if "9" in part and "另有" not in part]
        last = body.rpartition("\n\n")[2]
        rest = re.search(r"(?:另有 |and )(\d+)", last)
        shown = [part for part in told if not part.startswith("and ")]
        assert len(shown) + (int(rest[1]) if rest else 0) == n

    def test_the_worst_comes_first(self) -> None:
        calm = change(severity="info", summary_zh="小事", id="a" * 32)
        over = change(state="resolved", summary_zh="已过", id="b" * 32)
        body = text([calm, over, change(summary_zh="大事")], "zh", 9999).body
        assert body.index("大事") < body.index("小事") < body.index("已过")


class TestSigning:
    def test_the_specification_s_own_example(self) -> None:
        key = signing.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        signed = signing.headers(
            key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
        )
        assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_what_is_old_changed_or_of_another_key_is_not_genuine(self) -> None:
        key, body = b"k" * 32, b"{}"
        signed = signing.headers(key, "m", 1000, body)
        assert signing.verified(key, signed, body, now=1299.0)
        assert not signing.verified(key, signed, body, now=1301.0)
        assert not signing.verified(key, signed, body, now=699.0)
        assert not signing.verified(b"j" * 32, signed, body, now=1000.0)
        assert not signing.verified(key, {**signed, "webhook-id": "n"}, body, now=1000.0)
        assert not signing.verified(key, {}, body, now=1000.0)

    @pytest.mark.parametrize("secret", ["whsec_***", "short", "whsec_eA=="])
    def test_a_weak_secret_is_refused(self, secret: str) -> None:
        with pytest.raises(ValueError, match="secret"):
            signing.key_of(secret)


class TestPoster:
    @pytest.mark.parametrize(
        ("status", "error"),
        [(301, Away), (307, Away), (401, Away), (404, Away), (429, Away), (503, Away),
         (400, Refused), (413, Refused), (422, Refused)],
    )  # fmt: skip
    def test_what_an_answer_means(self, status: int, error: type[Exception]) -> None:
        with Server(lambda _: (status, b"")) as server, pytest.raises(error, match=str(status)):
            Poster(5).post(server.url, b"{}", {})

    def test_a_receiver_that_hangs_or_is_none_is_away(self) -> None:
        with Server() as server:
            url = server.url
        with pytest.raises(Away):
            Poster(5).post(url, b"{}", {})


class TestSettings:
    def write(self, folder: Path, table: str) -> Path:
        (folder / "popflow.toml").write_text(table, "utf-8")
        return folder

    def test_receivers_are_tables_and_pass_through_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = (
            '[receivers.duty]\nkind = "webhook"\nurl = "http://127.0.0.1/"\nsecret_file = "s"\n'
            'severities = ["critical"]\n'
        )
        chosen = load(self.write(tmp_path, table))
        assert chosen.receivers["duty"].severities == ("critical",)
        for name, value in chosen.environment().items():
            monkeypatch.setenv(name, value)
        assert load() == chosen

    @pytest.mark.parametrize(
        ("table", "told"),
        [
            ('kind = "webhok"', "webhok"),
            ('kind = "webhook"\nurl = "ftp://x"\nsecret_file = "s"', "receivers.duty.webhook.url"),
            ('kind = "webhook"\nurl = "http://x"', "secret_file"),
            ('kind = "alertmanager"\nurls = []', "urls"),
            ('kind = "apprise"\nurl_file = "u"\nlanguage = "fr"', "language"),
            ('kind = "apprise"\nurl_file = "u"\nseverities = []', "severities"),
            ('kind = "apprise"\nurl_fil = "u"', "url_fil"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, table: str, told: str) -> None:
        with pytest.raises(SettingsError, match=told):
            load(self.write(tmp_path, f"[receivers.duty]\n{table}\n"))

    @pytest.mark.parametrize(
        ("written", "told"),
        [(None, "cannot be read"), ("", "is empty"), ("short", "24 bytes"), ("whsec_*", "Base64")],
    )
    def test_a_secret_that_cannot_be_used_is_named_not_shown(
        self, tmp_path: Path, written: str | None, told: str
    ) -> None:
        if written is not None:
            (tmp_path / "s").write_text(written)
        table = {"kind": "webhook", "url": "http://127.0.0.1/", "secret_file": "s"}
        with pytest.raises(ReceiverError, match=f"receiver duty: .*{told}") as raised:
            sender("duty", TypeAdapter(Receiver).validate_python(table), tmp_path)
        assert not written or written not in str(raised.value)

    def test_a_name_that_no_group_could_have_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises((SettingsError, ValidationError)):
            load(
                self.write(
                    tmp_path, '[receivers."Duty 1"]\nkind = "alertmanager"\nurls = ["http://x"]'
                )
            )

    def test_trying_a_receiver_sends_it_one_message_that_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_text("k" * 32)
        with Server() as server:
            table = {"kind": "webhook", "url": server.url, "secret_file": "s"}
            duty = TypeAdapter(Receiver).validate_python(table)
            try_out("duty", {"duty": duty}, tmp_path)
            (request,) = server.taken
        assert request.document["alerts"][0]["monitor"] == "trial"
        with pytest.raises(ReceiverError, match=r"no receiver night: .* duty"):
            try_out("night", {"duty": duty}, tmp_path)
