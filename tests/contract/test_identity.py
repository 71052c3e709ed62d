"""Plain identity numbers: what is one, where it is found, and what masking leaves."""

import json

import pytest

from schemas.identity import MASK, is_short, mask
from schemas.reading import read
from schemas.refusals import Refusal
from tests.contract.support import LEGAL, SMALLEST, event, number, spelled, verdict

X = number("11010519491231002")
SHORT = "320502500615001"
NUMBERS = {
    "a district merged away in 2012": LEGAL,
    "a district that never was": number("32059919900615001"),
    "check digit X": X,
    "check digit x": X.lower(),
    "Xinjiang": number("65010419680229003"),
    "a resident of Hong Kong": number("81000019900101001"),
    "a resident of Macao": number("82000019900101002"),
    "a resident of Taiwan": number("83000019900101003"),
    "a Taiwan province code": number("71000019900101003"),
    "a foreigner, permit of 2023": number("91115619800101002"),
    "born on 29 February": number("32058320000229004"),
    "born in the nineteenth century": number("32050518991231001"),
}
NO_NUMBERS = {
    "check digit": LEGAL[:17] + ("7" if LEGAL[17] != "7" else "8"),
    "X where it is none": LEGAL[:17] + "X",
    "no month": number("32050219501315001"),
    "no day": number("32050219500631001"),
    "29 February of a common year": number("32050219510229001"),
    "no province": number("38050219500615001"),
    "no province after 9": number("93815619800101002"),
    "year 2100": number("32050221000615001"),
    "17 digits": LEGAL[:17],
    "19 digits": LEGAL + "0",
    "in a longer number": "1" + LEGAL,
    "after a letter": "A" + LEGAL,
    "before a letter": LEGAL + "z",
    "15 digits, no month": "320502501315001",
    "15 digits, no province": "380502500615001",
    "14 digits": SHORT[:14],
}


def test_check_digit_is_x_somewhere() -> None:
    assert X.endswith("X")


def planted(text: str) -> list[str]:
    """A number at every kind of place of a message; each must be refused."""
    move = json.dumps(SMALLEST["move"])
    open_end = move[:-1]
    return [
        json.dumps({**SMALLEST["move"], "record_id": text}),
        json.dumps({**SMALLEST["move"], "person": text}),
        json.dumps({**SMALLEST["move"], "sex": None, "note": text}),
        json.dumps({**SMALLEST["discharge"], "facility": text}),
        json.dumps({**SMALLEST["discharge"], "diagnoses": ["I10", text]}),
        f'{open_end}, "note": {{"a": [[1, {{"b": "{text}"}}]]}}}}',
        f'{{"record_id": "{text}", {move[1:]}',
        f'{{"source": "{text}", "source": "", {move[1:]}',
        f'{open_end}, "{text}": 1}}',
        f'{open_end}, "{text}" : null}}',
        f'{open_end}, "a": {{"{text}": {{}}}}}}',
        f'["{text}"]',
        f'"{text}"',
    ]


def planted_inside(text: str) -> list[str]:
    """A number of 18 characters that stands among others."""
    move = json.dumps(SMALLEST["move"])[:-1]
    return [
        json.dumps({**SMALLEST["move"], "record_id": f"H/{text}/1"}),
        json.dumps({**SMALLEST["discharge"], "facility": f"内科{text}床"}),
        json.dumps({**SMALLEST["discharge"], "facility": f"内科{text}床"}, ensure_ascii=False),
        json.dumps({**SMALLEST["discharge"], "facility": f"a\n{text}\t"}),
        json.dumps({**SMALLEST["discharge"], "facility": f"\U0001f600{text}\U0001f600"}),
        json.dumps({**SMALLEST["discharge"], "facility": f'"{text}"'}),
        json.dumps({**SMALLEST["discharge"], "facility": json.dumps({"id": text})}),
        f'{move}, "no. {text}": 1}}',
    ]


@pytest.mark.parametrize("which", NUMBERS)
def test_number_is_refused_wherever_it_stands(which: str) -> None:
    for text in (*planted(NUMBERS[which]), *planted_inside(NUMBERS[which])):
        assert verdict(text) == "plain_identity", text
        assert NUMBERS[which] not in mask(text)


@pytest.mark.parametrize("which", NO_NUMBERS)
def test_what_is_no_number_is_not_refused_for_it(which: str) -> None:
    text = NO_NUMBERS[which]
    for message in (*planted(text), *planted_inside(text)):
        assert verdict(message) != "plain_identity", message
        assert mask(message) == message
    assert verdict(event("move", record_id=text)) == ""


def test_fifteen_digits_count_as_a_whole_key_or_value_only() -> None:
    for text in planted(SHORT):
        assert verdict(text) == "plain_identity", text
    for text in planted_inside(SHORT):
        assert verdict(text) != "plain_identity", text
    assert verdict(event("move", record_id=f"{SHORT}-1")) == ""


