"""The order of the refusal codes, the size limit, impossible dates, what a refusal says."""

import json
import re
from datetime import date

import pytest

from schemas.events import EVENT, KINDS
from schemas.fields import EXAMPLES
from schemas.reading import check, read
from schemas.refusals import MENDS, TITLES, Code, Refusal
from tests.contract.support import KNOWN_ON, LEGAL, SMALLEST, SOURCES, event, spelled, verdict


def _patterns(schema: object) -> set[str]:
    """Every pattern of a validator."""
    if isinstance(schema, dict):
        found = set().union(*map(_patterns, schema.values()))
        return found | {schema["pattern"]} if "pattern" in schema else found
    return set().union(*map(_patterns, schema)) if isinstance(schema, list) else set()


IN_ORDER = (
    *("too_large", "not_json", "plain_identity", "schema", "wrong_topic", "unknown_source"),
    *("source_mismatch", "bad_signature", "unknown_district", "impossible_date"),
    "forgotten",  # ours, and the last: the contract has no word for it
)


def test_codes_are_the_contract_s_in_its_order() -> None:
    assert tuple(Code) == IN_ORDER
    assert tuple(TITLES) == tuple(MENDS) == IN_ORDER


def test_first_code_that_applies() -> None:
    """Mend one fault after the other: the codes come in the contract's order."""
    faults: dict[str, object] = {"record_id": LEGAL, "revision": "1", "source": "health.nobody"}
    faults |= {"district": "320599", "born_on": "1899-12-31"}
    message = event("birth", **faults, mother_born_on="x" * 65_536)
    seen = [verdict(spelled(message)[:-1], topic="population.deaths.v1")]
    message["mother_born_on"] = None
    seen.append(verdict(spelled(message)[:-1], topic="population.deaths.v1"))
    for mended in ({}, {"record_id": "1"}, {"revision": 1}):
        message |= mended
        seen.append(verdict(message, topic="population.deaths.v1"))
    for mended in ({}, {"source": SMALLEST["birth"]["source"]}, {"district": "320508"}):
        message |= mended
        seen.append(verdict(message))
    seen.append(verdict(message | {"born_on": "2016-03-01"}))
    assert [code for code in seen if code] == [
        *("too_large", "not_json", "plain_identity", "schema", "wrong_topic", "unknown_source"),
        *("unknown_district", "impossible_date"),
    ]
    assert seen[-1] == ""


def test_limit_is_64_kib_exactly() -> None:
    raw = spelled(SMALLEST["move"])
    assert verdict(raw + b" " * (65_536 - len(raw))) == ""
    assert verdict(raw + b" " * (65_537 - len(raw))) == "too_large"
    assert verdict(b"x" * 65_537) == "too_large"


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b" ", b"{", b"nul", b"{'kind': 1}", b'{"a": NaN}', b'{"a": 01}', b"\xff", b"{}x"),
        *(b"\xef\xbb\xbf{}", b'{"a": "\xed\xa0\x80"}', b'{"a": "\\ud800"}', b'{"a": "\n"}'),
    ],
)
def test_not_json(raw: bytes) -> None:
    assert verdict(raw) == "not_json"


def test_message_without_a_value_is_not_json() -> None:
    refusal = read(None)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "not_json"


@pytest.mark.parametrize("raw", [b"null", b"[]", b"[{}]", b'"x"', b"1", b"{}", b'{"kind": 1}'])
def test_json_that_is_no_event(raw: bytes) -> None:
    assert verdict(raw) == "schema"


@pytest.mark.parametrize("depth", [130, 250, 300, 600, 900, 1020])
@pytest.mark.parametrize("outer", ["[{}]", '{{"a": {}}}', json.dumps(SMALLEST["move"])[:-1] + "X"])
def test_deep_nesting_is_refused_and_nothing_else(depth: int, outer: str) -> None:
    nested = "[" * depth + "]" * depth
    text = outer.replace("X", f', "a": {nested}}}') if "X" in outer else outer.format(nested)
    assert verdict(text) == "schema"
    assert verdict(text.replace("[]", f'["{LEGAL}"]', 1)) == "plain_identity"


