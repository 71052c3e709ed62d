"""``popflow reads``: who read rows about persons."""

import re
from pathlib import Path

import click

from consumers.store.server.reads import shown
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from pipeline.cli.common import table as new_table

_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
_SHOWN = 50


@click.command()
@click.option("--person", help="Only statements that name this pseudonym. 假名")
@options
def reads(person: str | None, data: Path | None, as_json: bool) -> None:
    """Show who read records, people, findings or refused messages, the newest first. 读取日志"""
    if person is not None and not _PSEUDONYM.fullmatch(person):
        fail("--person is a pseudonym of 32 lower-case hex digits", code=2)
    with open_store(endpoints(settings(data))) as store:
        rows = store.query(
            "SELECT read_at, account, who, tables, statement FROM population.reads"
            " WHERE {needle:String} = '' OR position(statement, {needle:String}) > 0"
            " ORDER BY read_at DESC LIMIT {most:UInt64}",
            {
                "needle": f"person:{shown(person)}" if person else "",
                "most": 2**63 if as_json else _SHOWN,
            },
        )
    if as_json:
        names = ("read_at", "account", "who", "tables", "statement")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    drawn = new_table("时间 when", "账号 account", "谁 who", "语句 statement")
    for read_at, account, who, _, statement in rows:
        drawn.add_row(f"{read_at:%Y-%m-%d %H:%M:%S}", account, who, " ".join(statement.split()))
    console.print(drawn)
