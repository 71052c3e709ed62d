"""One module for each kind of event: its body and its counts.

The order is the one in which facts of one day and number are asked for the person's sex.
"""

from pipeline.core.kinds import birth, death, discharge, move, permit
from pipeline.core.kinds.rule import Rule

RULES: dict[str, Rule] = {
    "birth": birth.RULE,
    "move": move.RULE,
    "permit": permit.RULE,
    "discharge": discharge.RULE,
    "death": death.RULE,
}
