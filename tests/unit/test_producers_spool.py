"""The spool: what was accepted comes back in order, whatever the crash left behind."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.delivery import Message
from producers.spool import Spool, SpoolError, decode, encode

messages = st.builds(
    Message,
    topic=st.text(min_size=1, max_size=20),
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=200),
    timestamp_ms=st.integers(-(2**62), 2**62),
)


def numbered(number: int) -> Message:
    return Message("population.births.v1", b"%032x" % number, b'{"n":%d}' % number, number)


def contents(spool: Spool) -> list[Message]:
    return [spooled.message for spooled in spool.read(spool.begin)]


@given(messages)
def test_frame_holds_the_whole_message(message: Message) -> None:
    assert decode(encode(message)[8:]) == message


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=6),
    st.integers(60, 400),
    st.data(),
)
def test_reopened_spool_holds_what_was_not_confirmed(
    tmp_path_factory: pytest.TempPathFactory, runs: list[int], segment: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    expected: list[tuple[int, Message]] = []
    number = 0
    for appended in runs:
        with Spool(folder, segment_bytes=segment) as spool:
            assert contents(spool) == [message for _, message in expected]
            assert spool.found == len(expected)
            for _ in range(appended):
                message = numbered(number)
                expected.append((spool.append(message), message))
                number += 1
            confirmed = data.draw(st.integers(0, len(expected)))
            if confirmed:
                spool.confirm(expected[confirmed - 1][0])
            expected = expected[confirmed:]
            assert contents(spool) == [message for _, message in expected]


@pytest.mark.parametrize("kept", range(1, 12))
def test_torn_tail_is_cut_off_and_writing_goes_on(tmp_path: Path, kept: int) -> None:
    with Spool(tmp_path) as spool:
        spool.append(numbered(1))
        whole = spool.end
        spool.append(numbered(2))
    (segment,) = tmp_path.glob("*.spool")
    os.truncate(segment, whole + kept)
    with Spool(tmp_path) as spool:
        spool.append(numbered(3))
        assert contents(spool) == [numbered(1), numbered(3)]
    with Spool(tmp_path) as spool:
        assert contents(spool) == [numbered(1), numbered(3)]


def test_zeros_behind_a_power_cut_are_a_torn_tail(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(numbered(1))
    (segment,) = tmp_path.glob("*.spool")
    os.truncate(segment, segment.stat().st_size + 4096)
    with Spool(tmp_path) as spool:
        assert contents(spool) == [numbered(1)]


def test_damage_before_the_tail_is_told_and_nothing_is_cut(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for number in range(3):
            spool.append(numbered(number))
    (segment,) = tmp_path.glob("*.spool")
    broken = bytearray(segment.read_bytes())
    broken[30] ^= 0xFF
    segment.write_bytes(broken)
    with pytest.raises(SpoolError, match=r"spool is damaged at byte 0: move the file away"):
        Spool(tmp_path)
    assert segment.read_bytes() == broken


def test_damaged_cursor_repeats_instead_of_losing(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        for number in range(3):
            spool.confirm(spool.append(numbered(number)))
    (tmp_path / "cursor").write_bytes(b"\xff" * 12)
    with Spool(tmp_path) as spool:
        assert contents(spool) == [numbered(number) for number in range(3)]


def test_cursor_behind_a_lost_tail_does_not_hide_new_messages(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(numbered(1))
        spool.confirm(spool.append(numbered(2)))
    (segment,) = tmp_path.glob("*.spool")
    os.truncate(segment, 10)
    with Spool(tmp_path) as spool:
        spool.append(numbered(3))
        assert contents(spool) == [numbered(3)]
    with Spool(tmp_path) as spool:
        assert contents(spool) == [numbered(3)]


def test_confirmed_segments_leave_the_disk(tmp_path: Path) -> None:
    with Spool(tmp_path, segment_bytes=200) as spool:
        for number in range(50):
            end = spool.append(numbered(number))
        assert len(list(tmp_path.glob("*.spool"))) > 10
        spool.confirm(end)
        assert len(list(tmp_path.glob("*.spool"))) == 1


def test_full_spool_says_so_and_takes_messages_again_once_there_is_room(tmp_path: Path) -> None:
    with Spool(tmp_path, limit_bytes=300) as spool:
        for number in range(3):
            end = spool.append(numbered(number))
        with pytest.raises(SpoolError, match="may hold 300: bring Kafka back"):
            spool.append(numbered(3))
        spool.confirm(end)
        spool.append(numbered(11))


def test_one_publisher_a_spool(tmp_path: Path) -> None:
    with Spool(tmp_path), pytest.raises(SpoolError, match="give each its own folder"):
        Spool(tmp_path)


def test_fsync_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), real(file)))
    with Spool(tmp_path, fsync=True) as spool:
        spool.append(numbered(1))
        spool.append(numbered(2))
    assert len(synced) == 2
