"""Districts, ICD-10 chapters, the source registry, topics."""

from itertools import pairwise

import pytest

from schemas.districts import CITY, COUNTED_AS, DISTRICTS, INSIDE, counted_as, is_known
from schemas.events import KINDS, TOPIC_KINDS
from schemas.icd10 import CHAPTERS, UNKNOWN, chapter, is_delivery
from schemas.sources import DEMONSTRATION, SECTORS, Source
from schemas.topics import MAX_EVENT_BYTES, RAW, specs

CHAPTER_OF = {
    "A00": "I",
    "B99": "I",
    "C00": "II",
    "D48.9": "II",
    "D50": "III",
    "D89": "III",
    "D49": UNKNOWN,
    "E90": "IV",
    "E91": UNKNOWN,
    "H59": "VII",
    "H60": "VIII",
    "H96": UNKNOWN,
    "I10.x00x002": "IX",
    "O99": "XV",
    "P96": "XVI",
    "P97": UNKNOWN,
    "Q99": "XVII",
    "T98": "XIX",
    "T99": UNKNOWN,
    "V00": UNKNOWN,
    "V01": "XX",
    "Y98": "XX",
    "Y99": UNKNOWN,
    "Z99": "XXI",
    "U00": "XXII",
    "U07.1": "XXII",
    "U99": "XXII",
    "K94": UNKNOWN,
}


@pytest.mark.parametrize("code", CHAPTER_OF)
def test_chapter(code: str) -> None:
    assert chapter(code) == CHAPTER_OF[code]


def test_chapters_do_not_overlap() -> None:
    assert len(CHAPTERS) == len({c.numeral for c in CHAPTERS}) == 22
    for one, next_ in pairwise(sorted(CHAPTERS, key=lambda c: c.first)):
        assert one.first <= one.last < next_.first


@pytest.mark.parametrize(
    ("code", "delivery"),
    [
        *(("Z37", True), ("Z37.900", True), ("O80", True), ("O84.9", True), ("O82x", True)),
        *(("O79", False), ("O85", False), ("Z36", False), ("Z38.0", False), ("I10", False)),
    ],
)
def test_delivery(code: str, delivery: bool) -> None:
    assert is_delivery(code) == delivery


def test_every_district_is_counted_under_one_of_ten() -> None:
    assert len(INSIDE) == 10
    for district in DISTRICTS:
        assert district.counted_as in INSIDE
        assert counted_as(district.code) == district.counted_as == COUNTED_AS[district.code]
        assert (district.code == district.counted_as) == (district.code in INSIDE)
    assert counted_as("110105") == "110105"
    assert CITY not in COUNTED_AS


@pytest.mark.parametrize(
    ("code", "known"),
    [("320505", True), ("320504", True), ("320500", False), ("110105", True), ("990101", False)],
)
def test_known(code: str, known: bool) -> None:
    assert is_known(code) == known


@pytest.mark.parametrize("name", ["hospital", "school.one", "health.", "health.a b", ""])
def test_no_source_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"write <sector>\.<name>"):
        Source(name, 1)


def test_priority_starts_at_1() -> None:
    with pytest.raises(ValueError, match="it starts at 1"):
        Source("health.one", 0)
    assert Source("police.one", 1).sector == "police"


def test_demonstration_serves_every_kind() -> None:
    sectors = {source.sector for source in DEMONSTRATION}
    assert sectors == set(SECTORS)
    assert {model.leading_sector for model in KINDS.values()} <= sectors


def test_topics() -> None:
    five = ("births", "deaths", "moves", "permits", "discharges")
    assert {f"population.{name}.v1" for name in five} <= set(RAW) == set(TOPIC_KINDS)
    assert MAX_EVENT_BYTES == 65_536
    for forge_proof in (False, True):
        for spec in specs(3, forge_proof=forge_proof):
            assert spec.partitions == 3
            assert spec.config["retention.ms"] == "-1"
            stamped = forge_proof and spec.name in RAW
            expected = "LogAppendTime" if stamped else "CreateTime"
            assert spec.config["message.timestamp.type"] == expected
