"""The first question of clickhouse-go, which Grafana uses, answered so that it reads on.

That client asks for a newer form of Native (``client_protocol_version``) than the engine writes
into a buffer. Told that the server's revision is 0 it takes the plain form from then on; only the
answer that tells it so has to be in the newer one.
"""

from __future__ import annotations

import re

QUESTION = re.compile(
    r"\s*SELECT\s+displayName\(\),\s*version\(\),\s*revision\(\),\s*timezone\(\)\s*", re.IGNORECASE
)
# Block information: no overflow row, no bucket, end.
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_NO_CUSTOM_FORM = b"\x00"
_REVISION = b"\x00\x00\x00\x00"


def answer(version: str, timezone: str) -> bytes:
    """One row in the newer form of Native: display name, version, revision 0, time zone."""
    columns = (
        ("displayName()", "String", _text("popflow")),
        ("version()", "String", _text(version)),
        ("revision()", "UInt32", _REVISION),
        ("timezone()", "String", _text(timezone)),
    )
    block = _BLOCK_INFO + bytes((len(columns), 1))
    for name, kind, value in columns:
        block += _text(name) + _text(kind) + _NO_CUSTOM_FORM + value
    return block


def _text(text: str) -> bytes:
    """A short text with its length before it."""
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded
