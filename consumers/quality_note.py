"""The weekly quality note, in Markdown: what a publisher is sent. Pure."""

from datetime import timedelta
from typing import Any, Literal

from consumers.quality import Quality
from consumers.suggestions import suggestion
from schemas.events import KINDS
from schemas.identity import mask
from schemas.refusals import TITLES, Code

Language = Literal["zh", "en"]

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("数据质量周报", "Weekly quality note"),
    "nobody": ("来源不明", "no source named"),
    "accepted": ("接收", "Accepted"),
    "refused": ("拒收", "Refused"),
    "share": ("拒收比例", "share refused"),
    "corrections": ("更正", "corrections"),
    "withdrawals": ("撤销", "withdrawals"),
    "kind": ("事件", "kind"),
    "reports": ("条数", "reports"),
    "median": ("中位时延（天）", "median delay (days)"),
    "ninetieth": ("九成以内（天）", "nine in ten within (days)"),
    "latest": ("最长（天）", "longest (days)"),
    "reason": ("原因", "reason"),
    "messages": ("条数", "messages"),
    "mended": ("已更正", "mended"),
    "example": ("例", "example"),
    "mend": ("更正办法", "how to mend"),
    "findings": ("待核查", "To be looked into"),
    "silent": ("无数据的日子", "Days without any message"),
    "look": ("拒收过多，请尽快检查", "Too much is refused: please look soon"),
    "nothing": ("本周没有数据。", "Nothing was sent this week."),
}


def note(one: Quality, language: Language = "zh") -> str:
    """One publisher's week, for its people; numbers of refused messages stand for the messages."""
    place = 0 if language == "zh" else 1
    word = {name: words[place] for name, words in _WORDS.items()}
    sunday = one.monday + timedelta(days=6)
    year, week, _ = one.monday.isocalendar()
    source = mask(one.source) or word["nobody"]
    lines = [f"# {word['title']} · {source} · {year}-W{week:02} ({one.monday} – {sunday})", ""]
    share = one.refused_share
    if share is None:
        return "\n".join([*lines, word["nothing"], ""])
    changed = (
        f"{word['corrections']} {one.corrections:,}, {word['withdrawals']} {one.withdrawals:,}"
    )
    lines += [
        f"- {word['accepted']}: {one.total_accepted:,} ({changed})",
        f"- {word['refused']}: {one.total_refused:,} ({word['share']} {share:.1%})",
    ]
    if one.silent:
        lines.append(f"- {word['silent']}: {', '.join(str(day) for day in one.silent)}")
    if one.needs_a_look:
        lines.append(f"- **{word['look']}**")
    lines += _accepted(one, word, place) + _refused(one, word, place)
    if one.findings:
        lines += ["", f"## {word['findings']}", ""]
        lines += [f"- `{code}`: {count:,}" for code, count in one.findings.items()]
    return "\n".join([*lines, ""])


def _accepted(one: Quality, word: dict[str, str], place: int) -> list[str]:
    if not one.accepted:
        return []
    delays = {delay.kind: delay for delay in one.delays}
    rows = []
    for kind, count in one.accepted.items():
        title = KINDS[kind].title[place] if kind in KINDS else kind
        late = delays.get(kind)
        cells = [f"{late.median:g}", f"{late.ninetieth:g}", f"{late.latest}"] if late else [""] * 3
        rows.append([title, f"{count:,}", *cells])
    head = [word[name] for name in ("kind", "reports", "median", "ninetieth", "latest")]
    return ["", f"## {word['accepted']}", "", *_table(head, rows)]


def _refused(one: Quality, word: dict[str, str], place: int) -> list[str]:
    if not one.refused:
        return []
    rows = []
    for part in one.refused:
        title = TITLES[Code(part.code)][place] if part.code in list(Code) else part.code
        reason = part.examples[0][1] if part.examples else ""
        told = suggestion(part.code, reason, "{}")
        several = part.code == Code.SCHEMA  # whose reasons differ
        ids = "; ".join(
            f"`{number}` {text.partition('. ')[0]}" if several else f"`{number}`"
            for number, text in part.examples
        )
        rows.append(
            [f"{title} (`{part.code}`)", f"{part.messages:,}", f"{part.mended:,}", ids, told[place]]
        )
    head = [word[name] for name in ("reason", "messages", "mended", "example", "mend")]
    return ["", f"## {word['refused']}", "", *_table(head, rows)]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *([c.replace("|", "\\|") for c in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def as_dict(one: Quality) -> dict[str, Any]:
    """One publisher's week for a program."""
    return {
        "source": mask(one.source),
        "monday": one.monday.isoformat(),
        "accepted": one.accepted,
        "corrections": one.corrections,
        "withdrawals": one.withdrawals,
        "refused": [
            {
                "code": part.code,
                "messages": part.messages,
                "mended": part.mended,
                "examples": [{"id": number, "reason": text} for number, text in part.examples],
            }
            for part in one.refused
        ],
        "refused_share": one.refused_share,
        "needs_a_look": one.needs_a_look,
        "delays": [vars(delay) for delay in one.delays],
        "silent": [day.isoformat() for day in one.silent],
        "findings": one.findings,
    }
