"""The MLLP listener with a real Kafka behind it and independent clients before it."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import hl7
import pytest
import trustme
from hl7.client import MLLPClient
from hl7apy.core import Message as ApyMessage
from hl7apy.parser import parse_message

from deploy.native.kafka import KafkaServer
from deploy.native.topics import ensure_topics
from schemas.topics import specs
from tests.sources import adt
from tests.sources.listening import Listener, consumed

# kafka-python leaves sockets that were refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*<socket\.socket fd:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka"), heap="256m") as server:
        ensure_topics(server.bootstrap, specs())
        yield server


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def listener(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    folder = tmp_path_factory.mktemp("hl7")
    with Listener("hl7", folder, kafka.bootstrap, "--metrics-port", "0") as running:
        yield running


def asked(port: int, text: str | bytes, codec: str = "utf-8") -> hl7.Message:
    """What python-hl7's client is answered."""
    with MLLPClient("127.0.0.1", port) as client:
        raw = client.send_message(text if isinstance(text, bytes) else text.encode(codec))
    assert raw.startswith(b"\x0b")
    assert raw.endswith(b"\x1c\r")
    return hl7.parse(raw[1:-2].decode(codec))


def code(ack: hl7.Message) -> str:
    return str(ack["MSA"][0][1])


def records(kafka: KafkaServer) -> Counter[str]:
    return Counter(event["record_id"] for event in consumed(kafka.bootstrap))


def test_accepted_refused_and_repeated(kafka: KafkaServer, listener: Listener) -> None:
    message = adt.discharge("K1", case="BA-K1")
    first = asked(listener.port, message)
    assert (code(first), str(first["MSA"][0][2])) == ("AA", "K1")
    assert records(kafka)["H7/BA-K1/1"] == 1, "an AA means that Kafka has it"
    again = asked(listener.port, message)
    assert (code(again), str(again["MSA"][0][2])) == ("AA", "K1")
    assert records(kafka)["H7/BA-K1/1"] == 1, "a repeat is acknowledged, not sent"

    wrong = asked(listener.port, adt.discharge("K2", case="BA-K2", pv1={36: ""}))
    assert (code(wrong), str(wrong["ERR"][0][3][0][0])) == ("AE", "101")
    assert str(wrong["ERR"][0][2]) == "PV1^1^36"
    other = asked(listener.port, adt.discharge("K3", "A40", case="BA-K3"))
    assert (code(other), str(other["ERR"][0][3][0][0])) == ("AR", "201")
    mended = asked(listener.port, adt.discharge("K2", case="BA-K2"))
    assert code(mended) == "AA"
    assert set(records(kafka)) >= {"H7/BA-K1/1", "H7/BA-K2/1"}
    assert "H7/BA-K3/1" not in records(kafka)


def test_hl7apy_builds_the_message_and_reads_the_answer(
    kafka: KafkaServer, listener: Listener
) -> None:
    made = ApyMessage("ADT_A03", version="2.5")
    for line in adt.discharge("APY1", case="BA-APY").split("\r"):
        name, _, _ = line.partition("|")
        if name == "MSH":
            made.msh = line
        elif name and name != "ZCN":
            made.add_segment(name).value = line
    made.add_segment("ZCN").value = "ZCN|1|7000.00|4900.00"
    with socket.create_connection(("127.0.0.1", listener.port), 30) as connection:
        connection.sendall(made.to_mllp().encode())
        raw = b""
        while not raw.endswith(b"\x1c\r"):
            raw += connection.recv(4096)
    answer = parse_message(raw[1:-2].decode(), find_groups=False)
    assert answer.msa.msa_1.value == "AA"
    assert answer.msa.msa_2.value == "APY1"
    assert records(kafka)["H7/BA-APY/1"] == 1


def test_chinese_character_set(kafka: KafkaServer, listener: Listener) -> None:
    header = {"charset": "GB 18030-2000"}
    message = adt.discharge("GB1", case="BA-GB", header=header)
    assert code(asked(listener.port, message, "gb18030")) == "AA"
    wrong = asked(listener.port, message.replace("|7000.00|", "||"), "gb18030")
    assert "缺少金额" in str(wrong["ERR"][0][8])
    assert records(kafka)["H7/BA-GB/1"] == 1


async def _answers(port: int, sent: bytes, number: int) -> list[bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    got = [await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60) for _ in range(number)]
    writer.close()
    return got


async def test_many_at_once_are_answered_in_their_order(listener: Listener) -> None:
    frames = []
    for number in range(300):
        fields = {36: ""} if number % 3 == 0 else {}
        frames.append(adt.framed(adt.discharge(f"P{number}", case=f"BA-P{number}", pv1=fields)))
    got = await _answers(listener.port, b"".join(frames), 300)
    for number, answer in enumerate(got):
        wanted = b"AE" if number % 3 == 0 else b"AA"
        assert b"MSA|%s|P%d" % (wanted, number) in answer


