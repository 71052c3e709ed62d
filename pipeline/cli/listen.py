"""``popflow listen``: HL7 v2 over MLLP, FHIR and JSON over HTTP.

Nothing is answered *accepted* before Kafka has it.
"""

import asyncio
import gc
import resource
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.native.ports import is_free
from pipeline.cli.common import (
    console,
    endpoints,
    errors,
    fail,
    options,
    print_json,
    settings,
    signer,
)
from pipeline.cli.processes import log_to_stderr
from pipeline.metrics import LISTENER_ANSWERS
from pipeline.metrics import serve as serve_metrics
from pipeline.settings import Settings
from producers.delivery import PublishingError
from producers.handover import Handover
from producers.kit import Publisher
from producers.link import Tuning
from producers.pseudonyms import KeyFileError, Pseudonymizer
from producers.sources.clinical import Sender
from producers.sources.gateway_tokens import TokenError, TokenFile
from schemas.districts import COUNTED_AS
from schemas.sources import NAME

if TYPE_CHECKING:
    from starlette.applications import Starlette

Serve = Callable[[Handover, ssl.SSLContext | None, int], Awaitable[None]]


@click.group()
def listen() -> None:
    """Receive events over the network, on 127.0.0.1 unless told otherwise. 接收网络数据"""


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every listener."""
    for option in reversed(
        (
            click.option("--bootstrap", help="Kafka servers. Kafka 地址"),
            click.option("--host", help="Address to bind. 监听地址 [default: 127.0.0.1]"),
            click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one. 端口"),
            click.option("--source", help="Publisher to speak for. 来源名称"),
            click.option(
                "--facility",
                "facilities",
                multiple=True,
                metavar="CODE=DISTRICT",
                help="A hospital that speaks here. 医院代码=所在区划",
            ),
            click.option("--key-file", type=_FILE, help="Of the city's key. 假名密钥文件"),
            click.option(
                "--answer-seconds",
                type=click.FloatRange(0, min_open=True),
                help="How long to wait for Kafka. 等待入库时限",
            ),
            click.option("--tls-certificate", type=_FILE, help="PEM; speaks TLS. 证书"),
            click.option("--tls-key", type=_FILE, help="Its private key. 私钥"),
            click.option("--tls-client-ca", type=_FILE, help="Peers need a certificate. 客户端 CA"),
            click.option(
                "--metrics-port",
                type=click.IntRange(0, 65535),
                help="Serve /metrics; 0 takes a free one. 指标端口 [default: none]",
            ),
        )
    ):
        command = option(command)
    return options(command)


_LOCAL = ("127.0.0.1", "::1", "localhost")
_FILE = click.Path(path_type=Path, dir_okay=False)


@listen.command("hl7")
@_common
def hl7(
    data: Path | None,
    as_json: bool,
    port: int | None,
    metrics_port: int | None,
    **given: Any,
) -> None:
    """Receive HL7 v2 (ADT) over MLLP from a hospital's system. 接收 HL7 v2（MLLP）

    AA is answered when Kafka has the events; AE says what to mend, AR what is not taken. Identity
    numbers become pseudonyms here: run it inside the hospital.
    """
    from producers.sources.hl7_server import MllpServer

    chosen, port = _chosen(data, "hl7_port", port, given)
    _bootstrap(chosen)
    sender = _sender(chosen)
    if sender is None:
        fail("an HL7 listener needs --source, --key-file and --facility CODE=DISTRICT", code=2)

    async def serve(handover: Handover, tls: ssl.SSLContext | None, port: int) -> None:
        stopped = _until_stopped()
        server = MllpServer(sender, handover, charset=chosen.hl7_charset, on_answer=_counter("hl7"))
        served = _metrics(chosen, metrics_port)
        bound = await server.start(chosen.host, port, tls)
        _announce("hl7", "mllps" if tls else "mllp", chosen, bound, served, as_json=as_json)
        async with server:
            await stopped.wait()
        errors.print(" ".join(f"{code} {n:,}" for code, n in sorted(server.answers.items())))

    _run(chosen, serve, port)


@listen.command("http")
@_common
def http(
    data: Path | None,
    as_json: bool,
    port: int | None,
    metrics_port: int | None,
    **given: Any,
) -> None:
    """Receive events as JSON, and FHIR R4, over HTTP. 接收 JSON 与 FHIR（HTTP）

    Who may send what is said by tokens: `popflow gateway token add SOURCE`. FHIR needs --key-file
    and --facility too, since identity numbers become pseudonyms here.
    """
    chosen, port = _chosen(data, "http_port", port, given)

    async def serve(handover: Handover, tls: ssl.SSLContext | None, port: int) -> None:
        from producers.sources import http_server

        stopped = _until_stopped()
        application = _gateway(chosen, handover)
        served = _metrics(chosen, metrics_port)
        listener = http_server.listening(chosen.host, port)
        bound = listener.getsockname()[1]
        _announce("http", "https" if tls else "http", chosen, bound, served, as_json=as_json)
        await http_server.serve(
            application, listener, stopped, tls=None if tls is None else lambda: tls
        )

    _run(chosen, serve, port)


def _gateway(chosen: Settings, handover: Handover) -> "Starlette":
    from producers.sources.fhir_http import Fhir
    from producers.sources.gateway import Gateway
    from producers.sources.gateway_http import Door
    from producers.sources.gateway_limits import Answers
    from producers.sources.gateway_receipts import ReceiptKeyError, Signer

    tokens = TokenFile(chosen.gateway_tokens)
    try:
        signer = Signer.from_file(chosen.data / "gateway" / "receipt.key")
        if not tokens.all():
            errors.print("No tokens yet: `popflow gateway token add SOURCE` makes one. 尚无令牌")
    except (ReceiptKeyError, TokenError) as error:
        fail(str(error))
    door = Door(tokens, rate=chosen.gateway_events_per_second, most_bytes=chosen.gateway_body_bytes)
    count = _counter("http")
    fhir = Fhir(handover, door, *_fhir_edge(chosen), on_answer=count)
    gateway = Gateway(handover, door, signer, Answers(), on_answer=count)
    return gateway.application(*fhir.routes())


def _counter(listener: str) -> Callable[[str], None]:
    return lambda answer: LISTENER_ANSWERS.labels(listener, answer).inc()


def _metrics(chosen: Settings, port: int | None) -> str | None:
    """Where ``/metrics`` is served, when it is asked for."""
    if port is None:
        return None
    return f"http://{_shown(chosen.host)}:{serve_metrics(chosen.host, port)}/metrics"


def _fhir_edge(chosen: Settings) -> tuple[Pseudonymizer | None, dict[str, str]]:
    """Key and hospitals; FHIR is served where both are named."""
    if chosen.key_file is None or not chosen.facilities:
        return None, {}
    return _pseudonyms(chosen.key_file), _facilities(chosen.facilities)


def _pseudonyms(path: Path) -> Pseudonymizer:
    try:
        return Pseudonymizer.from_file(path)
    except KeyFileError as error:
        fail(str(error), code=2)


def _chosen(
    data: Path | None, name: str, port: int | None, given: dict[str, Any]
) -> tuple[Settings, int]:
    """The settings, and the port to bind: the usual one or, where that is taken, a free one."""
    facilities = ",".join(given.pop("facilities")) or None
    chosen = settings(data, **{name: port}, facilities=facilities, **given)
    wanted: int = getattr(chosen, name)
    if wanted and chosen.host == "127.0.0.1" and not is_free(wanted):
        if name in chosen.model_fields_set:
            fail(f"port {wanted} is taken: name another with --port, or 0 for a free one")
        wanted = 0
    return chosen, wanted


def _sender(chosen: Settings) -> Sender | None:
    """Who speaks here; ``None`` when no source and no key is named."""
    if chosen.source is None or chosen.key_file is None or not chosen.facilities:
        return None
    if not NAME.match(chosen.source):
        fail(
            f"{chosen.source!r} is no source: write <sector>.<name>, as health.my-hospital", code=2
        )
    return Sender(chosen.source, _pseudonyms(chosen.key_file), _facilities(chosen.facilities))


def _facilities(written: str) -> dict[str, str]:
    found = {}
    for one in written.split(","):
        code, _, district = one.strip().partition("=")
        if not code or district not in COUNTED_AS:
            fail(
                f"{one.strip()!r} names no hospital: write CODE=DISTRICT with a district of the "
                "city, as H7=320508",
                code=2,
            )
        found[code] = district
    return found


def _bootstrap(chosen: Settings) -> str:
    """Kafka's address: the one given, or that of the stack on the data folder."""
    without_store = {"clickhouse": chosen.clickhouse or "a listener needs no store"}
    where = endpoints(chosen.model_copy(update=without_store))
    return chosen.bootstrap or where.bootstrap


