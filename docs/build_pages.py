"""Writes the pages of docs/ that come from the code, so that page and code cannot drift apart.

Here lives: the text of one page per measure key and per check code, and their indexes. Not here: any fact; those stand
in `shadowgraph.measures.catalogue`, `shadowgraph.audit.checks` and the docstrings there. Run it with `make pages`.
"""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

from shadowgraph.artifact import write_bytes
from shadowgraph.audit import checks
from shadowgraph.measures.catalogue import CATALOGUE, Measure

DOCS = Path(__file__).resolve().parent
NOTICE = "<!-- Written by docs/build_pages.py from the code; change it there, then run `make pages`. -->"
INPUTS = {
    "spectrum": "the singular values of one matrix",
    "pair": "sums over the entries of both matrices",
    "entries": "the entries of the matrix",
    "vectors": "leading singular vectors of both matrices",
    "model": "the energies of all matrices of the model",
}
HOMES = {
    "pair": "measures.geometry",
    "entries": "measures.geometry",
    "vectors": "measures.subspace",
    "model": "measures.distribution",
    "floor_share": "measures.null",
    "trap_count": "footprint.randomised",
    "weighted_participation_ratio": "footprint.weighted",
    "weighted_concentration": "footprint.weighted",
}
WEIGHTS = {
    "s": "amplitudes, p = s / Σ s",
    "s²": "energies, q = s² / Σ s²",
    "—": "none",
}


def table(rows: Mapping[str, str]) -> list[str]:
    """Two columns without a heading."""
    return ["| | |", "|---|---|", *(f"| {left} | {escaped(right)} |" for left, right in rows.items())]


def escaped(text: str) -> str:
    """Text that may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|")


def measure_page(measure: Measure) -> str:
    """The page of one measure."""
    function = measure.function
    words = inspect.getdoc(function) if function else None
    body = ["```text", words, "```"] if words else [f"Read from {INPUTS[measure.needs]}, not from a spectrum."]
    place = HOMES.get(measure.key) or HOMES.get(measure.needs)
    home = f"`{function.__module__}.{function.__name__}`" if function else f"`shadowgraph.{place}`"
    facts = {
        "symbol": measure.symbol,
        "definition": measure.formula,
        "weights": WEIGHTS[measure.weights],
        "smallest": measure.lower,
        "largest": measure.upper,
        "reads as": measure.direction,
        "objects": ", ".join(sorted(measure.objects)),
        "needs": INPUTS[measure.needs],
        "Gaussian noise of the same shape": measure.null,
        "unchanged by a positive factor": "yes" if measure.scale_free else "no",
        "source": measure.source,
        "code": home,
    }
    head = [NOTICE, "", f"# `{measure.key}`", ""]
    warning = ["", f"**Misleads when:** {measure.misleads}.", ""]
    return "\n".join([*head, *table(facts), *warning, *body, "", "[All measures](README.md)", ""])


def measure_index() -> str:
    """The page that lists all measures."""
    head = ["key", "definition", "range", "reads as", "Gaussian noise", "objects"]
    rows = [
        f"| [`{each.key}`]({each.key}.md) | {escaped(each.formula)} | {each.lower} … {each.upper} "
        f"| {each.direction} | {each.null} | {' '.join(sorted(each.objects))} |"
        for each in CATALOGUE.values()
    ]
    lead = [
        "A key is permanent. A value is reported beside its null: what Gaussian noise of the same shape would read.",
        "Here s are the singular values of an m × n matrix in descending order, q = s² / Σ s² and p = s / Σ s.",
        "The object is always named with the measure: O1 is f(W), O2 is f(W1) − f(W0), O3 is f(W1 − W0).",
    ]
    columns = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([NOTICE, "", "# Measures", "", *lead, "", *columns, *rows, ""])


def check_docstrings() -> dict[str, str]:
    """The docstring of every check by its code; a check is a function whose docstring opens with its code."""
    documents = (inspect.getdoc(value) or "" for _, value in inspect.getmembers(checks, inspect.isfunction))
    return {text[:5]: text for text in sorted(documents) if re.match(r"SG\d{3}: ", text)}


def with_limits(text: str) -> str:
    """Constants named in a docstring, followed by their values."""
    return re.sub(r"`([A-Z_]+)`", lambda match: f"`{match[1]}` ({getattr(checks, match[1])})", text)


def question(docstring: str) -> str:
    """The first line of a check's docstring, code and full stop cut away, as a sentence of its own."""
    words = docstring.splitlines()[0].split(": ", 1)[1].rstrip(".")
    return words[0].upper() + words[1:]


def check_page(code: str, docstring: str) -> str:
    """The page of one check."""
    rest = with_limits("\n".join(docstring.splitlines()[1:]).strip())
    fates = "Fates: `passed`, `failed`, `inconclusive`, `not applicable`. Any but `passed` forbids a conclusion."
    heading = with_limits(question(docstring))
    parts = [NOTICE, f"# {code}", f"{heading}.", *([rest] if rest else []), fates, "[All checks](README.md)"]
    return "\n\n".join(parts) + "\n"


def check_index() -> str:
    """The page that lists all checks."""
    rows = [f"| [{code}]({code}.md) | {with_limits(question(text))} |" for code, text in check_docstrings().items()]
    lead = "A code is permanent. Every audit runs all checks and shows the fate of each."
    return "\n".join([NOTICE, "", "# Checks", "", lead, "", "| code | asks |", "|---|---|", *rows, ""])


def pages() -> dict[str, str]:
    """Every page that comes from the code, by its place under docs/."""
    found = {f"measures/{key}.md": measure_page(measure) for key, measure in CATALOGUE.items()}
    found |= {f"checks/{code}.md": check_page(code, text) for code, text in check_docstrings().items()}
    return found | {"measures/README.md": measure_index(), "checks/README.md": check_index()}


def write_pages() -> None:
    """Write every page and remove those whose subject is gone."""
    wanted = pages()
    for folder in {Path(place).parent for place in wanted}:
        for stale in (DOCS / folder).glob("*.md"):
            if str(stale.relative_to(DOCS)) not in wanted:
                stale.unlink()
    for place, text in wanted.items():
        write_bytes(DOCS / place, text.encode())


if __name__ == "__main__":
    write_pages()
