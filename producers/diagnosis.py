"""Why Kafka does not let us in: one line that names the certificate, the user or the address.

Clients of Kafka report a wrong password as a broker that is away. So after a connection has failed
we knock once ourselves, over TLS, and listen to the objection.
"""

import socket
import ssl
import struct
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.x509 import load_pem_x509_certificate
from kafka.net.sasl.scram import SaslMechanismScram

from producers.access import AccessError, chosen, client_settings, context

_SECONDS = 3.0
_HANDSHAKE, _AUTHENTICATE = 17, 36
_AUTHENTICATION_FAILED = 58
_CLIENT = b"popflow"


def explain(bootstrap: str) -> None:
    """After a failure: say so when certificates, the user or its password are why.

    Raises:
        AccessError: what is not taken by whom, and the way out; never a password.
    """
    settings = chosen()
    if not settings:
        return
    own = settings.get("ssl.certificate.location")
    if own is not None:
        ends = load_pem_x509_certificate(Path(own).read_bytes()).not_valid_after_utc
        if ends < datetime.now(UTC):
            raise AccessError(
                f"the certificate {own} expired on {ends:%Y-%m-%d}: ask for a new one"
            )
    host, _, port = bootstrap.partition(",")[0].strip().rpartition(":")
    try:
        with socket.create_connection((host, int(port)), _SECONDS) as plain:
            secured = context(settings).wrap_socket(plain, server_hostname=host)
            with secured:
                _knock(secured, bootstrap)
    except ssl.SSLCertVerificationError as error:
        raise AccessError(
            f"the certificate of Kafka at {bootstrap} is not to be trusted "
            f"({error.verify_message}): correct ssl.ca.location or the address"
        ) from None
    except (ssl.SSLError, ConnectionResetError):
        raise AccessError(
            f"Kafka at {bootstrap} does not take the certificate {own or '(none)'}: it must be "
            "signed by the broker's own authority; ask who runs Kafka for one"
        ) from None
    except (OSError, ValueError, struct.error):
        return


def _knock(secured: ssl.SSLSocket, bootstrap: str) -> None:
    """Log in; the broker looks at our certificate only when the greeting is over."""
    settings = client_settings()
    if not str(settings.get("sasl_mechanism", "")).startswith("SCRAM"):
        with suppress(TimeoutError):
            secured.recv(1)
        return
    scram: Any = SaslMechanismScram(**settings)
    mechanism = settings["sasl_mechanism"].encode()
    _ask(secured, _HANDSHAKE, 1, struct.pack(">h", len(mechanism)) + mechanism)
    while not scram.is_done():
        token = scram.auth_bytes()
        answer = _ask(secured, _AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
        if struct.unpack_from(">h", answer)[0] == _AUTHENTICATION_FAILED:
            name = settings["sasl_plain_username"]
            raise AccessError(f"Kafka at {bootstrap} refused the user {name!r} or its password")
        message = max(struct.unpack_from(">h", answer, 2)[0], 0)
        scram.receive(answer[4 + message + 4 :])


def _ask(secured: ssl.SSLSocket, key: int, version: int, body: bytes) -> bytes:
    """One request of Kafka's protocol; gives the answer's body."""
    head = struct.pack(">hhih", key, version, 1, len(_CLIENT)) + _CLIENT
    secured.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
    (size,) = struct.unpack(">i", _exactly(secured, 4))
    return _exactly(secured, min(size, 65_536))[4:]


def _exactly(secured: ssl.SSLSocket, size: int) -> bytes:
    held = b""
    while len(held) < size:
        piece = secured.recv(size - len(held))
        if not piece:
            raise ConnectionResetError
        held += piece
    return held
