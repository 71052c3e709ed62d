"""Identity numbers at scale, builders of events, keys and their change."""

from __future__ import annotations

import hashlib
import hmac
import logging
import random
import stat
import traceback
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from producers.building import Desk
from producers.delivery import RefusedError
from producers.keys import (
    ENVIRONMENT,
    Algorithm,
    Key,
    KeyFileError,
    create_key_file,
    read_keys,
    rotate_key_file,
)
from producers.kit import as_json
from producers.pseudonyms import (
    Document,
    Domain,
    IdentityError,
    Pseudonymizer,
    RecordIdError,
    canonical_id,
    normalised_citizen_number,
)
from schemas.districts import PROVINCES
from schemas.identity import check_digit
from schemas.reading import read
from tests.contract.support import LEGAL

SECRET = bytes(range(32))
LEGAL_NUMBERS = yaml.safe_load(
    (Path(__file__).parents[1] / "cases" / "legal_numbers.yaml").read_text("utf-8")
)
NUMBERS = 100_000


def test_check_digits_of_random_numbers_agree_with_stdnum() -> None:
    dice = random.Random(11643)
    provinces, first = sorted(PROVINCES), date(1900, 1, 1)
    for _ in range(NUMBERS):
        day = first + timedelta(days=dice.randrange(45_000))
        place = f"{dice.choice(provinces)}{dice.randrange(10_000):04}"
        first17 = f"{place}{day:%Y%m%d}{dice.randrange(1_000):03}"
        digit = ric.calc_check_digit(first17 + "0")
        assert check_digit(first17) == digit
        number = first17 + digit
        assert normalised_citizen_number(number) == number


def test_every_wrong_check_digit_is_found() -> None:
    for digit in "0123456789X":
        if digit != LEGAL[17]:
            with pytest.raises(IdentityError, match="check digit"):
                normalised_citizen_number(LEGAL[:17] + digit)


