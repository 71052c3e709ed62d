"""Reading on from a watermark: whatever the ties, the changes and the crashes, no row is lost."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.polling import batches
from producers.sources.form import SourceError
from producers.sources.sql import Polled, View, read_config
from producers.watermark import Hold, Note, Position, WatermarkError, before
from tests.contract.support import LEGAL


def polled(**changes: Any) -> Polled:
    given = {"url_file": "url", "view": "v", "watermark": "at", "mapping": "m", "state": "s"}
    return Polled(**{**given, **changes})


class Database:
    """A table of rows that have a number, a watermark and a content; its view is ``v``."""

    def __init__(self, folder: Path) -> None:
        (folder / "url").write_text(f"sqlite:///{folder / 'rows.db'}\n")
        self.engine = sa.create_engine(f"sqlite:///{folder / 'rows.db'}")
        with self.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (id INTEGER, at, content TEXT)")
            connection.exec_driver_sql("CREATE VIEW v AS SELECT * FROM t")

    def put(self, *rows: tuple[Any, ...]) -> None:
        with self.engine.begin() as connection:
            for row in rows:
                connection.exec_driver_sql("INSERT INTO t VALUES (?, ?, ?)", row)

    def rows(self) -> Counter[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return Counter(tuple(row) for row in connection.exec_driver_sql("SELECT * FROM t"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path)
    yield made
    made.engine.dispose()


ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=30)


@settings(max_examples=40)
@given(
    steps=st.lists(
        st.tuples(ROWS, st.integers(0, 6), st.booleans()),
        min_size=1,
        max_size=5,
    ),
    batch=st.integers(1, 7),
)
def test_nothing_is_lost_and_only_a_crash_repeats(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[list[tuple[int, int]], int, bool]],
    batch: int,
) -> None:
    """Between two looks rows come, some with the watermark's old value; some looks crash."""
    folder = tmp_path_factory.mktemp("rows")
    database, how = Database(folder), polled(batch=batch)
    note = Note(folder / "s", how.view, how.watermark)
    seen: Counter[tuple[Any, ...]] = Counter()
    crashes = high = number = 0
    with View(folder, how) as view:
        for rows, crash_after, crashes_here in [*steps, ([(0, 0)], 0, False)]:
            for later, content in rows:
                high += later // 3
                number += 1
                database.put((number, high, str(content)))
            position = note.read()
            for count, found in enumerate(batches(view, how, position)):
                seen.update(tuple(row.values()) for _, _, row in found)
                if crashes_here and count == crash_after:
                    crashes += 1
                    break
                position.take({digest: mark for mark, digest, _ in found}, how.overlap)
                note.save(position)
    assert set(seen) == set(database.rows())
    assert sum(count - 1 for count in seen.values()) <= crashes * batch
    database.engine.dispose()


def test_an_overlap_finds_what_was_committed_late(tmp_path: Path, database: Database) -> None:
    how = polled(overlap=5)
    position = Position()
    found = []
    with View(tmp_path, how) as view:
        for late in ((1, 10, "a"), (2, 12, "b"), (3, 7, "late"), (4, 6, "too late")):
            database.put(late)
            for rows in batches(view, how, position):
                found += [row["id"] for _, _, row in rows]
                position.take({digest: mark for mark, digest, _ in rows}, how.overlap)
    assert found == [1, 2, 3]


def test_a_row_that_changes_at_the_same_mark_is_read_again(
    tmp_path: Path, database: Database
) -> None:
    how, position = polled(), Position()
    database.put((1, 5, "a"), (2, 5, "b"))
    with View(tmp_path, how) as view:
        for rows in batches(view, how, position):
            position.take({digest: mark for mark, digest, _ in rows}, 0)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE t SET content = 'c' WHERE id = 1")
        (rows,) = batches(view, how, position)
    assert [row["content"] for _, _, row in rows] == ["c"]


def test_many_rows_alike_stand_in_nobodys_way(tmp_path: Path, database: Database) -> None:
    how, position = polled(batch=2), Position()
    database.put(*[(1, 5, "same")] * 50, (2, 5, "other"), (3, 6, "next"))
    found = []
    with View(tmp_path, how) as view:
        for rows in batches(view, how, position):
            found += [row["content"] for _, _, row in rows]
            position.take({digest: mark for mark, digest, _ in rows}, 0)
    assert sorted(found) == ["next", "other", "same"]


@pytest.mark.parametrize(
    "mark",
    [
        7,
        7.5,
        Decimal("7.25"),
        "2016-01-01",
        datetime.fromisoformat("2016-01-01T02:03:04.000005"),
        date(2016, 1, 1),
        b"\1",
    ],
)
def test_a_note_keeps_every_type_of_mark(tmp_path: Path, mark: Any) -> None:
    note = Note(tmp_path / "s", "v", "at")
    position = Position()
    position.take({position.digest({"a": 1}): mark}, 0)
    note.save(position)
    assert note.read() == position
    assert stat.S_IMODE(note.path.stat().st_mode) == 0o600


def test_notes_that_cannot_be_used(tmp_path: Path) -> None:
    note = Note(tmp_path / "s", "v", "at")
    assert note.read().mark is None
    position = Position()
    position.take({"d": 1}, 0)
    note.save(position)
    with pytest.raises(WatermarkError, match=r"is about v by at: name another state file"):
        Note(tmp_path / "s", "w", "at").read()
    note.path.write_text("{}")
    with pytest.raises(WatermarkError, match=r"is no note of how far.*remove it"):
        note.read()
    wrong = Position()
    wrong.take({"e": LEGAL}, 0)
    with pytest.raises(WatermarkError, match="holds identity numbers") as caught:
        note.save(wrong)
    assert LEGAL not in str(caught.value)
    with pytest.raises(WatermarkError, match="of several types"):
        position.take({"f": "text"}, 0)
    with pytest.raises(WatermarkError, match="An overlap needs"):
        before("text", 5)
    with (
        pytest.raises(WatermarkError, match="is in use by another process"),
        Hold(note),
        Hold(note),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = ", "is no TOML"),
        ('url_file = "u"', "view is missing"),
        ('url_file = "u"\nviews = "v"', "views does not exist. Did you mean 'view'?"),
        ('url_file = 1\nview = "v"', "url_file: Input should be a valid string"),
    ],
)
def test_a_wrong_file_says_what_exists(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "poll.toml"
    path.write_text(text)
    with pytest.raises(SourceError) as caught:
        read_config(path)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("no url", "holds no URL of a database: sqlite:///FILE"),
        ("oracle+oracledb://u:geheim@h/x", "pip install oracledb"),
        ("oracle+nothing://u:geheim@h/x", "pip install oracledb, and the URL oracle+oracledb://"),
        ("nodb://u:geheim@h/x", "no driver for the URL"),
    ],
)
def test_a_database_that_cannot_be_reached(tmp_path: Path, url: str, told: str) -> None:
    (tmp_path / "url").write_text(url)
    with pytest.raises(SourceError) as caught:
        View(tmp_path, polled())
    assert told in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_view_or_a_watermark_that_is_not_there(tmp_path: Path, database: Database) -> None:
    assert database.rows() == Counter()
    with (
        View(tmp_path, polled(view="w")) as view,
        pytest.raises(SourceError, match="no such table"),
    ):
        view.columns()
    with (
        View(tmp_path, polled(watermark="att")) as view,
        pytest.raises(SourceError, match=r"no column 'att'.*Did you mean 'at'.*id, at, content"),
    ):
        view.columns()
