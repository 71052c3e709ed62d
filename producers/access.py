"""Who this process is towards Kafka: encryption, user and certificate, from one file.

The file has the names of librdkafka's settings, one ``name=value`` a line, ``#`` before a comment:
``security.protocol`` (``SSL`` or ``SASL_SSL``), ``sasl.mechanism`` (``SCRAM-SHA-512``,
``SCRAM-SHA-256`` or ``PLAIN``), ``sasl.username``, ``sasl.password``, ``ssl.ca.location``,
``ssl.certificate.location`` and ``ssl.key.location`` (PEM files; for a client with a certificate
of its own). It holds a password, so nobody but its owner may read it.

A process is one client: :func:`use` is called once, before anything connects.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from producers.delivery import PublishingError

_NAMES = {
    "security.protocol": ("SSL", "SASL_SSL"),
    "sasl.mechanism": ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"),
    "sasl.username": None,
    "sasl.password": None,
    "ssl.ca.location": None,
    "ssl.certificate.location": None,
    "ssl.key.location": None,
}


class AccessError(PublishingError):
    """The file that says who we are towards Kafka cannot be used; the message names the line."""


class _Chosen:
    settings: Mapping[str, str] | None = None


_chosen = _Chosen()


def use(file: Path | None) -> None:
    """Let every client of this process connect as a file says; ``None``: plain, unnamed.

    Raises:
        AccessError: the file or what it names cannot be used.
    """
    _chosen.settings = None if file is None else read(file)
    if _chosen.settings is not None:
        context(_chosen.settings)


def read(file: Path) -> dict[str, str]:
    """The settings of a file, checked; a relative path in it is relative to its folder.

    Raises:
        AccessError: with the reason and the way out; never a value.
    """
    try:
        if file.stat().st_mode & 0o077:
            raise AccessError(f"{file} holds a password and others may read it: chmod 600 {file}")
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise AccessError(f"kafka_client file {file} cannot be read: {reason}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if name not in _NAMES or not equals:
            names = ", ".join(_NAMES)
            raise AccessError(f"{file}:{number}: write name=value with one of the names {names}")
        allowed = _NAMES[name]
        if allowed is not None and value not in allowed:
            raise AccessError(f"{file}:{number}: {name} is one of {', '.join(allowed)}")
        if name.endswith(".location"):
            value = str(file.parent / value)
        found[name] = value
    _check_whole(file, found)
    return found


def _check_whole(file: Path, found: Mapping[str, str]) -> None:
    missing = {"security.protocol"} - found.keys()
    if found.get("security.protocol") == "SASL_SSL":
        missing |= {"sasl.mechanism", "sasl.username", "sasl.password"} - found.keys()
    if ("ssl.certificate.location" in found) != ("ssl.key.location" in found):
        missing |= {"ssl.certificate.location", "ssl.key.location"} - found.keys()
    if missing:
        raise AccessError(f"{file} lacks {', '.join(sorted(missing))}")


def context(settings: Mapping[str, str]) -> ssl.SSLContext:
    """TLS as the settings say; the broker's name is always checked."""
    ca = settings.get("ssl.ca.location")
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise AccessError(f"{ca} is no file of certificates in PEM (ssl.ca.location)") from None
    certificate = settings.get("ssl.certificate.location")
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, settings["ssl.key.location"])
        except (OSError, ssl.SSLError):
            raise AccessError(
                f"{certificate} and its key do not make a certificate in PEM that fits"
            ) from None
    return context


def client_settings() -> dict[str, Any]:
    """Settings for the clients of kafka-python and aiokafka; empty for a plain connection."""
    settings = _chosen.settings
    if settings is None:
        return {}
    named: dict[str, Any] = {
        "security_protocol": settings["security.protocol"],
        "ssl_context": context(settings),
    }
    if "sasl.mechanism" in settings:
        named["sasl_mechanism"] = settings["sasl.mechanism"]
        named["sasl_plain_username"] = settings["sasl.username"]
        named["sasl_plain_password"] = settings["sasl.password"]
    return named


def chosen() -> Mapping[str, str]:
    """What :func:`use` chose; empty for a plain connection."""
    return _chosen.settings or {}