def test_nesting_that_no_decoder_follows_is_not_json() -> None:
    assert verdict("[" * 30_000 + "]" * 30_000) == "not_json"


@pytest.mark.parametrize("kind", KINDS)
def test_every_other_topic_is_wrong(kind: str) -> None:
    for other in KINDS.values():
        right = other.topic == KINDS[kind].topic
        assert verdict(SMALLEST[kind], topic=other.topic) == ("" if right else "wrong_topic")


@pytest.mark.parametrize("kind", KINDS)
class TestImpossibleDates:
    def test_act(self, kind: str) -> None:
        acted = KINDS[kind].acted
        last = {"recorded_at": "2016-03-11T23:59:59+08:00"}
        assert verdict(event(kind, **{acted: "2016-03-11"}, **last)) == ""
        assert verdict(event(kind, **{acted: "2016-03-12"}, **last)) == "impossible_date"
        first = event(kind, **{acted: "1900-01-01"})
        first |= {"admitted_on": "1900-01-01"} if kind == "discharge" else {}
        assert verdict(first) == ""
        assert verdict(first | {acted: "1899-12-31"}) == "impossible_date"

    def test_recorded_at_is_a_local_day(self, kind: str) -> None:
        ok = ("2016-02-29T16:00:00Z", "2016-03-01T00:00+08:00", "2016-03-11T15:59:59Z")
        for written in ok:
            assert verdict(event(kind, recorded_at=written)) == "", written
        for written in ("2016-02-29T15:59:59Z", "2016-03-11T16:00:00Z", "0001-01-01T00:00+14:00"):
            assert verdict(event(kind, recorded_at=written)) == "impossible_date", written

    def test_withdrawal_without_a_day(self, kind: str) -> None:
        base = ("kind", "record_id", "revision", "source", "recorded_at", "person")
        void = {**{name: SMALLEST[kind][name] for name in base}, "void": True}
        assert verdict(void) == ""
        late = "2016-03-12T00:00:00+08:00"
        assert verdict(void | {"recorded_at": late}) == "impossible_date"
        early = "1899-12-31T00:00:00+08:00"
        assert verdict(void | {"recorded_at": early}) == "impossible_date"

    def test_birth_date(self, kind: str) -> None:
        name = "mother_born_on" if kind == "birth" else "born_on"
        if name not in KINDS[kind].model_fields:
            assert verdict(event(kind, **{name: "2016-03-01"})) == "schema"
            return
        assert verdict(event(kind, **{name: "2016-03-01"})) == ""
        assert verdict(event(kind, **{name: "2016-03-02"})) == "impossible_date"
        assert verdict(event(kind, **{name: "1899-12-31"})) == "impossible_date"


def test_summer_time_and_local_mean_time_shift_the_day() -> None:
    """+09:00 in the summer of 1988, +08:05:43 in 1900 (tz database, Asia/Shanghai)."""
    summer = event("birth", born_on="1988-07-02")
    assert verdict(summer | {"recorded_at": "1988-07-01T15:00:00Z"}) == ""
    assert verdict(summer | {"recorded_at": "1988-07-01T14:59:59Z"}) == "impossible_date"
    old = event("birth", born_on="1900-06-02")
    assert verdict(old | {"recorded_at": "1900-06-01T15:54:17Z"}) == ""
    assert verdict(old | {"recorded_at": "1900-06-01T15:54:16Z"}) == "impossible_date"


@pytest.mark.parametrize(
    ("valid_until", "code"),
    [
        *(("2016-02-29", "impossible_date"), ("2016-03-01", ""), ("2299-12-30", "")),
        *(("2299-12-31", "impossible_date"), ("9999-12-31", "impossible_date")),
    ],
)
def test_valid_until(valid_until: str, code: str) -> None:
    assert verdict(event("permit", valid_until=valid_until)) == code