@pytest.mark.parametrize("written", [LEGAL, f"-{LEGAL}", f"{LEGAL}.0", f"0.{LEGAL}", SHORT])
def test_number_without_quotes(written: str) -> None:
    text = json.dumps(SMALLEST["discharge"])
    assert verdict(f'{text[:-1]}, "total_fen": {written}}}') == "plain_identity"
    assert verdict(f'{text[:-1]}, "note": [{written}]}}') == "plain_identity"
    assert verdict(written) == "plain_identity"


@pytest.mark.parametrize("written", [f"{LEGAL}e0", f"{LEGAL}0", f"{SHORT}.5"])
def test_other_numbers(written: str) -> None:
    text = json.dumps(SMALLEST["discharge"])
    assert verdict(f'{text[:-1]}, "total_fen": {written}}}') == "schema"


@pytest.mark.parametrize(
    "written",
    [
        "\\u0033" + LEGAL[1:],
        LEGAL[:17] + "\\u0036",
        "".join(f"\\u{ord(c):04x}" for c in LEGAL),
        "".join(f"\\u{ord(c):04X}" for c in X),
        X[:17] + "\\u0078",
        "\\u4e2d" + LEGAL,
        "\\u0022" + LEGAL + "\\u0022",
        "\\u005c" + LEGAL,
        "\\ud83d\\ude00" + LEGAL,
        "\\n" + LEGAL,
        "\\/" + LEGAL,
        "\\\\" + LEGAL,
        '\\"' + LEGAL,
    ],
)
def test_escapes_hide_nothing(written: str) -> None:
    text = json.dumps(event("discharge", facility="HERE")).replace("HERE", written)
    assert verdict(text) == "plain_identity"
    for whole in (text, text[:-1]):
        masked = mask(whole)
        assert MASK in masked
        assert not any(LEGAL[at : at + 6] in masked for at in range(13))
        assert masked.endswith(whole[-40:])


@pytest.mark.parametrize("written", ["\\u0041" + LEGAL, LEGAL + "\\u0039", "\\\\n" + LEGAL])
def test_escaped_neighbours_are_neighbours(written: str) -> None:
    """A letter or digit beside the number, however it is spelled, makes it part of a run."""
    text = json.dumps(event("discharge", facility="HERE")).replace("HERE", written)
    assert verdict(text) == ""


@pytest.mark.parametrize(
    "key", [LEGAL, X.lower(), SHORT, f" {SHORT}\n", f"a/{LEGAL}", f'"{LEGAL}"']
)
def test_message_key(key: str) -> None:
    assert verdict(SMALLEST["move"], key=key.encode()) == "plain_identity"
    assert verdict(event("move", sex="x"), key=key.encode()) == "plain_identity"
    assert "3205025" not in mask(key)


@pytest.mark.parametrize("key", [b"", b"0" * 32, b"\xff\xfe", b"A" + LEGAL.encode(), b"1"])
def test_key_that_holds_none(key: bytes) -> None:
    assert verdict(SMALLEST["move"], key=key) == ""


def test_not_json_comes_first_and_is_masked() -> None:
    broken = f'{{"person": "{LEGAL}", "mother": "{SHORT}", "born_on": "1950-06-15"'
    assert verdict(broken) == "not_json"
    assert mask(broken) == f'{{"person": "{MASK}", "mother": "{MASK[:15]}", "born_on": "1950-06-15"'


def test_masking_keeps_the_rest() -> None:
    text = f"甲 {LEGAL}，乙{X.lower()};1{LEGAL} {SHORT} 2016-03-01 \\u4e2d"
    assert mask(text) == f"甲 {MASK}，乙{MASK};1{LEGAL} {MASK[:15]} 2016-03-01 \\u4e2d"
    assert mask("") == ""


def test_same_number_twice_once_escaped() -> None:
    text = f'"{LEGAL}", "\\u0033{LEGAL[1:]}"'
    assert mask(text) == f'"{MASK}", "{MASK}"'


def test_escaped_end_is_masked_with_the_rest() -> None:
    """The first 15 digits could be a number themselves."""
    text = number("32050219010115001")
    assert is_short(text[:15])
    written = text[:15] + "".join(f"\\u{ord(c):04x}" for c in text[15:])
    assert mask(f'"{written}"') == f'"{MASK}"'


def test_masked_message_is_json_as_long_as_it_was() -> None:
    for text in (*planted(LEGAL), *planted_inside(LEGAL)):
        masked = json.loads(mask(text))
        assert LEGAL not in json.dumps(masked)
        if isinstance(masked, dict):
            assert set(SMALLEST["move"]) - {"moved_on"} <= {*masked, *SMALLEST["move"]}


def test_refusal_does_not_repeat_the_number() -> None:
    for text in (*planted(LEGAL), *planted_inside(LEGAL)):
        refusal = read(text.encode())
        assert isinstance(refusal, Refusal)
        assert "3205025" not in refusal.reason


def test_number_in_an_otherwise_valid_event_of_every_kind() -> None:
    for kind in SMALLEST:
        assert verdict(spelled(event(kind, record_id=LEGAL))) == "plain_identity"
