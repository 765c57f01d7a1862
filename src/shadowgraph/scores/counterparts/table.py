"""All rules by name.

Here lives: the table. Not here: the rules (`text_rules`, `number_rules`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shadowgraph.scores.counterparts.number_rules import NUMBER_RULES
from shadowgraph.scores.counterparts.rule import Rule
from shadowgraph.scores.counterparts.text_rules import TEXT_RULES

RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in (*TEXT_RULES, *NUMBER_RULES)})