def _tls(chosen: Settings) -> ssl.SSLContext | None:
    if chosen.tls_certificate is None:
        if chosen.tls_key or chosen.tls_client_ca:
            fail("TLS needs --tls-certificate", code=2)
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(chosen.tls_certificate, chosen.tls_key)
        if chosen.tls_client_ca is not None:
            context.load_verify_locations(chosen.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a certificate and its key"
        fail(f"the TLS files cannot be used ({reason}): name PEM files of one pair", code=2)
    return context


def _until_stopped() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _announce(
    name: str, scheme: str, chosen: Settings, port: int, metrics: str | None, *, as_json: bool
) -> None:
    url = f"{scheme}://{_shown(chosen.host)}:{port}"
    if chosen.tls_certificate is None and chosen.host not in _LOCAL:
        errors.print(
            f"{url} is open to the network without TLS: name --tls-certificate and --tls-key. "
            "未加密"
        )
    if as_json:
        told = {"listener": name, "url": url, "host": chosen.host, "port": port}
        more = {"bootstrap": _bootstrap(chosen), "source": chosen.source, "metrics": metrics}
        print_json({**told, **more})
        sys.stdout.flush()
    else:
        console.print(f"{name} listens on {url}; Ctrl-C ends it 正在监听")


def _run(chosen: Settings, serve: Serve, port: int) -> None:
    bootstrap, tls = _bootstrap(chosen), _tls(chosen)
    log_to_stderr(chosen)
    gc.set_threshold(50_000, 20, 50)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash writes no number to the disk

    async def run() -> None:
        tuning = Tuning(linger_ms=5, sign=signer(chosen))
        handover = Handover(
            lambda note: Publisher(
                bootstrap, patience=chosen.answer_seconds, on_delivery=note, tuning=tuning
            ),
            answer_seconds=chosen.answer_seconds,
        )
        async with handover:
            await serve(handover, tls, port)

    try:
        asyncio.run(run())
    except PublishingError as error:
        fail(str(error))
    except OSError as error:
        fail(f"cannot listen on {chosen.host}: {error.strerror}; choose another --host or --port")
