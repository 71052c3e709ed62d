"""Mappings: what one names wrongly is said with what exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from producers.keys import Algorithm, Key
from producers.mapped import RowMapper
from producers.mapping import MappingError, check_columns, mapping_of, read_mapping
from producers.pseudonyms import Pseudonymizer
from schemas.reading import read
from tests.contract.support import LEGAL

DEATH = {
    "kind": "death",
    "source": "health.a",
    "fields": {
        "record_id": "证号",
        "revision": {"constant": 1},
        "recorded_at": "填报",
        "person": {"column": "身份证", "pseudonym": "id"},
        "died_on": "日期",
        "district": {"constant": "320583"},
        "residency": {"constant": "hukou"},
        "sex": {"column": "性别", "codes": "sex"},
    },
}
ROW = {"证号": "D1", "填报": "2016-03-06", "身份证": LEGAL, "日期": "2016-03-05", "性别": "女"}
KEY = Pseudonymizer(bytes(range(32)))


def changed(**fields: Any) -> dict[str, Any]:
    whole = {**DEATH["fields"], **fields}  # type: ignore[dict-item]
    return {**DEATH, "fields": {n: rule for n, rule in whole.items() if rule is not ...}}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({**DEATH, "kind": "deaths"}, "kind 'deaths' does not exist. The kinds are birth, death"),
        ({**DEATH, "shape": 1}, "There are kind, source, encoding, delimiter"),
        ({**DEATH, "sources": "x"}, "sources does not exist. Did you mean 'source'?"),
        (
            changed(dead_on="日期"),
            "fields.dead_on is no field of a death. Did you mean 'died_on'? The fields are record_",
        ),
        (changed(sex=...), "fields.sex is missing: every death needs it"),
        (
            changed(sex={"column": "性别", "code": "sex"}),
            "fields.sex.code does not exist. Did you mean 'codes'? There are column, columns",
        ),
        (
            changed(sex={"column": "性别", "codes": "sexes"}),
            "fields.sex.codes 'sexes' is no code table. Did you mean 'sex'? The tables are sex",
        ),
        (changed(sex={}), "write one of column, columns and constant"),
        (changed(sex={"column": "a", "constant": "1"}), "write one of column, columns and const"),
        (changed(sex={"columns": ["a"]}), "fields.sex.columns: only record_id and lists"),
        (changed(sex={"column": "a", "pseudonym": "id"}), "only person, mother and household"),
        (changed(person={"column": "a", "pseudonym": "ip"}), "fields.person.pseudonym: Input sho"),
        (changed(sex={"column": "a", "unit": "yuan"}), "fields.sex.unit yuan is of amounts"),
        (changed(sex={"column": "a", "also": {"b": "1"}}), "also adds to a table"),
        ({**DEATH, "source": "hospital"}, "source is no source: write health.<name>"),
        (changed(source="来源"), "write the publisher once"),
        ({n: v for n, v in DEATH.items() if n != "source"}, "write the publisher once"),
        ({n: v for n, v in DEATH.items() if n != "fields"}, "fields is missing"),
        ({**DEATH, "header": 0}, "header: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_mapping_says_what_exists(written: dict[str, Any], told: str) -> None:
    with pytest.raises(MappingError) as caught:
        mapping_of(written, "m.toml")
    assert str(caught.value).startswith("The mapping m.toml: ")
    assert told in str(caught.value)


def test_a_mapping_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"m\.toml cannot be read: No such file"):
        read_mapping(tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text("kind =")
    with pytest.raises(MappingError, match=r"m\.toml is no TOML in UTF-8"):
        read_mapping(tmp_path / "m.toml")


def test_columns_that_a_table_does_not_have() -> None:
    mapping = mapping_of({**DEATH, "only": {"状态": ["1"]}}, "m")
    with pytest.raises(MappingError, match="died_on comes from the column '日期', which is"):
        check_columns(mapping, ["证号", "填报", "身份证", "性别", "死亡日期", "状态"], "t.csv")
    with pytest.raises(MappingError, match=r"you mean '死亡日期'\? The columns are 证号, 填报"):
        check_columns(mapping, ["证号", "填报", "身份证", "性别", "死亡日期", "状态"], "t.csv")
    with pytest.raises(MappingError, match="the mapping names the column '状态'"):
        check_columns(mapping, ROW, "t.csv")
    with pytest.raises(MappingError, match="'性别' is there twice"):
        check_columns(mapping, [*ROW, "性别", "状态"], "t.csv")
    with pytest.raises(MappingError) as caught:
        check_columns(mapping, [LEGAL, "证号"], "t.csv")
    assert LEGAL not in str(caught.value), "a table without a header shows no number"


def test_without_a_key_no_mapping_with_pseudonyms() -> None:
    with pytest.raises(MappingError, match="person must become pseudonyms: name the file"):
        RowMapper(mapping_of(DEATH, "m"), None)


def test_a_record_number_that_is_an_identity_number_becomes_its_pseudonym() -> None:
    (row,) = RowMapper(mapping_of(DEATH, "m"), KEY).rows(1, {**ROW, "证号": f"{LEGAL}-1"})
    assert orjson.loads(row.value)["record_id"] == f"{KEY.citizen(LEGAL)}-1"  # type: ignore[union-attr]
    plain = changed(person={"column": "假名"})
    mapper = RowMapper(mapping_of(plain, "m"), None)
    (fault,) = mapper.rows(1, {**ROW, "假名": "a" * 32, "证号": LEGAL})
    assert "证号 (record_id): the record number is an identity number" in fault.reason  # type: ignore[union-attr]


def test_changing_keys_withdraws_what_was_sent_under_the_old_one() -> None:
    new, old = Key(b"n" * 32, "2026", Algorithm.SM3), Key(bytes(range(32)), "2016")
    both = Pseudonymizer(new, old)
    rows = RowMapper(mapping_of(DEATH, "m"), both, rotate=True).rows(1, ROW)
    void, report = (orjson.loads(row.value) for row in rows)  # type: ignore[union-attr]
    assert (void["void"], void["person"]) == (True, KEY.citizen(LEGAL))
    assert report["person"] == both.citizen(LEGAL) != void["person"]
    assert (void["record_id"], void["revision"]) == (report["record_id"], report["revision"])
    assert "died_on" not in void
    assert read(orjson.dumps(void)).void  # type: ignore[union-attr]


def test_an_identity_number_in_another_column_stays_here() -> None:
    number_as_cause = mapping_of(changed(cause="死因"), "m")
    (fault,) = RowMapper(number_as_cause, KEY).rows(1, {**ROW, "死因": f"a{LEGAL}b"})
    assert "死因 (cause) holds an identity number" in fault.reason  # type: ignore[union-attr]
    assert LEGAL not in fault.told  # type: ignore[union-attr]
