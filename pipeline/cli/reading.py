"""What commands that read publishers' tables share: mapping, key, and the table of a dry run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from deploy.native.endpoints import running
from pipeline.cli.common import console, endpoints, fail, open_store, print_json
from pipeline.cli.common import table as new_table
from pipeline.settings import Settings
from producers.checking import Checked, check_files
from producers.items import Fault
from producers.keys import KeyFileError
from producers.mapping import MappingError, MappingFile, read_mapping
from producers.pseudonyms import Pseudonymizer
from producers.publishing import Stamp
from producers.sources.files import Reading, SourceError

_FAULTS_SHOWN = 50

key_option = click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the city's key; else the setting key_file. 密钥文件",
)


def reading(
    chosen: Settings,
    mapping_file: Path | None,
    key_file: Path | None,
    *,
    kind: str | None = None,
    encoding: str | None = None,
    rotate: bool = False,
) -> Reading:
    """How files are read, from the options of a command; a wrong one is wrong use (2)."""
    if mapping_file is None:
        if rotate:
            fail("--rotate needs --mapping: without one, persons are pseudonyms already", code=2)
        return Reading(kind=kind, encoding=encoding)
    if kind is not None:
        fail("--kind and --mapping: the mapping says the kind", code=2)
    try:
        mapping = read_mapping(mapping_file)
    except MappingError as error:
        fail(str(error), code=2)
    pseudonyms = pseudonyms_of(chosen, mapping, key_file)
    if rotate and (pseudonyms is None or not pseudonyms.earlier):
        fail("--rotate: the key file has no earlier key; `popflow key rotate` adds one", code=2)
    return Reading(encoding=encoding, mapping=mapping, pseudonyms=pseudonyms, rotate=rotate)


def pseudonyms_of(
    chosen: Settings, mapping: MappingFile, key_file: Path | None
) -> Pseudonymizer | None:
    """With the key that is named; ``None`` when none is named and none is needed."""
    named = key_file or chosen.key_file
    hidden = [name for name, rule in mapping.fields.items() if rule.pseudonym is not None]
    if named is None:
        if hidden:
            fail(
                f"{', '.join(hidden)} must become pseudonyms: name the file of the city's key with "
                "--key-file or the setting key_file; `popflow key new FILE` makes one",
                code=2,
            )
        return None
    try:
        return Pseudonymizer.from_file(named)
    except KeyFileError as error:
        fail(str(error))


def show_check(
    files: Sequence[Path], how: Reading, stamp: Stamp, chosen: Settings, as_json: bool
) -> None:
    """Run dry, show what is wrong, and end with 1 when something is."""
    registered = None
    if running(chosen.data) is not None:
        from consumers.store.registry import registered as registry  # a client takes 0.1 s

        with open_store(endpoints(chosen)) as store:
            registered = {source.name: source.priority for source in registry(store)}
    try:
        checked = check_files(files, how, stamp=stamp, registered=registered)
    except (SourceError, MappingError) as error:
        fail(str(error))
    show_checked(checked, as_json, registry=registered is not None, several=len(files) > 1)


def show_checked(checked: Checked, as_json: bool, *, registry: bool, several: bool = False) -> None:
    """Show what a dry run found, and end with 1 when something is wrong."""
    if as_json:
        print_json(
            {
                "accepted": sum(checked.accepted.values()),
                "by_kind": dict(checked.accepted),
                "withdrawn": checked.withdrawn,
                "refused": checked.refused,
                "registry": registry,
                "faults": [as_dict(fault) for fault in checked.faults],
            }
        )
    else:
        _print(checked, several, registry)
    if checked.refused:
        raise SystemExit(1)


def as_dict(fault: Fault) -> dict[str, Any]:
    """A fault for a program; ``reason`` has the way out too, ``detail`` and ``mend`` apart."""
    return {
        "line": fault.line,
        "reason": fault.told,
        "path": fault.path,
        "code": fault.code,
        "detail": fault.reason,
        "mend": fault.mend,
    }


def _print(checked: Checked, several: bool, with_registry: bool) -> None:
    shown = checked.faults[:_FAULTS_SHOWN]
    if shown:
        files = ("文件 file",) if several else ()
        drawn = new_table(*files, "行 line", "原因 reason", "更正 mend")
        for fault in shown:
            file = (Path(fault.path).name,) if several else ()
            drawn.add_row(*file, str(fault.line), fault.reason, fault.mend)
        console.print(drawn)
    if checked.refused > len(shown):
        console.print(f"… {checked.refused - len(shown):,} more; --json shows 1,000 余略")
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(checked.accepted.items()))
    console.print(
        f"{sum(checked.accepted.values()):,} right 无误 ({kinds or '-'}; "
        f"{checked.withdrawn:,} withdrawn 撤销), {checked.refused:,} wrong 有误; nothing was sent "
        "未发送"
    )
    if not with_registry:
        console.print(
            "The registry of sources was not looked at: no stack runs here. 未核对来源登记"
        )
