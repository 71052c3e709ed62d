"""An authority and certificates for one machine: PEM files, elliptic curve P-256.

For a Kafka of several machines use the authority that the organisation has.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEARS_OF_AUTHORITY = 10
_DAYS = 825
_EARLIER = timedelta(hours=1)
"""Clocks differ a little."""


class Authority:
    """Signs certificates; its key stays in its folder.

    Args:
        folder: ``ca.pem`` and ``ca.key`` are kept here, made when missing (folder 0700).
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        key_file = folder / "ca.key"
        if not key_file.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = _name("popflow authority")
            end = datetime.now(UTC) + timedelta(days=365 * _YEARS_OF_AUTHORITY)
            builder = _builder(name, name, key, end)
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            self.file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
            write_secret(key_file, _pem(key))
        self._certificate = x509.load_pem_x509_certificate(self.file.read_bytes())
        loaded = load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key_file} is no key of this module")
        self._key = loaded

    def issue(
        self, name: str, *, addresses: tuple[str, ...] = (), until: datetime | None = None
    ) -> tuple[bytes, bytes]:
        """A new key and a certificate for it: (certificate, key), both PEM.

        Args:
            name: the common name.
            addresses: IP addresses or host names, for a server.
            until: end of validity; 825 days from now when left out.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        end = until or datetime.now(UTC) + timedelta(days=_DAYS)
        builder = _builder(_name(name), self._certificate.subject, key, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if addresses:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
            names = x509.SubjectAlternativeName([_address(address) for address in addresses])
            builder = builder.add_extension(names, False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(Encoding.PEM), _pem(key)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), end) - _EARLIER)
        .not_valid_after(end)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _address(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
