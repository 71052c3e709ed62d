"""``popflow source``: the registry of publishers."""

from pathlib import Path

import click

from consumers.store.client import Store
from consumers.store.registry import add_source, registered, remove_source
from deploy.kafka import acls
from deploy.native.endpoints import Endpoints
from deploy.native.secure import Trust, let_in
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from pipeline.cli.common import table as new_table
from pipeline.settings import Settings
from schemas.events import KINDS
from schemas.sources import Source


@click.group()
def source() -> None:
    """Who may publish, and whose word comes first. 来源登记"""


@source.command("add")
@click.argument("name")
@click.option(
    "--priority", type=click.IntRange(1), required=True, help="The smallest comes first. 优先级"
)
@click.option(
    "--kafka",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Let it write to a secure Kafka; FOLDER gets all that its client needs. 客户端文件夹",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([*KINDS]),
    help="With --kafka: what it may write; all when left out. 事件种类",
)
@options
def add(
    name: str,
    priority: int,
    folder: Path | None,
    kinds: tuple[str, ...],
    data: Path | None,
    as_json: bool,
) -> None:
    """Register a source, or give it another priority. 登记来源"""
    try:
        wanted = Source(name, priority)
    except ValueError as error:
        fail(str(error), code=2)
    chosen = settings(data)
    where = endpoints(chosen)
    client = None if folder is None else _let_in(chosen, where, name, folder, kinds)
    with open_store(where) as store:
        known = {known.name: known for known in registered(store)}
        changed = known.get(name) != wanted
        reordered = changed and name in known and _has_sent(store, name)
        if changed:
            add_source(store, wanted)
    if as_json:
        said = {"name": name, "priority": priority, "changed": changed, "rebuild": reordered}
        print_json(said | ({"kafka_client": str(client)} if client else {}))
        return
    if client is not None:
        console.print(f"what its client needs is in {client.parent}: hand it over in person")
    console.print(f"{name} has priority {priority}" + ("" if changed else " already"))
    if reordered:
        console.print("It has sent events already: run `popflow rebuild` to weigh them anew.")


def _let_in(
    chosen: Settings, where: Endpoints, name: str, folder: Path, kinds: tuple[str, ...]
) -> Path:
    """Make the client's folder, and the broker's rules for it."""
    trust = chosen.data / "trust"
    if not trust.exists():
        fail(
            f"the stack on {chosen.data} has no Kafka that asks who comes: start one with "
            "`popflow up --secure`; for a Kafka of your own see deploy/kafka/README.md"
        )
    topics = [KINDS[kind].topic for kind in kinds or KINDS]
    client = Trust(trust).client(name, folder.absolute())
    let_in(where.bootstrap, client, acls.publisher(name, topics))
    return client


def _has_sent(store: Store, name: str) -> bool:
    question = "SELECT count() FROM population.reports WHERE source = {name:String}"
    return bool(store.query(question, {"name": name})[0][0])


@source.command("list")
@options
def list_sources(data: Path | None, as_json: bool) -> None:
    """Show the registry. 列出来源"""
    with open_store(endpoints(settings(data))) as store:
        known = registered(store)
    if as_json:
        print_json([{"name": s.name, "sector": s.sector, "priority": s.priority} for s in known])
        return
    drawn = new_table("来源 source", "部门 sector", "优先级 priority")
    for one in known:
        drawn.add_row(one.name, one.sector, str(one.priority))
    console.print(drawn)


@source.command("remove")
@click.argument("name")
@options
def remove(name: str, data: Path | None, as_json: bool) -> None:
    """Refuse a source's events from now on; what it sent stays. 移除来源"""
    with open_store(endpoints(settings(data))) as store:
        known = next((known for known in registered(store) if known.name == name), None)
        if known is None:
            fail(f"{name} is not registered; `popflow source list` shows who is")
        remove_source(store, known)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        console.print(f"{name} is removed; its events are refused from now on")
