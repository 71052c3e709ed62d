"""Strict JSON types, duplicate keys, nulls, withdrawals, unknown fields, spellings."""

import json

import pytest

from schemas.events import DEFAULTS, KINDS
from schemas.reading import read
from schemas.refusals import Refusal
from tests.contract.support import SMALLEST, event, spelled, verdict

INTEGERS = [
    (kind, name)
    for kind, model in KINDS.items()
    for name, field in model.model_json_schema()["properties"].items()
    if "integer" in json.dumps(field)
]
DAYS = ("2016-03-01T00:00:00", "2016-3-1", "20160301", "01.03.2016", " 2016-03-01", "2016-03-01 ")
NO_DAYS = ("2016-03-01\n", "２０１６-03-01", "2016-02-30", "2015-02-29", "1900-02-29", "0000-01-01")


@pytest.mark.parametrize(("kind", "name"), INTEGERS)
@pytest.mark.parametrize("written", ['"1"', "1.0", "1e0", "true", "[1]", "9007199254740992"])
def test_integer_is_written_as_an_integer(kind: str, name: str, written: str) -> None:
    text = json.dumps(event(kind, **{name: "HERE"})).replace('"HERE"', written)
    assert verdict(text) == "schema"


@pytest.mark.parametrize(("kind", "name"), INTEGERS)
def test_greatest_integer(kind: str, name: str) -> None:
    assert verdict(event(kind, **{name: 2**53 - 1})) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_of_duplicate_keys_the_last_holds(kind: str) -> None:
    text = json.dumps(SMALLEST[kind])
    assert verdict('{"revision": "x", ' + text[1:]) == ""
    assert verdict('{"kind": "nothing", ' + text[1:]) == ""
    assert verdict(text[:-1] + ', "revision": "x"}') == "schema"
    assert verdict(text[:-1] + ', "revision": null}') == "schema"
    newest = read((text[:-1] + ', "revision": 7}').encode())
    assert not isinstance(newest, Refusal)
    assert newest.revision == 7


@pytest.mark.parametrize("kind", KINDS)
def test_null_is_left_out(kind: str) -> None:
    model = KINDS[kind]
    for name, field in model.model_fields.items():
        required = field.is_required() or name in ("kind", "valid_until")
        assert verdict({**SMALLEST[kind], name: None}) == ("schema" if required else ""), name


def test_null_of_a_field_with_a_default_is_the_default() -> None:
    nulls = dict.fromkeys(DEFAULTS["birth"])
    assert set(nulls) == {"void", "live", "birth_order", "defects"}
    found = read(spelled(event("birth", **nulls)))
    assert not isinstance(found, Refusal)
    for name, default in DEFAULTS["birth"].items():
        assert getattr(found, name) == default


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_field(kind: str) -> None:
    assert verdict(event(kind, note="x")) == "schema"
    assert verdict(event(kind, Kind=kind)) == "schema"


def test_unknown_field_that_is_null_is_left_out() -> None:
    assert verdict(event("move", note=None)) == ""


def test_field_of_another_kind() -> None:
    assert verdict(event("death", live=True)) == "schema"


@pytest.mark.parametrize("kind", KINDS)
class TestWithdrawal:
    BASE = ("kind", "record_id", "revision", "source", "recorded_at", "person")

    def test_needs_the_fields_of_every_event_only(self, kind: str) -> None:
        smallest = {name: SMALLEST[kind][name] for name in self.BASE}
        assert verdict({**smallest, "void": True}) == ""
        assert verdict({**smallest, "void": False}) == "schema"
        for name in self.BASE:
            assert verdict({**smallest, "void": True, name: None}) == "schema", name

    def test_may_carry_all_or_some(self, kind: str) -> None:
        whole = event(kind, void=True)
        for name in set(whole) - {*self.BASE, "void"}:
            assert verdict({**whole, name: None}) == "", name
        assert verdict(whole) == ""

    def test_what_it_carries_must_fit(self, kind: str) -> None:
        assert verdict(event(kind, void=True, **{KINDS[kind].acted: "soon"})) == "schema"
        assert verdict(event(kind, void=True, note=1)) == "schema"

    @pytest.mark.parametrize("written", ["1", '"true"', "[]"])
    def test_is_said_by_true_alone(self, kind: str, written: str) -> None:
        text = json.dumps(event(kind, void="HERE")).replace('"HERE"', written)
        assert verdict(text) == "schema"


