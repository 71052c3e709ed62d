"""Compressed request and response bodies, and form bodies, as ClickHouse clients send them."""

from __future__ import annotations

import gzip
import importlib
import re
import sys
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

from consumers.store.server.errors import INCORRECT_DATA, NOT_IMPLEMENTED, StatementError


def _optional(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


# All three come with clickhouse-connect or Python where they exist; none is needed.
_lz4 = _optional("lz4.frame")
_zstd = _optional("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
_brotli = _optional("brotli")


def _lz4_decode(module: ModuleType) -> Callable[[bytes], bytes]:
    def decode(body: bytes) -> bytes:
        # clickhouse-connect sends one frame a block, so a body is a run of frames.
        out = []
        while body:
            frame: Any = module.LZ4FrameDecompressor()
            out.append(cast("bytes", frame.decompress(body)))
            if not frame.eof:
                raise ValueError("the last frame is cut off")
            body = frame.unused_data or b""
        return b"".join(out)

    return decode


def _decoders() -> dict[str, Callable[[bytes], bytes]]:
    found: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
    }
    if _lz4 is not None:
        found["lz4"] = _lz4_decode(_lz4)
    if _zstd is not None:
        found["zstd"] = _zstd.decompress
    if _brotli is not None:
        found["br"] = _brotli.decompress
    return found


def _encoders() -> dict[str, Callable[[bytes], bytes]]:
    # In the order of preference: the cheapest processor time first.
    found: dict[str, Callable[[bytes], bytes]] = {}
    if _lz4 is not None:
        found["lz4"] = _lz4.compress
    if _zstd is not None:
        found["zstd"] = _zstd.compress
    found["gzip"] = lambda body: gzip.compress(body, compresslevel=1)
    return found


_DECODE = _decoders()
_ENCODE = _encoders()


def decompress(encoding: str, body: bytes) -> bytes:
    """Undo a request's ``Content-Encoding``.

    Raises:
        StatementError: The encoding is unknown here, or the body is damaged.
    """
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    decode = _DECODE.get(name)
    if decode is None:
        known = ", ".join(sorted(_DECODE))
        raise StatementError(
            NOT_IMPLEMENTED, f"Unknown Content-Encoding {name[:20]!r}; known: {known}."
        )
    try:
        return decode(body)
    # Each library has its own exception class for a damaged body.
    except Exception as error:
        raise StatementError(
            INCORRECT_DATA, f"The {name} body cannot be decompressed: {error}. (INCORRECT_DATA)"
        ) from None


def choose(accepted: str) -> str | None:
    """Pick the response encoding from ``Accept-Encoding``; None sends it plain."""
    wanted = {part.split(";")[0].strip().lower() for part in accepted.split(",")}
    return next((name for name in _ENCODE if name in wanted), None)


def compress(encoding: str, body: bytes) -> bytes:
    """Compress a response body with an encoding ``choose`` returned."""
    return _ENCODE[encoding](body)


def form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Read a ``multipart/form-data`` body: clients put long parameters there.

    Raises:
        StatementError: The body is not such a form, or carries files (external data).
    """
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if boundary is None:
        raise StatementError(INCORRECT_DATA, "The form has no boundary. (INCORRECT_DATA)")
    fields: dict[str, str] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.group(1).encode())[1:]:
        if part.startswith(b"--"):
            break
        head, blank, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if not blank or name is None:
            raise StatementError(INCORRECT_DATA, "The form is cut off. (INCORRECT_DATA)")
        if b"filename=" in head:
            raise StatementError(
                NOT_IMPLEMENTED, "External data is not available here. (NOT_IMPLEMENTED)"
            )
        fields[name.group(1).decode()] = value.decode()
    return fields
