"""Laws of reading and masking, for whatever hypothesis comes up with."""

import json
import re
from datetime import date, timedelta
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.districts import PROVINCES
from schemas.events import Event
from schemas.identity import check_digit, found_in, mask, suspect
from schemas.reading import check, read
from schemas.refusals import Code, Refusal
from tests.contract.support import ALL, KNOWN_ON, SCHEMAS, SOURCES

VALID = [json.loads(example.text) for example in ALL if not example.refused]
VALUES = sorted(
    {
        json.dumps(value, ensure_ascii=False)
        for example in ALL
        if example.refused != Code.NOT_JSON and isinstance(json.loads(example.text), dict)
        for value in json.loads(example.text).values()
    }
)
FIELDS = sorted({name for document in VALID for name in document})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(VALUES).map(json.loads)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
FIRST_DAY = date(1800, 1, 1)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A citizen's number, a resident's of Hong Kong, Macao or Taiwan, or a foreigner's."""
    issued = draw(st.sampled_from(sorted({*PROVINCES, "83"}))) + f"{draw(st.integers(0, 9999)):04d}"
    if draw(st.booleans()):
        issued = f"9{draw(st.sampled_from(sorted(PROVINCES)))}{draw(st.integers(0, 999)):03d}"
    born = FIRST_DAY + timedelta(days=draw(st.integers(0, 109_000)))
    first17 = f"{issued}{born:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    last = check_digit(first17)
    return first17 + (last.lower() if draw(st.booleans()) else last)


@st.composite
def written(draw: st.DrawFn, text: str) -> str:
    """A text as JSON may spell it: each character itself or an escape."""
    spelled = []
    for character in text:
        if character in '"\\' or character < " " or draw(st.booleans()):
            units = character.encode("utf-16-be", "surrogatepass").hex("-", 2).split("-")
            upper = draw(st.booleans())
            spelled += [f"\\u{unit.upper() if upper else unit}" for unit in units]
        else:
            spelled.append(character)
    return "".join(spelled)


@st.composite
def variants(draw: st.DrawFn) -> dict[str, Any]:
    """A valid event with up to three fields dropped, changed, added or made null."""
    document = dict(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(FIELDS) | st.text(max_size=6))
        if name == "kind":
            continue
        if draw(st.integers(0, 3)) == 0:
            document.pop(name, None)
        else:
            document[name] = draw(SCALARS | st.lists(SCALARS, max_size=3))
    return document


def dumped(document: Any, *, escape: bool = True) -> bytes:
    """JSON as Python writes it, with NaN and lone surrogates if there are any."""
    return json.dumps(document, ensure_ascii=escape).encode("utf-8", "surrogatepass")


def outcome(raw: bytes, key: bytes | None = None) -> Event | Refusal | None:
    """What becomes of a message; the refusal of check included."""
    found = read(raw, key)
    if isinstance(found, Refusal):
        return found
    document = orjson.loads(raw)
    held = found.model_dump(mode="json")
    for name, value in document.items():
        if value is not None and name != "recorded_at":
            assert held[name] == value
    refusal = check(found, found.topic, KNOWN_ON, SOURCES)
    return refusal or found


@given(st.binary(max_size=300), st.none() | st.binary(max_size=40))
def test_any_bytes_have_an_outcome(raw: bytes, key: bytes | None) -> None:
    assert isinstance(outcome(raw, key), Refusal)


@given(st.text(st.characters(), max_size=200))
def test_any_text_has_an_outcome_and_a_masked_form(text: str) -> None:
    outcome(text.encode("utf-8", "surrogatepass"))
    mask(text)


@given(JSON, st.booleans())
def test_any_json_has_an_outcome(document: Any, escape: bool) -> None:
    outcome(dumped(document, escape=escape))


@given(variants(), st.booleans())
def test_accepted_message_is_the_same_to_every_decoder(
    document: dict[str, Any], escape: bool
) -> None:
    outcome(dumped(document, escape=escape))


@given(st.sampled_from(VALID), st.data())
def test_damaged_message_has_an_outcome(document: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray(dumped(document, escape=False))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    outcome(bytes(raw))


@given(variants())
def test_json_schema_and_models_agree(document: dict[str, Any]) -> None:
    raw = dumped(document)
    found = read(raw)
    if isinstance(found, Refusal) and found.code in (Code.PLAIN_IDENTITY, Code.NOT_JSON):
        return
    refused = isinstance(found, Refusal)
    assert SCHEMAS[document["kind"]].is_valid(json.loads(raw)) != refused


@given(numbers(), st.data())
def test_number_planted_in_an_event_is_refused(number: str, data: st.DataObject) -> None:
    document = dict(data.draw(st.sampled_from(VALID)))
    beside = st.text(st.characters(exclude_categories=("Cs",)), max_size=3)
    before = data.draw(beside.filter(lambda t: not _touches(t[-1:])))
    after = data.draw(beside.filter(lambda t: not _touches(t[:1])))
    text = data.draw(written(before + number + after))
    place = data.draw(st.sampled_from(["key", "value", "nested", "shadowed"]))
    document["note"] = "HERE"
    raw = json.dumps(document, ensure_ascii=data.draw(st.booleans()))
    planted = {
        "key": ('"note": "HERE"', f'"{text}": null'),
        "value": ('"HERE"', f'"{text}"'),
        "nested": ('"HERE"', f'[[{{"a": ["{text}"]}}]]'),
        "shadowed": ('"note": "HERE"', f'"note": "{text}", "note": null'),
    }[place]
    raw = raw.replace(*planted)
    refusal = read(raw.encode())
    assert isinstance(refusal, Refusal)
    assert refusal.code == Code.PLAIN_IDENTITY, raw
    assert suspect(raw.encode())
    assert _shows(mask(raw), number) is None
    broken = raw[:-1]
    assert outcome(broken.encode()).code == Code.NOT_JSON  # type: ignore[union-attr]
    assert _shows(mask(broken), number) is None


SEPARATORS = (
    *(
        '"',
        "\\n",
        "\\t",
        "\\r",
        "\\b",
        "\\f",
        "\\/",
        '\\"',
        "\\\\",
        "\\u0022",
        "\\u005C",
        "\\u4e2d",
    ),
    *("\\ud83d\\ude00", "\\u0000", "中", " ", ",", "\n", "\x00", "：", "-", "\U0001f600", "\udc80"),
)


@given(
    st.text(max_size=12), st.sampled_from(SEPARATORS), numbers(), st.text(max_size=12), st.data()
)
def test_masked_text_shows_the_number_in_no_spelling(
    before: str, separator: str, number: str, after: str, data: st.DataObject
) -> None:
    if _touches(after[:1]):
        after = " " + after
    text = before + separator + data.draw(written(number)) + after
    masked = mask(text)
    assert _shows(masked, number) is None
    assert mask(masked) == masked


def _shows(text: str, number: str) -> str | None:
    """The text in which a number can still be read: as it is, or with its escapes unfolded."""
    unfolded = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
    return next((seen for seen in (text, unfolded) if number[:14] in seen), None)


def _touches(character: str) -> bool:
    return character.isascii() and character.isalnum()


@given(st.sampled_from(VALID), st.data())
def test_suspect_never_misses_what_is_found(document: dict[str, Any], data: st.DataObject) -> None:
    text = data.draw(st.text("0123456789X \\/中-", max_size=24) | numbers())
    raw = dumped({**document, "note": text}, escape=data.draw(st.booleans()))
    assert suspect(raw) or not found_in(raw)
