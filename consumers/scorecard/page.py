"""The scorecard as one HTML file: no script, no font, no picture from anywhere else."""

from __future__ import annotations

from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined

from consumers.scorecard import words
from consumers.scorecard.chart import chart
from consumers.scorecard.read import Scorecard
from consumers.scorecard.shown import counts, heading, lines, notes
from consumers.scorecard.words import Language

_TEMPLATE = "scorecard.html"


def page(card: Scorecard, language: Language, *, simulated: bool) -> str:
    """The whole file.

    Args:
        card: what is shown.
        language: ``zh`` or ``en``.
        simulated: whether to say that nobody in it is real.
    """
    environment = Environment(
        loader=PackageLoader("consumers.scorecard", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    rows = []
    for line, row in zip(lines(card, language), card.rows, strict=True):
        label = f"{line.name}: {line.present} ({line.target}), {line.trend} {line.direction}"
        rows.append((line, chart(row, label)))
    return environment.get_template(_TEMPLATE).render(
        card=card,
        language=language,
        word=partial(words.word, language=language),
        place=words.place(card.district, language),
        heading=heading(card, language),
        counts=counts(card, language),
        rows=rows,
        notes=notes(card, language),
        simulated=simulated,
    )
