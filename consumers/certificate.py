"""Certificates of erasure: what was erased, when and by whom, signed with the stack's own key.

A certificate is one JSON object. ``signature`` is Ed25519 over the canonical JSON of the rest
(keys sorted, no blanks, UTF-8), ``previous`` the SHA-256 of the certificate before it: one that is
changed, or taken away from the middle, is noticed. It holds no pseudonym, only its digest.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

_KEY = "key.pem"


class CertificateError(ValueError):
    """A certificate that does not hold; the message says why."""


def issue(folder: Path, about: Mapping[str, Any]) -> Path:
    """Sign what was erased and keep it; gives the certificate's file.

    Args:
        folder: where certificates and their key are kept (made when missing, 0700).
        about: what it certifies.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = _key(folder / _KEY)
    known = sorted(folder.glob("forgotten-*.json"))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    body = {
        **about,
        "previous": sha256(known[-1].read_bytes()).hexdigest() if known else "",
        "key": b64encode(public).decode(),
    }
    signed = {**body, "signature": b64encode(key.sign(canonical(body))).decode()}
    path = folder / f"forgotten-{len(known) + 1:06d}.json"
    path.write_text(json.dumps(signed, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return path


def verify(path: Path) -> dict[str, Any]:
    """The certificate, when its signature holds and the one before it is unchanged.

    Raises:
        CertificateError: it does not hold.
    """
    try:
        document = json.loads(path.read_bytes())
        body = {name: value for name, value in document.items() if name != "signature"}
        signature, public = b64decode(document["signature"]), b64decode(document["key"])
        Ed25519PublicKey.from_public_bytes(public).verify(signature, canonical(body))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CertificateError(f"{path} is no certificate of popflow") from None
    except InvalidSignature:
        raise CertificateError(f"{path} was changed: its signature does not hold") from None
    if document["previous"]:
        before = [file for file in sorted(path.parent.glob("forgotten-*.json")) if file < path]
        if not before or sha256(before[-1].read_bytes()).hexdigest() != document["previous"]:
            raise CertificateError(f"the certificate before {path} was changed or taken away")
    return body


def canonical(body: Mapping[str, Any]) -> bytes:
    """What is signed."""
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def _key(path: Path) -> Ed25519PrivateKey:
    if path.exists():
        key = load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise CertificateError(f"{path} is no Ed25519 key")
        return key
    fresh = Ed25519PrivateKey.generate()
    pem = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return fresh