@pytest.mark.parametrize("legal", LEGAL_NUMBERS, ids=lambda one: one["why"].split(" / ")[1])
def test_legal_numbers_that_stdnum_refuses_are_taken(legal: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ric.validate(legal["number"])
    assert normalised_citizen_number(legal["number"]) == legal["number"]
    assert len(Pseudonymizer(SECRET).citizen(legal["number"])) == 32


def test_fifteen_digits_of_a_woman_born_before_2000_are_the_same_person() -> None:
    under = Pseudonymizer(SECRET)
    assert under.citizen("320502500615001") == under.citizen(LEGAL)


# -- keys


def test_sm3_is_the_hash_of_the_national_standard() -> None:
    """HMAC-SM3 from the definition of HMAC (RFC 2104) over hashlib's SM3, block of 64 bytes."""
    inner = hashlib.new("sm3", bytes(b ^ 0x36 for b in SECRET.ljust(64, b"\0")))
    inner.update(b"id:" + LEGAL.encode())
    outer = hashlib.new("sm3", bytes(b ^ 0x5C for b in SECRET.ljust(64, b"\0")))
    outer.update(inner.digest())
    key = Key(SECRET, "sm", Algorithm.SM3)
    assert Pseudonymizer(key).citizen(LEGAL) == outer.hexdigest()[:32]


def test_domains_keep_equal_numbers_apart() -> None:
    under = Pseudonymizer(SECRET)
    numbers = {domain: under.of(Document(domain, "E12345678")) for domain in list(Domain)[1:]}
    assert len(set(numbers.values())) == len(numbers)
    expected = hmac.digest(SECRET, b"travel-permit:H12345678", hashlib.sha256).hex()[:32]
    assert under.of(Document(Domain.TRAVEL_PERMIT, "h 1234-5678")) == expected


def test_a_new_key_stands_beside_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "city.key"
    old = create_key_file(path)
    was = Pseudonymizer.from_file(path).citizen(LEGAL)
    new, kept = rotate_key_file(path, "2026", algorithm=Algorithm.SM3)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(path) == (new, kept)
    assert (kept, new.algorithm) == (old, Algorithm.SM3)
    under = Pseudonymizer.from_file(path)
    assert under.key.id == "2026"
    assert under.citizen(LEGAL) != was
    (earlier,) = under.earlier
    assert earlier.citizen(LEGAL) == was
    with pytest.raises(KeyFileError, match="has a key 2026 already"):
        rotate_key_file(path, "2026")
    assert new.check_value != kept.check_value
    assert new.check_value not in new.secret.hex()


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(KeyFileError, match=f"set {ENVIRONMENT}"):
        Pseudonymizer.from_environment()
    path = tmp_path / "city.key"
    create_key_file(path)
    monkeypatch.setenv(ENVIRONMENT, str(path))
    assert Pseudonymizer.from_environment().citizen(LEGAL)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        (f"a b {'00' * 32}", "line 1: the algorithm is none of hmac-sha256, hmac-sm3"),
        (f"a {'00' * 32}", "line 1: write ID ALGORITHM HEXDIGITS"),
        (f"a? hmac-sm3 {'00' * 32}", "line 1: A key's id is"),
        (f"a hmac-sm3 {'00' * 32}\n" * 2, "two keys of one id"),
        ("a hmac-sm3 zz", "does not hold hex digits"),
        ("密", "is no text in ASCII"),
    ],
)
def test_key_files_that_cannot_be_used(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "city.key"
    path.write_text(text, "utf-8")
    with pytest.raises(KeyFileError) as caught:
        read_keys(path)
    assert told in str(caught.value)
    assert "00" * 32 not in str(caught.value)


# -- nothing shows a number or a key


def test_no_message_repr_log_or_frame_shows_a_number_or_a_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = LEGAL[:17] + "7"
    under = Pseudonymizer(SECRET)
    desk = Desk("health.a", under)
    calls: list[Any] = [
        lambda number: under.citizen(number),
        lambda number: under.of(Document(Domain.CITIZEN, number)),
        normalised_citizen_number,
        lambda number: desk.death("D1", number, **DEATH),
        lambda number: canonical_id("", number),
    ]
    for call in calls:
        with pytest.raises((IdentityError, RecordIdError)) as caught:
            call(wrong)
        with caplog.at_level(logging.DEBUG):
            logging.getLogger(__name__).error("it failed", exc_info=caught.value)
        ours = [
            frame
            for frame in traceback.TracebackException.from_exception(
                caught.value, capture_locals=True
            ).stack
            if "/producers/" in frame.filename
        ]
        assert ours
        for text in (str(caught.value), repr(caught.value), caplog.text, str(ours)):
            assert wrong not in text
        for frame in ours:
            assert wrong not in str(frame.locals), f"{frame.name} still holds it"
    assert SECRET.hex() not in repr(under) + repr(under.key) + repr(Document(Domain.CITIZEN, LEGAL))
    assert LEGAL not in repr(Document(Domain.CITIZEN, LEGAL))


# -- builders

DEATH: dict[str, Any] = {
    "died_on": date(2016, 3, 5),
    "district": "320583",
    "residency": "hukou",
    "sex": "2",
}
BIRTH: dict[str, Any] = {
    "born_on": date(2016, 3, 5),
    "district": "320508",
    "residency": "hukou",
    "sex": "1",
}
DISCHARGE: dict[str, Any] = {
    "admitted_on": date(2016, 3, 1),
    "discharged_on": date(2016, 3, 5),
    "facility": "H7",
    "facility_district": "320508",
    "district": "320508",
    "residency": "visitor",
    "outcome": "5",
    "diagnoses": ["I10"],
    "scheme": "none",
    "total_fen": 1,
    "in_policy_fen": 1,
    "fund_fen": 0,
}


def test_builders_of_the_five_kinds_give_what_intake_accepts() -> None:
    desk = Desk("health.a", Pseudonymizer(SECRET))
    birth = desk.birth(" t320 000001", mother=LEGAL, household="H1", **BIRTH)
    assert birth.record_id == "T320000001"
    assert birth.person == desk.pseudonyms.birth_certificate("T320000001")
    events = [
        birth,
        desk.death("D1", Document(Domain.BIRTH_CERTIFICATE, "T320000001"), **DEATH),
        desk.move(
            "M1",
            LEGAL,
            moved_on=date(2016, 3, 5),
            from_district="000000",
            to_district="320508",
            residency="migrant",
        ),
        desk.permit(
            "P1",
            "2",
            LEGAL,
            action="endorse",
            effective_on=date(2016, 3, 5),
            district="320508",
            valid_until=date(2017, 3, 4),
        ),
        desk.discharge("h7", "2016-1", "1", Document(Domain.PASSPORT, "E1"), **DISCHARGE),
    ]
    assert [event.record_id for event in events] == [
        "T320000001",
        "D1",
        "M1",
        "P1/2",
        "H7/2016-1/1",
    ]
    assert events[1].person == birth.person, "a child that died is the child that was born"
    for event in events:
        raw = as_json(event)
        assert read(raw) == event
        assert LEGAL.encode() not in raw
        void = desk.withdraw(event)
        assert (void.void, void.revision, void.record_id) == (True, 2, event.record_id)
        assert read(as_json(void)) == void


def test_builders_refuse_what_intake_would_refuse() -> None:
    desk = Desk("health.a", Pseudonymizer(SECRET))
    with pytest.raises(RefusedError, match="unknown_district"):
        desk.birth("T1", mother=LEGAL, **{**BIRTH, "district": "320500"})
    with pytest.raises(RefusedError, match="impossible_date"):
        desk.death("D1", LEGAL, **{**DEATH, "died_on": date(2099, 1, 1)})
    with pytest.raises(RefusedError, match="schema"):
        desk.birth("T1", mother=LEGAL, **{**BIRTH, "sex": "3"})
    with pytest.raises(RefusedError, match="plain_identity"):
        desk.discharge("H7", "1", "1", LEGAL, **{**DISCHARGE, "facility": LEGAL})


def test_record_numbers_are_written_as_everybody_writes_them() -> None:
    under = Pseudonymizer(SECRET)
    assert canonical_id("ｔ32 0-1", "２") == "T320-1/2"
    assert canonical_id(LEGAL, pseudonyms=under) == under.citizen(LEGAL)
    assert canonical_id("320502500615001", pseudonyms=under) == under.citizen(LEGAL)
    assert canonical_id("320502501315001", pseudonyms=under) == "320502501315001"
    for parts in [(LEGAL,), (f"R-{LEGAL}-1",), ("320502500615001",)]:
        with pytest.raises(RecordIdError, match="name the key file") as caught:
            canonical_id(*parts)
        assert LEGAL not in str(caught.value)
