"""``popflow gateway``: who may use the HTTP gateway."""

from pathlib import Path

import click

from pipeline.cli.common import console, errors, fail, options, print_json, settings
from pipeline.cli.common import table as new_table
from producers.sources.gateway_tokens import Token, TokenError, TokenFile


@click.group()
def gateway() -> None:
    """The HTTP gateway (`popflow listen http`). 接入网关"""


@gateway.group()
def token() -> None:
    """Tokens of publishers, kept as hashes. 令牌"""


@token.command("add")
@click.argument("source")
@options
def add(source: str, data: Path | None, as_json: bool) -> None:
    """Make a token for a publisher; it is shown once. 新建令牌"""
    try:
        made = TokenFile(settings(data).gateway_tokens).add(source)
    except TokenError as error:
        fail(str(error), code=2)
    if as_json:
        print_json({"source": source, "token": made})
    else:
        click.echo(made)
        errors.print(f"for {source}; it is not shown again 令牌仅显示一次")


@token.command("list")
@options
def list_tokens(data: Path | None, as_json: bool) -> None:
    """Show which tokens there are, not the tokens. 列出令牌"""
    known = _known(TokenFile(settings(data).gateway_tokens))
    if as_json:
        print_json([_shown(one) for one in known])
        return
    drawn = new_table("编号 id", "来源 source", "新建 added", "吊销 revoked")
    for one in known:
        drawn.add_row(one.id, one.source, one.added_at, one.revoked_at)
    console.print(drawn)


@token.command("revoke")
@click.argument("source")
@options
def revoke(source: str, data: Path | None, as_json: bool) -> None:
    """End all tokens of SOURCE, or the one with that id, at once. 吊销令牌"""
    try:
        ended = TokenFile(settings(data).gateway_tokens).revoke(source)
    except TokenError as error:
        fail(str(error))
    if as_json:
        print_json([_shown(one) for one in ended])
    else:
        console.print("\n".join(f"{one.id} of {one.source} is revoked 已吊销" for one in ended))


def _known(file: TokenFile) -> list[Token]:
    try:
        return file.all()
    except TokenError as error:
        fail(str(error))


def _shown(one: Token) -> dict[str, str]:
    return {
        "id": one.id,
        "source": one.source,
        "added_at": one.added_at,
        "revoked_at": one.revoked_at,
    }
