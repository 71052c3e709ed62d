"""The READMEs' tables of settings, metrics, commands and indicators, made from the program itself.

    python -m tests.meta.tables

writes them anew, each between ``<!-- table: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click
from prometheus_client import Counter, Gauge, Histogram

from pipeline import metrics
from pipeline.catalogue import INDICATORS, TARGETS
from pipeline.catalogue.formulas import formula
from pipeline.catalogue.model import Stock
from pipeline.catalogue.targets import COMPARATORS
from pipeline.catalogue.vocabulary import (
    BASES,
    CONVENTIONS,
    INTERVALS,
    MEASURES,
    NOTES,
    REASONS,
    UNITS,
    WINDOWS,
)
from pipeline.cli import main as popflow
from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
READMES = (ROOT / "README.md", ROOT / "README.zh.md")
CATALOGUE = ROOT / "pipeline/catalogue/README.md"
_REGION = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """The text with every marked table as it is today; an unknown name is a ``KeyError``."""
    made = tables() | catalogue_tables()
    return _REGION.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", text)


def tables() -> dict[str, str]:
    """Every table of the first pages in Markdown, by its name."""
    return {"commands": _commands(), "settings": _settings(), "metrics": _metrics()}


def catalogue_tables() -> dict[str, str]:
    """Every table of the catalogue's page, by its name."""
    return {
        "indicators": _indicators(),
        "indicators_zh": _indicators(chinese=True),
        "measures": _table(
            ("measure", "度量", "", "kind"),
            (
                (f"`{key}`", m.name_zh, m.name_en, "stock 存量" if m.stock else "events 事件")
                for key, m in MEASURES.items()
            ),
        ),
        "windows": _named(("window", "窗口", ""), WINDOWS),
        "conventions": _named(("convention", "人口口径", ""), CONVENTIONS),
        "intervals": _named(("interval", "区间", ""), INTERVALS),
        "reasons": _named(("reason", "原因", "why there is no value"), REASONS | NOTES),
        "targets": _targets(),
    }


def _indicators(*, chinese: bool = False) -> str:
    place = 0 if chinese else 1
    head = (
        ("指标", "名称", "公式", "单位", "窗口", "口径", "区间", "出处")
        if chinese
        else ("key", "name", "formula", "unit", "windows", "bases", "interval", "source")
    )
    rows = []
    for key, entry in INDICATORS.items():
        divided = isinstance(entry.denominator, Stock) and not isinstance(entry.numerator, Stock)
        stocks = f" ({entry.rolling}; {entry.calendar})" if divided else ""
        names = (entry.name_zh, entry.name_en)
        rows.append(
            (
                f"`{key}`",
                names[place],
                formula(entry)[place] + stocks,
                UNITS[entry.unit][1 + place],
                " ".join(entry.windows),
                " ".join(BASES[base][place] for base in entry.bases),
                entry.interval,
                entry.source,
            )
        )
    return _table(head, rows)


def _targets() -> str:
    rows = []
    for target in TARGETS:
        entry = INDICATORS[target.indicator]
        low, high = (None if n is None else f"{float(n):,.10g}" for n in (target.low, target.high))
        figure = "" if low is None else low if low == high else f"{low}–{high}"
        said = " ".join(COMPARATORS[target.comparator])
        place = (f"`{target.indicator}`", entry.name_zh, entry.name_en, target.baseline)
        rows.append((*place, said, figure, " ".join(dict.fromkeys(UNITS[entry.unit][1:]))))
    return _table(("indicator", "指标", "", "2015", "comparator", "2020", "unit"), rows)


def _named(head: tuple[str, ...], names: Mapping[str, tuple[str, str]]) -> str:
    return _table(head, ((f"`{key}`", *words) for key, words in names.items()))


def commands(
    group: click.Group = popflow, above: tuple[str, ...] = ("popflow",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        words = (*above, name)
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, words)
        else:
            yield words, command


def _commands() -> str:
    rows = []
    for words, command in commands():
        context = click.Context(command, info_name=words[-1])
        needed = [
            f"{option.opts[0]} {option.metavar or option.type.name.split()[0].upper()}"
            for option in command.params
            if isinstance(option, click.Option) and option.required
        ]
        pieces = [p for p in command.collect_usage_pieces(context) if p != "[OPTIONS]"]
        first = (command.help or "").partition("\n\n")[0].replace("\n", " ")
        rows.append((f"`{' '.join((*words, *pieces, *needed))}`", first))
    return _table(("command 命令", "what it does 作用"), rows)


def _settings() -> str:
    rows = [
        (
            f"`{name}`",
            "" if field.default in (None, "", {}) else f"`{field.default}`",
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]
    return _table(("setting 设置", "default 默认", "meaning 含义"), rows)


def _metrics() -> str:
    rows = []
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            (family,) = metric.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = " ".join(f"`{label}`" for label in metric._labelnames)
            rows.append((f"`{name}`", family.type, labels, family.documentation))
    return _table(("metric 指标", "type", "labels 标签", "meaning 含义"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([c.replace("|", "\\|") for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the tables of all pages anew."""
    for path in (*READMES, CATALOGUE):
        path.write_text(with_tables(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
