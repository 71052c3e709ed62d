"""``popflow page``: the live page over a running stack or given servers."""

import os
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from deploy.native.ports import free_ports, is_free
from pipeline.cli.common import console, endpoints, fail, open_store, options, print_json, settings
from pipeline.settings import Settings


@click.command()
@click.option("--page-port", type=click.IntRange(0, 65535), help="0 takes a free one. 端口")
@click.option("--public", is_flag=True, help="Only figures that may be released. 仅公开数字")
@click.option("--open", "show", is_flag=True, help="Open it in the browser. 打开浏览器")
@options
def page(data: Path | None, as_json: bool, public: bool, show: bool, **given: Any) -> None:
    """Serve the live page until Ctrl-C. 启动网页

    `popflow up` serves one itself; this one reads any stack or ClickHouse server. On an address
    that others can reach it is public.
    """
    from consumers.page.serve import serve  # starlette and uvicorn take a moment to import

    chosen = settings(data, **given)
    where = endpoints(chosen)
    port = _port(chosen)
    url = f"http://{chosen.host}:{port}/"
    if as_json:
        print_json({"page": url})
    else:
        console.print(f"page 网页  {url}")
    if show:
        show_in_browser(url)
    with suppress(KeyboardInterrupt), open_store(where) as store:
        serve(store, host=chosen.host, port=port, public=public)


def _port(chosen: Settings) -> int:
    """The usual port when it is free; one that was named must be."""
    port = chosen.page_port
    if port and is_free(port):
        return port
    if port and "page_port" in chosen.model_fields_set:
        fail(f"port {port} is taken: name another with --page-port, or 0 for a free one")
    return free_ports(1)[0]


def show_in_browser(url: str) -> bool:
    """Open the page where there is a screen; gives whether a browser took it."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not screen:
        return False
    return webbrowser.open(url)
