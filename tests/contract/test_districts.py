"""Which codes a residence may have, and what they are counted under."""

from datetime import date

import pytest

from pipeline.core.body import PLACE
from pipeline.core.reports import BODY, report
from schemas.clock import day_number
from schemas.districts import INSIDE
from tests.contract.support import event, spelled, verdict

CITY = {
    *("320505", "320506", "320507", "320508", "320509"),
    *("320571", "320581", "320582", "320583", "320585"),
}
ALIASES = {
    "320576": "320571",
    "320502": "320508",
    "320503": "320508",
    "320504": "320508",
    "320584": "320509",
}
UNKNOWN = ("320500", "320501", "320510", "320572", "320586", "320599")
OUTSIDE = ("110105", "320102", "340100", "650104", "710000", "810000", "820000", "460400")
NO_PROVINCE = ("000001", "160000", "240000", "380000", "470000", "660000", "720000", "830000")
DISTRICT_FIELDS = {
    "birth": ("district",),
    "death": ("district",),
    "move": ("from_district", "to_district"),
    "permit": ("district",),
    "discharge": ("district", "facility_district"),
}
FIELDS = [(kind, name) for kind, names in DISTRICT_FIELDS.items() for name in names]


def test_the_city_is_ten_districts() -> None:
    assert INSIDE == CITY


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_codes_of_a_field(kind: str, name: str) -> None:
    for code in (*CITY, *ALIASES):
        assert verdict(event(kind, **{name: code})) == "", code
    for code in (*UNKNOWN, *NO_PROVINCE):
        assert verdict(event(kind, **{name: code})) == "unknown_district", code
    for code in OUTSIDE:
        outside = "unknown_district" if kind == "permit" else ""
        assert verdict(event(kind, **{name: code})) == outside, code
    nowhere = "" if kind == "move" else "unknown_district"
    assert verdict(event(kind, **{name: "000000"})) == nowhere
    for code in ("32050", "3205080", "32050a", "３２０５０８", ""):
        assert verdict(event(kind, **{name: code})) == "schema", code


@pytest.mark.parametrize("code", sorted({*CITY, *ALIASES}))
@pytest.mark.parametrize("born_on", ["1980-01-01", "2012-08-31", "2012-09-01", "2016-03-01"])
def test_alias_holds_at_any_date(code: str, born_on: str) -> None:
    raw = spelled(event("birth", born_on=born_on, district=code))
    assert verdict(raw) == ""
    body = report(raw, day_number(date(2016, 3, 10)))[BODY]
    assert body is not None
    assert body[PLACE] == ALIASES.get(code, code)


def test_withdrawal_is_asked_for_the_codes_it_carries() -> None:
    assert verdict(event("birth", void=True, district="320599")) == "unknown_district"
    assert verdict(event("birth", void=True, district=...)) == ""
