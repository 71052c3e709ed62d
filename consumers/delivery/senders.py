"""The kinds of receivers: each takes alerts, or raises ``Away`` or ``Refused``."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from consumers.delivery import messages, signing
from consumers.delivery.history import Change
from consumers.delivery.http import Poster, encoded
from consumers.delivery.outcomes import Away, Refused
from consumers.delivery.receivers import (
    Alertmanager,
    People,
    Receiver,
    ReceiverError,
    Webhook,
    secret,
)

if TYPE_CHECKING:
    from apprise.plugins import NotifyBase

_ROBOTS = ("wecombot", "dingtalk")


class Sender(Protocol):
    """Hands alerts to one receiver.

    Attributes:
        repeat_seconds: how often what fires has to be said again; None: never.
        heeds_silences: whether it is not told of what was silenced.
    """

    repeat_seconds: float | None
    heeds_silences: bool

    def send(self, changes: Sequence[Change]) -> None:
        """Hand over these changes, all or none.

        Raises:
            Away: not now.
            Refused: not ever.
        """


class WebhookSender:
    """A signed POST, ``webhook-id`` the same whenever the same is sent again."""

    repeat_seconds: float | None = None
    heeds_silences = True

    def __init__(self, name: str, receiver: Webhook, folder: Path) -> None:
        shared = secret(receiver.secret_file, folder, name)
        try:
            self._key = signing.key_of(shared)
        except ValueError as error:
            raise ReceiverError(f"receiver {name}: {error}") from None
        self._url = receiver.url
        self._poster = _poster(name, receiver, folder)

    def send(self, changes: Sequence[Change]) -> None:
        """Hand over these changes."""
        body = encoded(messages.webhook_document(changes))
        now = int(time.time())
        signed = signing.headers(self._key, messages.message_id(changes), now, body)
        self._poster.post(self._url, body, signed)


class AlertmanagerSender:
    """Alertmanager's API v2; every instance is told each time, which changes nothing there.

    It hears of silenced alerts too: it has silences of its own, and would take what is no longer
    repeated for over.
    """

    heeds_silences = False

    def __init__(self, name: str, receiver: Alertmanager, folder: Path) -> None:
        self.repeat_seconds: float | None = receiver.repeat_seconds
        self._urls = [f"{url.rstrip('/')}/api/v2/alerts" for url in receiver.urls]
        self._headers = {}
        if receiver.authorization_file is not None:
            self._headers["Authorization"] = secret(receiver.authorization_file, folder, name)
        self._poster = _poster(name, receiver, folder)

    def send(self, changes: Sequence[Change]) -> None:
        """Hand over these changes."""
        now = datetime.now(UTC)
        body = encoded([messages.alertmanager_alert(one, now) for one in changes])
        failed: Exception | None = None
        for url in self._urls:
            try:
                self._poster.post(url, body, self._headers)
            except (Away, Refused) as error:  # the others are told first
                failed = error
        if failed is not None:
            raise failed


class PeopleSender:
    """Mail and chat robots: one text about all alerts, as long as the service takes."""

    repeat_seconds: float | None = None
    heeds_silences = True

    def __init__(self, name: str, receiver: People, folder: Path) -> None:
        from apprise import Apprise  # takes 0.2 s to import

        self._apprise = Apprise()
        if not self._apprise.add(secret(receiver.url_file, folder, name)):
            raise ReceiverError(
                f"receiver {name}: {folder / receiver.url_file} holds no Apprise URL (such as "
                "wecombot://KEY, dingtalk://SECRET@TOKEN/, feishu://TOKEN, mailtos://…)"
            )
        (self._service,) = self._apprise
        self._language = receiver.language
        self._poster = Poster(receiver.timeout_seconds)

    def send(self, changes: Sequence[Change]) -> None:
        """Hand over these changes."""
        most = min(self._service.body_maxlen, 16_000) - 48
        title, body = messages.text(changes, self._language, most)
        robot = _robot(self._service)
        if robot is not None:
            self._tell_robot(robot, f"{title}\n{body}")
        elif not self._apprise.notify(body, title, body_format="text"):
            raise Away("Apprise could not deliver")

    def _tell_robot(self, url: str, content: str) -> None:
        document = {"msgtype": "text", "text": {"content": content}}
        answer = self._poster.post(url, encoded(document), {})
        try:
            code = json.loads(answer)["errcode"]
        except (ValueError, KeyError, TypeError):
            raise Away("answered no errcode") from None
        if code != 0:
            raise Away(f"answered errcode {code}")


def _robot(service: NotifyBase) -> str | None:
    """URL of a WeCom or DingTalk robot, signed if it is to be; None for any other service.

    They answer 200 to what they drop (45009: too many messages) and say so in ``errcode``. Apprise
    2.3 does not read that, so a refused alert would count as delivered; its parsing and signing
    serve, its sending does not.
    """
    from apprise.plugins.dingtalk import NotifyDingTalk
    from apprise.plugins.wecombot import NotifyWeComBot

    if isinstance(service, NotifyWeComBot):
        return str(service.api_url)
    if isinstance(service, NotifyDingTalk):
        url = service.notify_url.format(token=service.token)
        if service.secret:
            timestamp, signature = service.get_signature()  # type: ignore[no-untyped-call]
            url += f"&timestamp={timestamp}&sign={signature}"
        return str(url)
    return None


def _poster(name: str, receiver: Webhook | Alertmanager, folder: Path) -> Poster:
    ca_file = None if receiver.ca_file is None else folder / receiver.ca_file
    try:
        return Poster(receiver.timeout_seconds, ca_file)
    except OSError as error:
        raise ReceiverError(
            f"receiver {name}: {ca_file} holds no certificates that can be read ({error.strerror})"
        ) from None


def sender(name: str, receiver: Receiver, folder: Path) -> Sender:
    """The sender of a receiver.

    Raises:
        ReceiverError: a file that it names cannot be used.
    """
    if isinstance(receiver, Webhook):
        return WebhookSender(name, receiver, folder)
    if isinstance(receiver, Alertmanager):
        return AlertmanagerSender(name, receiver, folder)
    return PeopleSender(name, receiver, folder)