def test_cancellation_needs_no_end() -> None:
    assert verdict(event("permit", valid_until=...)) == "schema"
    assert verdict(event("permit", valid_until=..., action="cancel")) == ""
    assert verdict(event("permit", valid_until=..., void=True)) == ""


def test_refusal_says_what_and_how_but_no_value() -> None:
    secret = "kept-to-oneself"
    refusal = read(spelled(event("move", sex=secret, born_on=secret, record_id=f"{secret}!")))
    assert isinstance(refusal, Refusal)
    for name in ("sex", "born_on", "record_id"):
        assert f"{name}: " in refusal.detail
    assert secret not in refusal.reason
    assert MENDS[Code.SCHEMA][0] in refusal.reason
    assert MENDS[Code.SCHEMA][1] in refusal.reason


def test_a_wrong_spelling_is_told_by_an_example() -> None:
    refusal = read(spelled(event("move", to_district="Wujiang")))
    assert isinstance(refusal, Refusal)
    assert refusal.detail == (
        "to_district: Input should be a district's six digits (GB/T 2260), such as 320505."
    )
    assert refusal.detail_zh == "to_district 应为六位区划代码（GB/T 2260），例如 320505。"


@pytest.mark.parametrize(
    ("kind", "changed", "told"),
    [
        ("birth", {"mother": ...}, "mother 缺失。"),
        ("birth", {"mather": "x"}, "mather 不是契约中的字段。"),
        ("birth", {"mother": 1}, "mother 应为字符串。"),
        ("birth", {"born_on": 20160229}, "born_on 应为字符串。"),
        ("birth", {"born_on": "2015-02-29"}, "born_on 不是日历上的日期。"),
        ("birth", {"recorded_at": "2015-02-29T08:00+08:00"}, "recorded_at 不是真实的时刻。"),
        ("birth", {"sex": "M"}, "sex 应为 '0'、'1'、'2'、'9' 之一。"),
        ("birth", {"live": 1}, "live 应为 true 或 false。"),
        ("birth", {"weight_g": 3.5}, "weight_g 应为整数。"),
        ("birth", {"weight_g": 2**53}, "weight_g 不得大于 9007199254740991。"),
        ("birth", {"revision": 0}, "revision 不得小于 1。"),
        ("birth", {"defects": "Q69.0"}, "defects 应为列表。"),
        ("discharge", {"diagnoses": []}, "diagnoses 至少须有一项。"),
        ("permit", {"valid_until": ...}, "event 除注销外必须填写 valid_until。"),
    ],
)
def test_chinese_readers_are_told_too(kind: str, changed: dict[str, object], told: str) -> None:
    refusal = read(spelled(event(kind, **changed)))
    assert isinstance(refusal, Refusal)
    assert refusal.detail_zh == told
    assert f"{TITLES[Code.SCHEMA][0]}：{told}{MENDS[Code.SCHEMA][0]}" in refusal.reason


@pytest.mark.parametrize("pattern", sorted(_patterns(EVENT.core_schema)))
def test_every_spelling_has_an_example_that_is_right(pattern: str) -> None:
    assert re.fullmatch(pattern, EXAMPLES[pattern][2])


def test_source_is_asked_of_the_registry() -> None:
    found = read(spelled(SMALLEST["move"]))
    assert not isinstance(found, Refusal)
    assert check(found, found.topic, KNOWN_ON, SOURCES) is None
    refusal = check(found, found.topic, date(2016, 3, 10), {})
    assert refusal is not None
    assert refusal.code == "unknown_source"


def test_a_kind_that_does_not_exist_is_not_quoted() -> None:
    found = read(spelled({**event("birth"), "kind": "m320502195006150016ve"}))
    assert isinstance(found, Refusal)
    assert found.detail == f"kind: Input should be one of {', '.join(KINDS)}."


@pytest.mark.parametrize("text", ["{}", '{"kind": null}'])
def test_a_message_without_a_kind_is_told_the_kinds(text: str) -> None:
    found = read(text.encode())
    assert isinstance(found, Refusal)
    assert found.detail == f"kind: Input should be one of {', '.join(KINDS)}."
