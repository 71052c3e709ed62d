"""Intake's look at signatures and forgotten persons: nothing when unused, one outcome each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.batching import Batch
from pipeline.forgotten import digest_of
from pipeline.intake import Sorted
from pipeline.signatures import Keys
from producers.signing import KeyFileError, Signer, make_key, public_key
from schemas.refusals import Code
from schemas.signature import SIGNATURE_HEADER, key_id
from tests.contract.support import event, spelled
from tests.unit.test_intake import TOPIC, Record, intake

ADA = "a1" * 16
MINE, OTHER = "health.birth-certificates", "health.hospitals"
SOURCES = {MINE: 1, OTHER: 2}


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Signer, Signer, Keys]:
    """A signer of each source, and the registry of both."""
    signers, registered = [], {}
    for name in (MINE, OTHER):
        public = public_key(make_key(tmp_path / name))
        signers.append(Signer(tmp_path / name))
        registered[key_id(public)] = (name, public)
    return signers[0], signers[1], registered


def signed(signer: Signer, offset: int, topic: str = TOPIC, **changes: object) -> Record:
    value = spelled(event("birth", source=MINE, person=ADA, **changes))
    return Record(value, offset=offset, headers=tuple(signer(topic, value)))


def sort(records: list[Record], keys: Keys) -> Sorted:
    stage = intake()
    batch = Batch(TOPIC, 0, list(records))  # type: ignore[arg-type]
    return stage._signed_only(batch, stage.sort(batch, SOURCES), keys)


def codes(result: Sorted) -> dict[int, Code]:
    return {item.record.offset: item.refusal.code for item in result.refused}


def test_a_source_with_a_key_is_believed_what_it_signed(
    keys: tuple[Signer, Signer, Keys],
) -> None:
    mine, other, known = keys
    genuine = signed(mine, 0)
    altered = replace(signed(mine, 1), value=genuine.value.replace(b"320508", b"320509"))
    elsewhere = signed(mine, 2, topic="population.deaths.v1")
    unsigned = replace(signed(mine, 3), headers=())
    of_another = signed(other, 4)
    cut_short = replace(genuine, offset=5, headers=genuine.headers[:1])
    result = sort([genuine, altered, elsewhere, unsigned, of_another, cut_short], known)
    assert [item[3] for item in result.accepted] == [genuine.value]
    assert result.kinds == {("birth", MINE): 1}
    bad = dict.fromkeys((1, 2, 3, 5), Code.BAD_SIGNATURE)
    assert codes(result) == bad | {4: Code.SOURCE_MISMATCH}


def test_a_key_that_is_not_registered_and_a_source_without_one(
    keys: tuple[Signer, Signer, Keys],
) -> None:
    mine, other, known = keys
    only_other = {key: owner for key, owner in known.items() if owner[0] == OTHER}
    stranger, plain = signed(mine, 0), replace(signed(other, 1), headers=())
    result = sort([stranger, plain], only_other)
    assert codes(result) == {0: Code.BAD_SIGNATURE}
    assert len(result.accepted) == 1, "a source without a key need not sign"


def test_the_signature_comes_before_district_and_date_and_after_the_rest(
    keys: tuple[Signer, Signer, Keys],
) -> None:
    mine, other, known = keys
    late = replace(signed(other, 0, district="320599"), offset=0)
    dated = replace(signed(mine, 1, born_on="1850-01-01"), headers=())
    schema = replace(signed(mine, 2), value=b'{"kind": "birth"}')
    nobody = replace(
        signed(mine, 3), value=signed(mine, 3).value.replace(MINE.encode(), b"health.x")
    )
    result = sort([late, dated, schema, nobody], known)
    assert codes(result) == {
        0: Code.SOURCE_MISMATCH, 1: Code.BAD_SIGNATURE, 2: Code.SCHEMA, 3: Code.UNKNOWN_SOURCE,
    }  # fmt: skip
    assert not result.accepted
    assert not +result.kinds  # type: ignore[operator]


def test_a_right_signature_does_not_mend_a_wrong_date(keys: tuple[Signer, Signer, Keys]) -> None:
    mine, _, known = keys
    assert codes(sort([signed(mine, 0, born_on="1850-01-01")], known)) == {0: Code.IMPOSSIBLE_DATE}


def test_of_a_forgotten_person_nothing_is_kept() -> None:
    stage = intake()
    bob = "b2" * 16
    records = [
        Record(spelled(event("birth", person=person)), key=person.encode(), offset=offset)
        for offset, person in enumerate((ADA, bob, ADA))
    ]
    batch = Batch(TOPIC, 0, list(records))  # type: ignore[arg-type]
    known = frozenset({digest_of(ADA.encode())})
    result = stage._without_forgotten(batch, stage.sort(batch, SOURCES), known)
    assert [item[2] for item in result.accepted] == [bob.encode()]
    assert result.kinds == {("birth", MINE): 1}
    assert codes(result) == {0: Code.FORGOTTEN, 2: Code.FORGOTTEN}
    for item in result.refused:
        assert (item.key, item.value, item.purge) == (None, b"", True)


def test_keys_stay_with_their_owner(tmp_path: Path) -> None:
    public = make_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError, match="no key was made"):
        make_key(tmp_path / "key")
    public.chmod(0o600)
    with pytest.raises(KeyFileError, match="no Ed25519 key"):
        Signer(public)
    with pytest.raises(KeyFileError, match=r"\.pub"):
        public_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Signer(tmp_path / "key")
    with pytest.raises(KeyFileError, match="cannot be read"):
        Signer(tmp_path / "nothing")


def test_a_signature_is_bound_to_topic_and_bytes(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    sign = Signer(tmp_path / "key")
    made = {dict(sign(topic, value))[SIGNATURE_HEADER] for topic in "ab" for value in (b"x", b"y")}
    assert len(made) == 4
    assert sign("a", b"x") == sign("a", b"x")
