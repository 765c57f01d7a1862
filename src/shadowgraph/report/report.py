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

from shadowgraph.errors import printable
from shadowgraph.report import novelty, tables
from shadowgraph.report.facts import facts_of
from shadowgraph.report.palette import ArmStyle, stylesheet
from shadowgraph.report.record import Record, open_result

if TYPE_CHECKING:
    from jinja2 import Environment

    from shadowgraph.report.plates import Plate

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
    from shadowgraph.report import contrasts, runs
    from shadowgraph.report.plates import legend_of, many_arms, styles_of

    study = open_result(result, "study")
    return page(
        "study.html.j2",
        styles_of(study),
        study=study,
        plates=plates_of(study),
        tables=tables,
        contrasts=contrasts,
        runs=runs,
        legend=legend_of(study),
        many=many_arms(study),
        answer=study.record("answer"),
        level=level_of(study.record("answer")),
        facts=facts_of(study),
        novelty=novelty,
        unmatched=novelty.unmatched(study),
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
    from shadowgraph.report.audit_parts import check_table, endpoint_rows, heat_maps, skipped_table

    audit = open_result(result, "audit")
    verdict = audit.record("verdict")
    return page(
        "audit.html.j2",
        {},
        audit=audit,
        verdict=verdict,
        level=level_of(verdict),
        endpoint=endpoint_rows(audit),
        checks=check_table(audit),
        skipped=skipped_table(audit),
        heat=heat_maps(audit),
        tables=tables,
    )


def study_pictures(result: Mapping[str, Any]) -> dict[str, str]:
    """Render the first panel of every figure of a study as an SVG file of its own, for a README or a slide.

    Args:
        result: the parsed `result.json` of kind "study".

    Returns:
        Key of the figure → standalone SVG document that follows light and dark mode, for the figures that the result
        has something for; equal results give equal text.
    """
    return {plate.key: standalone(plate.panels[0]) for plate in plates_of(open_result(result, "study")) if plate.panels}


def standalone(panel: Markup) -> str:
    """One panel of a page as an SVG file of its own that follows light and dark mode."""
    text = str(panel)
    end = text.index(">")
    sheet = stylesheet() + "svg{background:var(--paper);font-family:Helvetica,Arial,sans-serif}"
    return f'{text[:end]} xmlns="http://www.w3.org/2000/svg"><style>{sheet}</style>{text[end + 1 :]}\n'


def plates_of(study: Record) -> list[Plate]:
    """The figures of a study in the order of the page; what only some plans ask for is there when they do."""
    from shadowgraph.report.affinity import affinity_plate
    from shadowgraph.report.contrasts import contrast_plate
    from shadowgraph.report.doses import dose_plate
    from shadowgraph.report.effects import forest_plate, scatter_plate
    from shadowgraph.report.figures import endpoint_plate, spectra_plate
    from shadowgraph.report.frontier import frontier_plate
    from shadowgraph.report.intervention import difference_plate
    from shadowgraph.report.links import link_plate
    from shadowgraph.report.maps import heat_plate
    from shadowgraph.report.mixtures import mixture_plate
    from shadowgraph.report.plates import styles_of
    from shadowgraph.report.settings import setting_plate
    from shadowgraph.report.strata import label_plate
    from shadowgraph.report.towers import tower_plate
    from shadowgraph.report.training import training_plate

    styles = styles_of(study)
    plates = [contrast_plate(study)] if tables.contrasts_of(study) else []
    plates += [setting_plate(study)] if study.record("settings").data else []
    plates += [frontier_plate(study), difference_plate(study)] if study.record("intervention").data else []
    plates += [tower_plate(study, styles)] if study.record("towers").data else []
    plates += [dose_plate(study, styles)] if study.records("trends") else []
    plates += [label_plate(study)] if study.record("label").data else []
    plates += [affinity_plate(study, styles)] if study.record("affinity").data else []
    plates += [mixture_plate(study, styles)] if study.records("mixture") else []
    plates += [
        endpoint_plate(study, styles),
        heat_plate(study),
        spectra_plate(study, styles),
        training_plate(study, styles),
        scatter_plate(study, styles),
    ]
    plates += [link_plate(study, styles)] if study.records("link") else []
    return [*plates, forest_plate(study)]


def page(template: str, styles: Mapping[str, ArmStyle], **context: object) -> str:
    """A whole page from a template, its style sheet and the policy that allows nothing else."""
    sheet, policy = _style()
    text = _environment().get_template(template).render(sheet=sheet, policy=policy, styles=styles, **context)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def level_of(record: Record) -> tuple[str, str]:
    """The claim level and what it allows one to say."""
    level = record.text("claim_level")
    return (level or "no claim", LADDER.get(level, "the result states no level of the ladder L0 to L4"))
