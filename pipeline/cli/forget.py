"""``popflow forget``: erase persons everywhere, and certify it."""

import getpass
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from consumers.certificate import CertificateError, issue, verify
from deploy.native.stack import vacant_workers
from pipeline.app import JournalReader
from pipeline.cli.audit import await_no_workers
from pipeline.cli.common import (
    console,
    endpoints,
    errors,
    fail,
    open_store,
    options,
    print_json,
    settings,
)
from pipeline.forgetting import forget as erase
from pipeline.forgetting import known
from pipeline.positions import Positions
from pipeline.settings import Settings
from pipeline.state import StateHeld
from schemas.clock import ZONE

CERTIFICATES = "certificates"
_PSEUDONYM = re.compile(r"[0-9a-f]{32}")


@click.command()
@click.argument("persons", nargs=-1)
@click.option(
    "--verify",
    "certificate",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Check a certificate instead. 验证证明",
)
@options
def forget(
    persons: tuple[str, ...], certificate: Path | None, data: Path | None, as_json: bool
) -> None:
    """Erase PERSONS (pseudonyms) from journal, topics, records and state. 遗忘某人

    Published figures stay as they are. The workers step aside meanwhile, as for a rebuild. Another
    run completes one that was interrupted. The certificate is kept in the data folder.
    """
    if certificate is not None:
        _check(certificate, as_json=as_json)
        return
    wanted = list(dict.fromkeys(persons))
    if not wanted or not all(_PSEUDONYM.fullmatch(person) for person in wanted):
        fail("name persons by their pseudonyms, 32 lower-case hex digits each", code=2)
    chosen = settings(data)
    about = _erase(chosen, wanted)
    path = issue(chosen.data / CERTIFICATES, about)
    if as_json:
        print_json({**about, "certificate": str(path)})
    else:
        console.print(
            f"{len(wanted)} forgotten: {about['journal']:,} journal records, {about['raw']:,} raw "
            f"and {about['refused']:,} refused messages, {about['reports']['reports']:,} reports"
        )
        if about["named_by_others"]:
            console.print(
                f"{about['named_by_others']:,} records of others still name them, as mother or "
                "household: these are the others' records"
            )
        console.print(f"certificate 证明: {path}")
    if about["left"]:
        fail(f"still found in {', '.join(about['left'])}: run the command again")


def _erase(chosen: Settings, wanted: list[str]) -> dict[str, Any]:
    where = endpoints(chosen)
    positions = Positions(where.bootstrap)
    try:
        with open_store(where) as store:
            unknown = set(wanted) - known(store, wanted)
            if unknown:
                fail(f"nothing is known of {', '.join(sorted(unknown))}; nothing was changed")
            with vacant_workers(chosen.data):
                await_no_workers(positions, chosen)
                began = datetime.now(ZONE)
                erased = erase(
                    where.bootstrap,
                    store,
                    chosen.state,
                    JournalReader(where.bootstrap),
                    wanted,
                    positions.journal_ends(),
                    lambda step: errors.print(f"[dim]{step}[/dim]"),
                )
    except StateHeld as error:
        fail(f"{error}: stop every `popflow worker` on {chosen.state}, then try again")
    finally:
        positions.close()
    return {
        "what": "popflow certificate of erasure",
        "began": began.isoformat(timespec="seconds"),
        "ended": datetime.now(ZONE).isoformat(timespec="seconds"),
        "by": getpass.getuser(),
        **vars(erased),
    }


def _check(path: Path, *, as_json: bool) -> None:
    try:
        body = verify(path)
    except CertificateError as error:
        fail(str(error))
    if as_json:
        print_json(body)
    else:
        console.print(f"{path}: holds; erased {body['began']} by {body['by']}")
