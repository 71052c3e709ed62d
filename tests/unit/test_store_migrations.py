"""The order of migrations, without a store."""

import re

import pytest

from consumers.store import migrate
from consumers.store.sql import statements


def test_bundled_migrations_are_in_order():
    numbers = [migration.number for migration in migrate.bundled()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_every_statement_may_run_again():
    again = re.compile(r"CREATE TABLE IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE")
    for migration in migrate.bundled():
        for statement in statements(migration.script):
            assert again.search(statement), (migration.name, statement[:80])


@pytest.mark.parametrize(
    "files",
    [[("1_a.sql", "")], [("0001_A.sql", "")], [("0001_a.sql", ""), ("0001_b.sql", "")]],
)
def test_misnamed_files_are_refused(files):
    with pytest.raises(migrate.MigrationError, match=re.escape(files[-1][0])):
        migrate.read(files)


def test_what_python_keeps_beside_them_is_left_out(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__init__.py").touch()
    (tmp_path / "0001_first.sql").write_text("SELECT 1", "utf-8")
    assert [migration.number for migration in migrate.read_folder(tmp_path)] == [1]
