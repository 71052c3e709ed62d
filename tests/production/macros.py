"""What Grafana's ClickHouse plugin makes of a question before it sends it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

_MACRO = re.compile(r"\$__(\w+)(?:\(([^()]*)\))?")
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(?!__)(\w+)")


def expand(sql: str, start: datetime, end: datetime, variables: Mapping[str, str]) -> str:
    """The question with macros and variables replaced.

    Raises:
        KeyError: a macro or a variable that nobody defines.
    """
    first, last = int(start.timestamp()), int(end.timestamp())
    macros: Mapping[str, Callable[[str], str]] = {
        "dateFilter": lambda c: f"{c} >= toDate('{start:%F}') AND {c} <= toDate('{end:%F}')",
        "timeFilter": lambda c: f"{c} >= toDateTime({first}) AND {c} <= toDateTime({last})",
        "fromTime": lambda _: f"toDateTime({first})",
        "toTime": lambda _: f"toDateTime({last})",
    }
    macroed = _MACRO.sub(lambda m: macros[m[1]](m[2] or ""), sql)
    return _VARIABLE.sub(lambda m: variables[m[1] or m[2]], macroed)