async def test_broken_and_slow_peers_disturb_nobody(listener: Listener) -> None:
    good = adt.framed(adt.discharge("B1", case="BA-B1"))
    for broken in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x0b", b"\x0bMSH|", good[:-1], b"\x1c\r" * 9):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(broken)
        writer.close()
    noise = b"noise" + good + b"\r\n" + b"\x0bMSH|^~\\&|half" + good
    answers = await _answers(listener.port, noise, 2)
    assert all(b"MSA|AA|B1" in answer for answer in answers)
    piecemeal = adt.framed(adt.discharge("B2", case="BA-B2"))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    for byte in piecemeal:
        writer.write(bytes([byte]))
        await writer.drain()
    assert b"MSA|AA|B2" in await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60)
    writer.write(b"\x0b" + b"x" * (1 << 20) + b"y")
    assert b"MSA|AR" in await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60)
    assert await reader.read() == b"", "too long: cut off"
    writer.close()


async def test_no_number_is_written_down(listener: Listener) -> None:
    frames = [
        adt.framed(adt.discharge(adt.PATIENT)),
        adt.framed(adt.discharge("L1", number="320502195006150017")),
        adt.framed(f"MSH|^~\\&|{adt.PATIENT}"),
    ]
    for frame in frames:
        (answer,) = await _answers(listener.port, frame, 1)
        assert b"3205021950" not in answer
    assert "3205021950" not in listener.said


def test_answers_are_counted(listener: Listener) -> None:
    asked(listener.port, adt.discharge("Q1", "A40"))
    with urlopen(listener.ready["metrics"], timeout=30) as answer:
        text = answer.read().decode()
    found = re.search(r'listener_answers_total{answer="AR",listener="hl7"} (\d+)', text)
    assert found is not None
    assert int(found[1]) >= 1


async def test_tls_and_client_certificates(kafka: KafkaServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client.example")
    names = {"ca": authority.cert_pem, "key": server.private_key_pem}
    for name, blob in names.items():
        blob.write_to_path(tmp_path / name)
    chain = b"".join(blob.bytes() for blob in server.cert_chain_pems)
    (tmp_path / "cert").write_bytes(chain)
    arguments = [
        *("--tls-certificate", str(tmp_path / "cert"), "--tls-key", str(tmp_path / "key")),
        *("--tls-client-ca", str(tmp_path / "ca")),
    ]
    context = ssl.create_default_context(cafile=str(tmp_path / "ca"))
    with Listener("hl7", tmp_path / "tls", kafka.bootstrap, *arguments) as listener:
        assert listener.url.startswith("mllps://")
        frame = adt.framed(adt.discharge("TLS1", case="BA-TLS"))
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await _over_tls(listener.port, context, frame)
        client.configure_cert(context)
        answer = await _over_tls(listener.port, context, frame)
        assert b"MSA|AA|TLS1" in answer


async def _over_tls(port: int, context: ssl.SSLContext, frame: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(frame)
        return await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 60)
    finally:
        writer.close()


class Peer:
    """A sender as hospitals have them: sends again what is not acknowledged, connects anew."""

    def __init__(self, port: int, numbers: range, window: int, enough: int) -> None:
        self._port = port
        self._left = list(numbers)
        self._window = window
        self._enough = enough
        self.under_way = asyncio.Event()
        self.answers: Counter[str] = Counter()

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while self._left:
            batch = self._left[: self._window]
            for number in batch:
                writer.write(adt.framed(adt.discharge(f"R{number}", case=f"BA-R{number:06d}")))
            for number in batch:
                answer = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 120)
                given = answer.split(b"MSA|")[1][:2].decode()
                self.answers[given] += 1
                if given == "AA":
                    assert b"|R%d" % number in answer
                    self._left.remove(number)
                if self.answers["AA"] >= self._enough:
                    self.under_way.set()
        writer.close()


async def _through_a_restart(folder: Path, number: int, seconds: str) -> Counter[str]:
    server = KafkaServer(folder / "kafka", heap="256m")
    server.start()
    try:
        ensure_topics(server.bootstrap, specs())
        env_arguments = ("--answer-seconds", seconds)
        with Listener("hl7", folder / "hl7", server.bootstrap, *env_arguments) as listener:
            peers = [Peer(listener.port, range(n, number, 8), 32, number // 32) for n in range(8)]
            running = asyncio.gather(*(peer.run() for peer in peers))
            await asyncio.wait_for(peers[0].under_way.wait(), 60)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await asyncio.wait_for(running, 240)
        found = {event["record_id"] for event in consumed(server.bootstrap)}
        assert found == {f"H7/BA-R{n:06d}/1" for n in range(number)}
        return sum((peer.answers for peer in peers), Counter())
    finally:
        server.stop()


async def test_none_is_lost_when_kafka_restarts(tmp_path: Path) -> None:
    answers = await _through_a_restart(tmp_path, 2_000, "60")
    assert answers == {"AA": 2_000}, "the listener waits for Kafka as long as it was told"


@pytest.mark.long
@pytest.mark.parametrize("seconds", ["60", "1"])
async def test_ten_thousand_through_a_restart(tmp_path: Path, seconds: str) -> None:
    """With little patience messages are refused with AR, sent again, and none is lost."""
    answers = await _through_a_restart(tmp_path, 10_000, seconds)
    assert answers["AA"] == 10_000
    assert set(answers) <= ({"AA"} if seconds == "60" else {"AA", "AR"})
