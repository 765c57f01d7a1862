"""Rules about text: what a reader of the project must never meet.

Here live: patterns of machine paths, registry hosts and words from outside. Patterns are spelled with brackets so that
this file does not match itself.
"""

import ast
import re

from house_tree import Source

ANYWHERE = {
    "a path of one machine": r"(?<![\w.])/(?:[w]ork|[o]pt|[r]oot|[h]ome)/",
    "a registry host": r"\b(?:[p]ypi\.|[p]ythonhosted|[r]egistry\.npmjs|[d]ownload\.pytorch|[d]eb\.debian)",
    "an index option": r"--?(?:[e]xtra-)?[i]ndex-url|--[f]ind-links",
    "talk about the work": r"(?i)\b(?:[c]laude|[c]hatgpt|[a]i assistant|[o]ther helpers?|[t]he lead|[i]ssues? show)\b",
    "an unfinished mark": r"\b(?:[T]ODO|[F]IXME|[X]XX)\b",
}
INSIDE = {"a folder beside the project": r"(?<![\w-])[s]hared/"}
MAY_LOOK_OUTSIDE = {".ci/run"}


def unwanted(place: str, text: str) -> list[str]:
    """Lines of one file that hold something a reader should not meet."""
    patterns = ANYWHERE if place in MAY_LOOK_OUTSIDE else ANYWHERE | INSIDE
    return [
        f"{place}:{number}: {what}: {match.group()!r}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in patterns.items()
        if (match := re.search(pattern, line))
    ]


def words_of_a_verdict(source: Source) -> list[str]:
    """Words that no verdict may use, in any string of a file but its docstrings."""
    silent = docstrings(source.tree)
    constants = (node for node in ast.walk(source.tree) if isinstance(node, ast.Constant) and id(node) not in silent)
    spoken = [node for node in constants if isinstance(node.value, str)]
    return [
        f"{source.place}:{node.lineno}: says {word!r}"
        for node in spoken
        for word in re.findall(r"(?i)\b([s]afe|[c]ertified|[c]ontaminated)\b", str(node.value))
    ]


def docstrings(tree: ast.Module) -> set[int]:
    """Identities of the string nodes that stand as statements of their own."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
