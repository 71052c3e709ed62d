"""One source's word about one act, in the compact form that a person's entry keeps.

A report is a plain tuple (state files hold hundreds of millions of them)::

    (kind, record_id, source, revision, void, digest, known_on, body)

``body`` holds what counting needs of the kind's fields (:mod:`pipeline.core.kinds`); a void has
none, since nothing of it is ever counted.
"""

from hashlib import sha256
from operator import itemgetter
from typing import Any, Final

import orjson

from pipeline.core.body import Body
from pipeline.core.kinds import RULES
from schemas.events import DEFAULTS
from schemas.reading import defaults_filled

Report = tuple[str, str, str, int, bool, bytes, int, Body | None]

KIND: Final = 0
RECORD_ID: Final = 1
SOURCE: Final = 2
REVISION: Final = 3
VOID: Final = 4
DIGEST: Final = 5
KNOWN_ON: Final = 6
BODY: Final = 7
RANK = itemgetter(REVISION, VOID, DIGEST)
"""Of one source's reports of one act the greatest stands."""

DIGEST_BYTES = 16
"""Kept of each SHA-256: enough to tell reports apart and to order them as the whole would."""


def canonical(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The event with defaults filled, and its canonical JSON.

    Values as sent, defaults filled, nulls left out, keys sorted, no blanks, UTF-8.
    """
    document = orjson.loads(raw)
    document = defaults_filled(document, DEFAULTS[document["kind"]])
    return document, orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def report(raw: bytes, known_on: int) -> Report:
    """The report that an accepted event makes, known since a day."""
    document, spelled = canonical(raw)
    kind, void = document["kind"], document["void"]
    return (
        kind,
        document["record_id"],
        document["source"],
        document["revision"],
        void,
        sha256(spelled).digest()[:DIGEST_BYTES],
        known_on,
        None if void else RULES[kind].body(document),
    )