@pytest.mark.parametrize("written", [*DAYS, *NO_DAYS])
def test_day_has_one_spelling(written: str) -> None:
    for kind, model in KINDS.items():
        assert verdict(event(kind, **{model.acted: written})) == "schema"


@pytest.mark.parametrize(
    "written",
    [
        *("2016-03-02T09:30+08:00", "2016-03-02T09:30:00Z", "2016-03-02T09:30:00.5-11:30"),
        *("2016-03-02T09:30:00.123456789+08:00", "2016-03-02T00:00:00+14:00"),
    ],
)
def test_instant_has_t_and_offset(written: str) -> None:
    assert verdict(event("move", recorded_at=written)) == ""


@pytest.mark.parametrize(
    "written",
    [
        *("2016-03-02 09:30:00+08:00", "2016-03-02t09:30:00+08:00", "2016-03-02T09:30:00"),
        *("2016-03-02T09:30:00+0800", "2016-03-02T09:30:00+08", "2016-03-02T09:30:00z"),
        *("2016-03-02T24:00:00Z", "2016-03-02T23:59:60Z", "2016-03-02T09:30:00,5Z"),
        *("2016-03-02", "1456882200", "2016-03-02T09Z", "2016-02-30T09:30:00Z"),
        *("2016-03-02T09:30:00Z\n", "2016-03-02T09:30:00+24:00"),
    ],
)
def test_no_instant(written: str) -> None:
    assert verdict(event("move", recorded_at=written)) == "schema"


ICD = ("I10", "I109", "I10.9", "I10.x00x002", "I10x00x002", "A00+", "M01.4*", "U07.1", "Z99")
NO_ICD = ("i10", "I1", "I10.", "I10 9", "10", "I10.12345678901", "I10..1", "I10\n", "Ｉ10", "")


@pytest.mark.parametrize("code", ICD)
def test_icd_code(code: str) -> None:
    assert verdict(event("death", cause=code)) == ""
    assert verdict(event("discharge", diagnoses=["I10", code])) == ""


@pytest.mark.parametrize("code", NO_ICD)
def test_no_icd_code(code: str) -> None:
    assert verdict(event("death", cause=code)) == "schema"
    assert verdict(event("discharge", diagnoses=["I10", code])) == "schema"


@pytest.mark.parametrize("code", [*(f"Q{rest}" for rest in ("00", "99.9", "21.100x001")), "I10"])
def test_defects_are_of_chapter_xvii(code: str) -> None:
    assert verdict(event("birth", defects=[code])) == ("" if code[0] == "Q" else "schema")


@pytest.mark.parametrize(
    ("record_id", "fits"),
    [
        *(("A", True), ("a.b_c:d/e-9", True), ("9" * 64, True), ("", False), ("A" * 65, False)),
        *(("A B", False), ("A\n", False), ("中", False), ("A#1", False)),
    ],
)
def test_record_id(record_id: str, fits: bool) -> None:
    assert verdict(event("move", record_id=record_id)) == ("" if fits else "schema")


@pytest.mark.parametrize("person", ["0" * 31, "0" * 33, "A" * 32, "g" * 32, "0" * 32 + "\n"])
def test_no_pseudonym(person: str) -> None:
    assert verdict(event("move", person=person)) == "schema"
    assert verdict(event("move", household=person)) == "schema"
    assert verdict(event("birth", mother=person)) == "schema"


@pytest.mark.parametrize(
    "source", ["hospital", "health", "health.", "Health.a", "school.a", "police.a b", " police.a"]
)
def test_no_source(source: str) -> None:
    assert verdict(event("move", source=source)) == "schema"
