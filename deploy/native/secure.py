"""The own Kafka with everything on: TLS both ways, SCRAM-SHA-512, access control lists.

Everybody has a certificate of the stack's own authority and a password; the user that the password
proves is the principal. What a client needs is one folder: ``client.properties`` (see
``producers.access``), its certificate and key, and the authority's certificate.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from hashlib import pbkdf2_hmac
from pathlib import Path

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)
from kafka.admin import UserScramCredentialUpsertion as NewPassword
from kafka.errors import KafkaError

from deploy.kafka.acls import Grant
from deploy.kafka.certificates import Authority, write_secret
from deploy.native.errors import NativeError
from deploy.native.ports import HOST
from producers.access import client_settings, read

ADMIN = "popflow-admin"
PIPELINE = "popflow-pipeline"
BROKER = "popflow-broker"
CLIENT_FILE = "client.properties"
_MECHANISM = "SCRAM-SHA-512"
_ITERATIONS = 8192


class Trust:
    """The authority, and the client folders that were made with it.

    Args:
        folder: where all of it is kept (0700).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = Authority(folder)

    def client(self, name: str, folder: Path | None = None) -> Path:
        """A client's file of settings, made with its certificate and password when missing."""
        place = folder or self.folder / "clients" / name
        file = place / CLIENT_FILE
        if file.exists():
            return file
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificate, key = self._authority.issue(name)
        write_secret(place / "client.pem", certificate)
        write_secret(place / "client.key", key)
        (place / "ca.pem").write_bytes(self._authority.file.read_bytes())
        lines = [
            f"# {name}",
            "security.protocol=SASL_SSL",
            f"sasl.mechanism={_MECHANISM}",
            f"sasl.username={name}",
            f"sasl.password={secrets.token_urlsafe(24)}",
            "ssl.ca.location=ca.pem",
            "ssl.certificate.location=client.pem",
            "ssl.key.location=client.key",
        ]
        write_secret(file, ("\n".join(lines) + "\n").encode())
        return file

    def broker_settings(self) -> dict[str, str]:
        """What the broker's settings file says beyond that of an open one."""
        pem = self.folder / "broker.pem"
        if not pem.exists():
            certificate, key = self._authority.issue(BROKER, addresses=(HOST, "localhost"))
            write_secret(pem, key + certificate)
        password = read(self.client(BROKER))["sasl.password"]
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        return {
            "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:SSL",
            "sasl.enabled.mechanisms": _MECHANISM,
            "sasl.mechanism.inter.broker.protocol": _MECHANISM,
            "listener.name.clients.scram-sha-512.sasl.jaas.config": (
                f'{login} username="{BROKER}" password="{password}";'
            ),
            "ssl.client.auth": "required",
            # Without a listener's name this is ignored where passwords are asked for (KIP-684).
            "listener.name.clients.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(pem),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._authority.file),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{ADMIN};User:{BROKER};User:CN={BROKER}",
        }

    def first_users(self) -> list[str]:
        """Arguments of Kafka's formatting tool: who can log in before anybody can be added.

        Salted, as Kafka stores them: arguments can be seen by others on the machine.
        """
        arguments = []
        for name in (ADMIN, BROKER):
            password = read(self.client(name))["sasl.password"]
            salt = secrets.token_bytes(24)
            salted = pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
            arguments += [
                "--add-scram",
                (
                    f'{_MECHANISM}=[name="{name}",iterations={_ITERATIONS},'
                    f'salt="{b64encode(salt).decode()}",saltedpassword="{b64encode(salted).decode()}"]'
                ),
            ]
        return arguments


def let_in(bootstrap: str, client_file: Path, grants: Sequence[Grant]) -> None:
    """Give a user its password and what it may do; repeating it changes nothing.

    Args:
        bootstrap: Kafka servers; this process is their administrator.
        client_file: the user's own settings.
        grants: all of the user's.

    Raises:
        NativeError: Kafka refused.
    """
    settings = read(client_file)
    password = NewPassword(settings["sasl.username"], _MECHANISM, settings["sasl.password"])
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, **client_settings())
        try:
            told = admin.alter_user_scram_credentials([password])
            told = {name: error for name, error in told.items() if error}
            failed = admin.create_acls([_acl(grant) for grant in grants])["failed"]
        finally:
            admin.close()
    except KafkaError as error:
        raise NativeError(
            f"Kafka at {bootstrap} let nobody be added ({type(error).__name__}): this needs its "
            f"administrator's client file in the setting kafka_client"
        ) from None
    if told or failed:
        raise NativeError(f"Kafka at {bootstrap} refused a password or an access rule")


def _acl(grant: Grant) -> ACL:
    kinds = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
    return ACL(
        grant.principal,
        "*",
        ACLOperation[grant.operation.upper()],
        ACLPermissionType.ALLOW,
        ResourcePattern(kinds[grant.kind], grant.name),
    )
