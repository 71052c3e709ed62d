"""Rows of a database's view, read on from a watermark (SQLAlchemy)."""

import importlib.util
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from producers.mapping import first_fault, meant
from producers.sources.form import Source, SourceError
from producers.watermark import Mark

SOURCE = Source("sql", ("数据库视图", "view of a database"), "popflow poll")

_DRIVERS = {
    "oracle": ("oracledb", "oracle+oracledb://USER:PASSWORD@HOST:1521/?service_name=NAME"),
    "mysql": ("pymysql", "mysql+pymysql://USER:PASSWORD@HOST:3306/NAME"),
    "postgresql": ("psycopg", "postgresql+psycopg://USER:PASSWORD@HOST:5432/NAME"),
    "mssql": ("pyodbc", "mssql+pyodbc://USER:PASSWORD@HOST:1433/NAME?driver=NAME"),
}
"""Package and form of the URL of the databases that hospitals and police stations have."""


class Polled(BaseModel):
    """A file that says which view is polled and how.

    Attributes:
        url_file: file with SQLAlchemy's URL of the database, beside this file.
        view: name of the view or table.
        schema_name: of the view, where it is not the user's own.
        watermark: column that only grows: a time of the last change, or a number of changes.
        overlap: seconds, or units of a number, that are read again each time, for transactions
            that commit later than others which began after them.
        mapping: mapping file, beside this file.
        state: file that keeps how far the view was read, beside this file.
        every: seconds from one look to the next.
        batch: rows between two notes in ``state``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    url_file: str
    view: str
    schema_name: str | None = Field(default=None, alias="schema")
    watermark: str
    overlap: float = Field(default=0, ge=0, strict=False)
    mapping: str
    state: str
    every: float = Field(default=30, gt=0, strict=False)
    batch: int = Field(default=500, ge=1, le=100_000)


def read_config(path: Path) -> Polled:
    """What a file says of a view.

    Raises:
        SourceError: names what is wrong and what exists.
    """
    names = [field.alias or name for name, field in Polled.model_fields.items()]
    try:
        return Polled.model_validate(tomllib.loads(path.read_text("utf-8-sig")))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SourceError(f"{path} is no TOML in UTF-8: {error}") from None
    except ValidationError as error:
        fault = first_fault(error)
        place = str(fault["loc"][0])
        if fault["type"] == "extra_forbidden":
            raise SourceError(
                f"{path}: {place} does not exist.{meant(place, names)} There are {', '.join(names)}"
            ) from None
        told = "is missing" if fault["type"] == "missing" else f": {fault['msg']}"
        raise SourceError(f"{path}: {place} {told}".replace(" :", ":")) from None


class View:
    """A view of a database that is open.

    Args:
        folder: to which the file names of ``polled`` are relative.
        polled: which view.

    Raises:
        SourceError: no such file, no such driver.
    """

    def __init__(self, folder: Path, polled: Polled) -> None:
        self._polled = polled
        self._engine = _engine(folder / polled.url_file)
        self._view = sa.table(polled.view, schema=polled.schema_name)
        self._watermark: sa.ColumnClause[Any] = sa.column(polled.watermark)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def columns(self) -> tuple[str, ...]:
        """Names of the view's columns.

        Raises:
            SourceError: the database or the view is away, or has no such watermark.
        """
        question: sa.Select[Any] = (
            sa.select(sa.literal_column("*")).select_from(self._view).where(sa.false())
        )
        with self._asked() as connection:
            names = tuple(connection.execute(question).keys())
        if self._polled.watermark not in names:
            raise SourceError(
                f"{self._polled.view} has no column {self._polled.watermark!r} for the watermark."
                f"{meant(self._polled.watermark, names)} The columns are {', '.join(names)}"
            )
        return names

    def read(self, begin: Mark | None, most: int) -> list[Mapping[str, Any]]:
        """The first rows at or after a mark, in its order.

        Raises:
            SourceError: the database or the view is away.
        """
        question: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(self._view)
        question = question.where(
            self._watermark.is_not(None) if begin is None else self._watermark >= begin
        )
        question = question.order_by(self._watermark).limit(most)
        with self._asked() as connection:
            return [dict(row) for row in connection.execute(question).mappings()]

    def unmarked(self) -> int:
        """Rows without a watermark, which nobody would ever read.

        Raises:
            SourceError: the database or the view is away.
        """
        question = sa.select(sa.func.count()).select_from(self._view)
        with self._asked() as connection:
            return int(connection.execute(question.where(self._watermark.is_(None))).scalar_one())

    @contextmanager
    def _asked(self) -> Iterator[sa.Connection]:
        """A connection for one question; its errors without values, statements and passwords."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            said = str(cause).splitlines()[0] if str(cause) else ""
            raise SourceError(
                f"The database does not give {self._polled.view}: {type(cause).__name__}: {said}"
            ) from None


def _engine(url_file: Path) -> sa.Engine:
    try:
        written = url_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SourceError(f"The URL file {url_file} cannot be read: {why}") from None
    try:
        url = sa.make_url(written)
    except ArgumentError:
        forms = ", ".join(["sqlite:///FILE", *(form for _, form in _DRIVERS.values())])
        raise SourceError(f"The URL file {url_file} holds no URL of a database: {forms}") from None
    package, form = _DRIVERS.get(url.get_backend_name(), ("", ""))
    if package and url.get_driver_name() == package and importlib.util.find_spec(package) is None:
        raise SourceError(f"The driver of this database is missing: pip install {package}")
    try:
        return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except (NoSuchModuleError, ImportError):
        way_out = f"pip install {package}, and the URL {form}" if package else "correct the URL"
        raise SourceError(
            f"There is no driver for the URL in {url_file} ({url.drivername}): {way_out}"
        ) from None
