"""Signing what is published, with a key that stays in a file of the publisher."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from producers.delivery import PublishingError
from schemas.signature import SIGNATURE_HEADER, SIGNER_HEADER, key_id, signed_bytes

Headers = list[tuple[str, bytes]]


class KeyFileError(PublishingError):
    """A file that is no key; the message names it and the way out."""


class Signer:
    """Signs messages: give it to :class:`producers.link.Tuning` as ``sign``.

    Args:
        file: the private key, PEM, readable by its owner only.

    Raises:
        KeyFileError: it cannot be used.
    """

    def __init__(self, file: Path) -> None:
        try:
            if file.stat().st_mode & 0o077:
                raise KeyFileError(f"others may read the key {file}: chmod 600 {file}")
            key = load_pem_private_key(file.read_bytes(), None)
        except OSError as error:
            raise KeyFileError(f"the key {file} cannot be read: {error.strerror}") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{file} is no Ed25519 key in PEM: `popflow source key` makes one")
        self._key = key
        self._id = key_id(_raw(key.public_key())).encode()

    def __call__(self, topic: str, value: bytes | None) -> Headers:
        """The headers that belong to a message."""
        signature = self._key.sign(signed_bytes(topic, value or b""))
        return [(SIGNER_HEADER, self._id), (SIGNATURE_HEADER, signature)]


def make_key(file: Path) -> Path:
    """Make a key: ``file`` for its owner only, ``file.pub`` to be registered; gives the latter.

    Raises:
        KeyFileError: there is such a file.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = file.with_name(file.name + ".pub")
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(private)
    except OSError as error:
        raise KeyFileError(f"no key was made in {file}: {error.strerror}") from None
    spki = PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, spki))
    return public


def public_key(file: Path) -> bytes:
    """The 32 bytes of a public key in a PEM file.

    Raises:
        KeyFileError: it holds none.
    """
    try:
        key = load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise KeyFileError(f"the key {file} cannot be read: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(
            f"{file} is no public Ed25519 key in PEM: give the file that ends in .pub"
        )
    return _raw(key)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
