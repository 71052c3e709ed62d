"""Who is told of alerts: the tables ``[receivers.NAME]`` of ``popflow.toml``.

Secrets are in files, never in the settings: settings are printed, and end in environments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.alert import SEVERITIES, Severity

EVERY: tuple[Severity, ...] = tuple(SEVERITIES)
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""Of a receiver: a label of metrics and part of its Kafka group's name."""


class ReceiverError(ValueError):
    """A receiver that cannot be used as it is written; the message names it and the way out."""


class Common(BaseModel):
    """What every kind of receiver has.

    Attributes:
        severities: which alerts it is told of.
        gather_seconds: how long to gather alerts for one message after the first.
        pause_seconds: at least, between two messages; what comes meanwhile is one message.
        most: alerts in one message.
        timeout_seconds: to wait for an answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    severities: tuple[Severity, ...] = Field(default=EVERY, min_length=1)
    gather_seconds: float = Field(default=0.5, ge=0, le=3600)
    pause_seconds: float = Field(default=0.0, ge=0, le=86_400)
    most: int = Field(default=500, ge=1, le=10_000)
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)


class Webhook(Common):
    """A program that takes a signed POST (see README.md of this folder).

    Attributes:
        url: where it listens.
        secret_file: the shared secret; relative to the data folder.
        ca_file: certificates to trust instead of the system's.
    """

    kind: Literal["webhook"]
    url: Url
    secret_file: Path
    ca_file: Path | None = None


class Alertmanager(Common):
    """Prometheus Alertmanager, API v2.

    Attributes:
        urls: its instances; every one is told, as Prometheus does.
        repeat_seconds: how often what fires is said again, since Alertmanager forgets.
        ca_file: certificates to trust instead of the system's.
        authorization_file: holds the value of the header ``Authorization``, if it wants one.
    """

    kind: Literal["alertmanager"]
    urls: tuple[Url, ...] = Field(min_length=1)
    repeat_seconds: float = Field(default=60.0, ge=1, le=3600)
    ca_file: Path | None = None
    authorization_file: Path | None = None


class People(Common):
    """Mail and chat robots, through Apprise.

    Attributes:
        url_file: holds one Apprise URL: ``wecombot://KEY``, ``dingtalk://SECRET@TOKEN/``,
            ``feishu://TOKEN``, ``mailtos://USER:PASSWORD@HOST?to=…``.
        language: of the message.
    """

    kind: Literal["apprise"]
    url_file: Path
    language: Literal["zh", "en", "both"] = "both"
    gather_seconds: float = Field(default=10.0, ge=0, le=3600)
    pause_seconds: float = Field(default=60.0, ge=0, le=86_400)

    kinds: ClassVar[str] = "wecombot, dingtalk, feishu, mailto, mailtos"


Receiver = Annotated[Webhook | Alertmanager | People, Field(discriminator="kind")]
Receivers = dict[Name, Receiver]


def secret(path: Path, folder: Path, name: str) -> str:
    """The one line of a file that holds a secret.

    Args:
        path: as written; relative to the folder.
        folder: the data folder.
        name: the receiver, for the error.

    Raises:
        ReceiverError: it cannot be read or is empty.
    """
    try:
        text = (folder / path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8"
        raise ReceiverError(
            f"receiver {name}: {folder / path} cannot be read ({reason}): name a file that this "
            "user may read"
        ) from None
    if not text:
        raise ReceiverError(f"receiver {name}: {folder / path} is empty: write the secret into it")
    return text
