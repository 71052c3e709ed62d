"""Signatures of webhooks, as in the Standard Webhooks specification 1.0 (symmetric, ``v1``).

The signed text is ``ID.TIMESTAMP.BODY``; verifying libraries exist for most languages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_SECONDS = 300
"""How old or early a timestamp may be: what was recorded cannot be played back later."""
_PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: Base64 after ``whsec_``, else its own bytes.

    Raises:
        ValueError: no Base64 after ``whsec_``, or a key under 24 bytes.
    """
    try:
        key = (
            base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
            if secret.startswith(_PREFIX)
            else secret.encode()
        )
    except binascii.Error:
        raise ValueError(f"after {_PREFIX} the secret has to be Base64") from None
    if len(key) < 24:
        raise ValueError("the secret has fewer than 24 bytes: make one with `openssl rand -hex 32`")
    return key


def headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a signed message.

    Args:
        key: the shared key.
        message_id: the same whenever the same message is sent again; without full stops.
        timestamp: seconds since 1970, of this attempt.
        body: as sent.
    """
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + _signature(key, message_id, str(timestamp), body),
    }


def verified(key: bytes, given: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a message is from somebody who has the key, and of now."""
    timestamp = given.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    wanted = "v1," + _signature(key, given.get("webhook-id", ""), timestamp, body)
    signatures = given.get("webhook-signature", "").split()
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in signatures)


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
