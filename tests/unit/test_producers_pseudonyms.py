"""Pseudonyms: one person, one pseudonym, however the number is written; no number in an error."""

import hashlib
import hmac
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.pseudonyms import (
    IdentityError,
    KeyFileError,
    Pseudonymizer,
    create_key_file,
    normalised_citizen_number,
)
from schemas.identity import check_digit

KEY = bytes(range(32))
NUMBER = "11010519491231002X"
"""The example of GB 11643."""


def test_pseudonym_is_the_keyed_hash_with_its_domain() -> None:
    expected = hmac.digest(KEY, b"id:" + NUMBER.encode(), hashlib.sha256).hex()[:32]
    assert Pseudonymizer(KEY).citizen(NUMBER) == expected
    expected = hmac.digest(KEY, b"birth-certificate:T320012345", hashlib.sha256).hex()[:32]
    assert Pseudonymizer(KEY).birth_certificate("t320012345") == expected
    expected = hmac.digest(KEY, b"passport:E12345678", hashlib.sha256).hex()[:32]
    assert Pseudonymizer(KEY).passport("e12345678") == expected


@pytest.mark.parametrize(
    "spelling",
    ["11010519491231002x", " 110105 19491231 002X ", "１１０１０５１９４９１２３１００２Ｘ"],
)
def test_spelling_does_not_matter(spelling: str) -> None:
    assert Pseudonymizer(KEY).citizen(spelling) == Pseudonymizer(KEY).citizen(NUMBER)


def test_first_generation_number_is_the_same_person() -> None:
    assert normalised_citizen_number("110105491231002") == NUMBER


def test_number_of_a_district_that_is_no_more_is_legal() -> None:
    assert normalised_citizen_number("320502195006150016") == "320502195006150016"


def test_right_check_digit_with_an_impossible_date() -> None:
    first17 = "32050219900229000"
    with pytest.raises(IdentityError, match="no possible date"):
        normalised_citizen_number(first17 + check_digit(first17))


@pytest.mark.parametrize("first17", ["81000019800101001", "83000019800101001", "91100119800101001"])
def test_residence_permits_of_the_same_build(first17: str) -> None:
    number = first17 + check_digit(first17)
    assert normalised_citizen_number(number) == number


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("110105194912310021", "check digit"),
        ("1101051949123100", "has 16 characters"),
        ("", "has 0 characters"),
        ("11010519491231OO2X", "other than digits"),
        ("1101051949123X002X", "other than digits"),
        ("99990019491231002" + check_digit("99990019491231002"), "no province"),
        ("000105491231002", "no province"),
        ("110105493131002", "no possible date"),
    ],
)
def test_fault_is_named_and_the_number_is_not(number: str, fault: str) -> None:
    with pytest.raises(IdentityError, match=fault) as caught:
        Pseudonymizer(KEY).citizen(number)
    assert not number or number not in str(caught.value)


@given(st.text(alphabet="0123456789xX１ -A", min_size=8, max_size=24))
def test_no_text_breaks_it_or_shows_up(text: str) -> None:
    shown = ""
    try:
        pseudonym = Pseudonymizer(KEY).citizen(text)
    except IdentityError as error:
        shown = str(error)
        pseudonym = "0" * 32
    assert text.strip() not in shown or not text.strip()
    assert len(pseudonym) == 32


def test_citizen_number_is_no_other_document() -> None:
    with pytest.raises(IdentityError, match="use it as one"):
        Pseudonymizer(KEY).passport(NUMBER)
    with pytest.raises(IdentityError, match="1 to 40"):
        Pseudonymizer(KEY).birth_certificate("")


def test_key_file(tmp_path: Path) -> None:
    path = tmp_path / "city.key"
    create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = Pseudonymizer.from_file(path).citizen(NUMBER)
    assert Pseudonymizer.from_file(path).citizen(NUMBER) == first
    with pytest.raises(KeyFileError, match="exists and is not replaced"):
        create_key_file(path)
    with pytest.raises(KeyFileError, match="cannot be read"):
        Pseudonymizer.from_file(tmp_path / "missing")
    path.write_text("geheim")
    with pytest.raises(KeyFileError, match="does not hold hex digits") as caught:
        Pseudonymizer.from_file(path)
    assert "geheim" not in str(caught.value)
    path.write_text("00" * 31)
    with pytest.raises(KeyFileError, match="31 bytes"):
        Pseudonymizer.from_file(path)
