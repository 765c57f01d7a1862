"""One-file HTML pages from results.

Here live: `render_study` and `render_audit`, the words around the numbers, and the content security policy.
Not here: figures and tables (their own files) and the writing of files (the caller's).
A page holds no script, asks for nothing outside itself and carries no date: equal results give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from shadowgraph.errors import DataError, printable
from shadowgraph.report.palette import ArmStyle, stylesheet
from shadowgraph.report.record import Record, open_result

if TYPE_CHECKING:
    from jinja2 import Environment

    from shadowgraph.report.figures import Plate

LADDER = {
    "L0": "description of the runs at hand, without inference beyond them",
    "L1": "in this setting, the regime shifts the spectrum",
    "L2": "the regime of an unseen run of this base and method is detected",
    "L3": "the regime is detected for an unseen base, method or optimiser",
    "L4": "the signature goes with uneven capability",
}
TEXT_LIMIT = 2000
_SPACE = re.compile(r"[ \t\r\n]+")


def clean(value: object) -> object:
    """Make any string safe to show: white space folded, control and bidi characters spelled out, length cut."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return printable(_SPACE.sub(" ", value), limit=TEXT_LIMIT)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("shadowgraph.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["printable"] = clean
    return environment


@lru_cache(maxsize=1)
def _style() -> tuple[Markup, str]:
    """The page's style sheet and the policy that allows it and nothing else."""
    environment = _environment()
    if environment.loader is None:  # the loader was given above; this tells the type checker so
        return Markup(""), ""
    source = environment.loader.get_source(environment, "style.css")[0]
    sheet = "\n".join(line for line in (stylesheet() + source).splitlines() if line)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Markup(sheet), policy  # noqa: S704 - our own file


def render_study(result: Mapping[str, Any]) -> str:
    """Render the page of a study.

    Args:
        result: the parsed `result.json` of kind "study".

    Returns:
        A complete HTML document; equal results give equal text.

    Raises:
        DataError: when the result is of another kind or a value has the wrong type; names the place.
        SpecError: when the schema is newer than this version.
    """
    from shadowgraph.report import tables
    from shadowgraph.report.figures import styles_of

    study = open_result(result, "study")
    return page(
        "study.html.j2",
        styles_of(study),
        study=study,
        plates=_plates(study),
        tables=tables,
        answer=study.record("answer"),
        level=_level(study.record("answer")),
        facts=_facts(study),
        novel=[arm.text("name", "unnamed") for arm in study.records("arms") if arm.flag("novel")],
    )


def render_audit(result: Mapping[str, Any]) -> str:
    """Render the page of an audit.

    Args:
        result: the parsed `result.json` of kind "audit".

    Returns:
        A complete HTML document; equal results give equal text.

    Raises:
        DataError: when the result is of another kind or a value has the wrong type; names the place.
        SpecError: when the schema is newer than this version.
    """
    from shadowgraph.report import tables
    from shadowgraph.report.audit_parts import check_table, endpoint_rows, heat_maps, skipped_table

    audit = open_result(result, "audit")
    verdict = audit.record("verdict")
    return page(
        "audit.html.j2",
        {},
        audit=audit,
        verdict=verdict,
        level=_level(verdict),
        endpoint=endpoint_rows(audit),
        checks=check_table(audit),
        skipped=skipped_table(audit),
        heat=heat_maps(audit),
        tables=tables,
    )


PICTURES = ("endpoints", "heatmap", "spectra", "training", "scatter", "forest")


def study_picture(result: Mapping[str, Any], key: str = "heatmap") -> str:
    """Render the first panel of one figure of a study as an SVG file of its own, for a README or a slide.

    Args:
        result: the parsed `result.json` of kind "study".
        key: one of `PICTURES`.

    Returns:
        A standalone SVG document that follows light and dark mode; equal results give equal text.

    Raises:
        DataError: when the result has no such figure.
    """
    panels = [plate.panels for plate in _plates(open_result(result, "study")) if plate.key == key]
    if not panels or not panels[0]:
        raise DataError(f"the result has no figure {key!r}", where="result.json")
    text = str(panels[0][0])
    end = text.index(">")
    sheet = stylesheet() + "svg{background:var(--paper);font-family:Helvetica,Arial,sans-serif}"
    return f'{text[:end]} xmlns="http://www.w3.org/2000/svg"><style>{sheet}</style>{text[end + 1 :]}\n'


def _plates(study: Record) -> list[Plate]:
    """The figures of a study in the order of the page."""
    from shadowgraph.report.effects import forest_plate, scatter_plate
    from shadowgraph.report.figures import endpoint_plate, spectra_plate, styles_of, training_plate
    from shadowgraph.report.heatmap import heat_plate

    styles = styles_of(study)
    return [
        endpoint_plate(study, styles),
        heat_plate(study),
        spectra_plate(study, styles),
        training_plate(study, styles),
        scatter_plate(study, styles),
        forest_plate(study),
    ]


def page(template: str, styles: Mapping[str, ArmStyle], **context: object) -> str:
    """A whole page from a template, its style sheet and the policy that allows nothing else."""
    sheet, policy = _style()
    text = _environment().get_template(template).render(sheet=sheet, policy=policy, styles=styles, **context)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def _level(record: Record) -> tuple[str, str]:
    """The claim level and what it allows one to say."""
    level = record.text("claim_level")
    return (level or "no claim", LADDER.get(level, "the result states no level of the ladder L0 to L4"))


def _facts(study: Record) -> list[tuple[str, str, str, bool]]:
    """The few numbers under the answer: name, number or reason, small print, whether it is a number.

    The readings of the primary contrast come first, then one line for each pair of arms tested for equivalence; a pair
    counts as equivalent only when every one of its tests says so.
    """
    from shadowgraph.report import tables
    from shadowgraph.report.numerals import missing, percent, probability, trimmed, with_interval

    facts: list[tuple[str, str, str, bool]] = []
    primary = study.record("primary")
    for effect in tables.effects_of(study):
        if (effect.text("endpoint"), effect.texts("arms")) != (primary.text("endpoint"), primary.texts("arms")):
            continue
        estimate, level = effect.number("estimate"), effect.number("level").value
        small = [f"{percent(level)} interval" if level else "", f"p {_equals(probability(effect.number('p')))}",
                 f"draws {' + '.join(effect.texts('n'))}" if effect.texts("n") else ""]  # fmt: skip
        known = estimate.value is not None
        name = f"Difference of {tables.endpoint_name(effect.text('endpoint'))}, {effect.text('reading') or 'primary'}"
        number = with_interval(estimate, effect.interval())
        facts.append((name, number, ", ".join(part for part in small if part) if known else "", known))
    tests = study.records("equivalence")
    for pair in dict.fromkeys(tables.pair_of(test) for test in tests):
        own = [test for test in tests if tables.pair_of(test) == pair]
        fates = [test.flag("equivalent") for test in own]
        parts: list[str] = []
        for test in own:
            margin = test.number("margin")
            width = missing(margin) if margin.value is None else f"±\u00a0{trimmed(margin.value)}"
            fate = tables.fate_of(test).text.removeprefix("equivalence ")
            parts.append(f"{tables.endpoint_name(test.text('endpoint'))}: {fate} (margin\u00a0{width})")
        number = "equivalent" if all(fates) else "not shown" if False in fates else "not tested"
        facts.append((f"Equivalence, {pair}", number, "; ".join(parts), None not in fates))
    return facts


def _equals(text: str) -> str:
    return text if text.startswith("<") else f"= {text}"
