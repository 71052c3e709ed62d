"""The broker's settings file."""

import socket
from pathlib import Path

from deploy.native.broker_settings import server_properties
from deploy.native.ports import free_ports, is_free


def parsed(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_every_listener_is_on_the_loopback_address() -> None:
    settings = parsed(server_properties(Path("/x"), 1111, 2222))
    assert settings["listeners"] == "CLIENTS://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222"
    assert settings["advertised.listeners"] == "CLIENTS://127.0.0.1:1111"


def test_a_folder_name_is_written_as_java_reads_it() -> None:
    settings = parsed(server_properties(Path("/home/张三/a\\b 𠮷"), 1, 2))
    assert settings["log.dirs"] == "/home/\\u5f20\\u4e09/a\\\\b \\ud842\\udfb7"


def test_nothing_acknowledged_expires() -> None:
    settings = parsed(server_properties(Path("/x"), 1, 2))
    assert settings["log.retention.ms"] == "-1"
    assert int(settings["offsets.retention.minutes"]) > 1000 * 365 * 24 * 60


def test_a_port_that_something_listens_on_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not is_free(taken.getsockname()[1])
    assert is_free(taken_port := free_ports(1)[0]), taken_port


def test_ports_chosen_together_differ() -> None:
    assert len(set(free_ports(20))) == 20
