"""One POST and what it means for the alerts in it."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consumers.delivery.outcomes import Away, Refused

_REFUSALS = frozenset({400, 405, 406, 411, 413, 415, 422, 431})
"""Answers that say something of the message itself: the same again gets the same answer."""
_MOST_BYTES = 64 * 1024


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET without its body, which is no delivery."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""


class Poster:
    """Sends JSON to URLs.

    Args:
        timeout: seconds to wait for an answer.
        ca_file: certificates to trust instead of the system's.
    """

    def __init__(self, timeout: float, ca_file: Path | None = None) -> None:
        self._timeout = timeout
        context = ssl.create_default_context(cafile=ca_file)
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), _NoRedirect()
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """POST a JSON body; gives the answer's, at most 64 KiB of it.

        Raises:
            Away: no answer, or one that may be another later.
            Refused: the receiver will never take this message.
        """
        given = {"Content-Type": "application/json", "User-Agent": "popflow", **headers}
        request = urllib.request.Request(url, body, given, method="POST")  # noqa: S310 - http(s)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                told: bytes = answer.read(_MOST_BYTES)
                return told
        except urllib.error.HTTPError as error:
            with error:
                reason = f"answered {error.code}"
                if error.code in _REFUSALS:
                    raise Refused(reason) from None
                raise Away(reason, _retry_after(error.headers.get("Retry-After"))) from None
        except urllib.error.URLError as error:
            raise Away(_reason(error.reason)) from None
        except (OSError, http.client.HTTPException) as error:
            raise Away(_reason(error)) from None


def encoded(document: Any) -> bytes:
    """A JSON document in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _retry_after(value: str | None) -> float:
    return float(value) if value is not None and value.isdecimal() else 0.0


def _reason(error: object) -> str:
    """Why a connection failed, without the URL, which may hold a secret."""
    strerror = getattr(error, "strerror", None)
    return f"{type(error).__name__}" + (f" ({strerror})" if strerror else "")
