"""Signed receipts: what was accepted, where it stands in Kafka, under the gateway's own key.

Ed25519 over the receipt's canonical JSON (keys sorted, no blanks, UTF-8) without its
``signature``. Whoever keeps a receipt can show later that the pipeline had the event.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


class ReceiptKeyError(ValueError):
    """The file of the signing key cannot be used."""


class Signer:
    """Signs receipts.

    Args:
        key: the gateway's own key, not the city's.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = hashlib.sha256(public).hexdigest()[:16]
        """Names the key in each receipt."""
        self.jwk = {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": self.key_id,
            "x": _coded(public),
        }
        """The public key as a JSON Web Key (RFC 8037)."""

    @classmethod
    def from_file(cls, path: Path) -> "Signer":
        """With the PEM key of a file, made when it is not there (mode 0600).

        Raises:
            ReceiptKeyError: another key, or a file that cannot be read or written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _create(path)
            key = load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise ReceiptKeyError(f"{path} cannot be used: {error.strerror}") from None
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ReceiptKeyError(f"{path} is no Ed25519 key in PEM: move it away for a new one")
        return cls(key)

    def sign(self, receipt: Mapping[str, Any]) -> dict[str, Any]:
        """The receipt with the key's name and the signature."""
        named = {**receipt, "key_id": self.key_id}
        return {**named, "signature": _coded(self._key.sign(canonical(named)))}


def canonical(receipt: Mapping[str, Any]) -> bytes:
    """What is signed."""
    unsigned = {name: value for name, value in receipt.items() if name != "signature"}
    return orjson.dumps(unsigned, option=orjson.OPT_SORT_KEYS)


def is_genuine(receipt: Mapping[str, Any], jwk: Mapping[str, str]) -> bool:
    """Whether a receipt was signed with the key, and nothing of it was changed."""
    public = Ed25519PublicKey.from_public_bytes(_decoded(jwk["x"]))
    try:
        public.verify(_decoded(str(receipt.get("signature", ""))), canonical(receipt))
    except (InvalidSignature, ValueError):
        return False
    return True


def _create(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
