"""Writes docs/results/NAME.md and the folder beside it from a finished study, so that a page never says more than it.

Here lives: the text of these pages. Not here: any number; those stand in the study's result.json. Run it with
`python docs/build_results.py STUDY_FOLDER NAME`; with `python docs/build_results.py NAME` it writes the page again from
the result.json kept in docs/results/NAME, and with `python docs/build_results.py --seal NAME` the digests of the
records kept there, once they are known to be right. What was done otherwise than planned stands, written by hand, in
docs/results/NAME/deviations.md.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from shadowgraph.artifact import read_object, write_bytes
from shadowgraph.errors import printable
from shadowgraph.report import contrasts, endpoints, tables
from shadowgraph.report.plates import Plate
from shadowgraph.report.record import Record, open_result
from shadowgraph.report.report import level_of, plates_of, standalone
from shadowgraph.study.roster import write_roster
from shadowgraph.study.seal import seal_records

RESULTS = Path(__file__).resolve().parent / "results"
RECIPES = RESULTS.parents[1] / "recipes"
NOTICE = "<!-- Written by docs/build_results.py from {name}/result.json; run the script, do not edit this page. -->"
KEPT = (
    "plan.json",
    "matched.json",
    "suite/roster.json",
    "base*/record.json",
    "runs/*/record.json",
)  # what a study resumes from
DEVIATED = (
    "What was done otherwise than planned, and what weakens this, stands under [Deviations](#deviations-from-the-plan)."
)
FLOWING = 3  # sentences that read well as one paragraph; more become a list
FIRST = {"endpoints", "spectra"}  # of these figures the first panel says enough here


def pictures(study: Record, plates: Sequence[Plate]) -> dict[str, str]:
    """File name → SVG of every figure the page shows."""
    found: dict[str, str] = {}
    for plate in plates:
        for place in range(_shown(plate, study)):
            found[_file(plate, place)] = standalone(plate.panels[place])
    return found


def _shown(plate: Plate, study: Record) -> int:
    """How many panels of a figure the page shows; variants stay on the full page where there are several tests."""
    if plate.key == "forest" and tables.several(study):
        return 0
    return min(len(plate.panels), plate.lead or (1 if plate.key in FIRST else len(plate.panels)))


def _file(plate: Plate, place: int) -> str:
    return f"{plate.key}{f'-{place + 1}' if place else ''}.svg"


def page(name: str, study: Record, plates: Sequence[Plate], deviations: str | None) -> str:
    """The page of one study.

    Args:
        name: of the folder beside the page.
        study: the result.
        plates: its figures.
        deviations: what was done otherwise than planned, in Markdown; None when nothing is recorded.
    """
    answer = study.record("answer")
    blocks = [NOTICE.format(name=name), f"# {_text(study.text('name', name))}", _text(study.text("question")),
              _origin(name, study), *_answer(study, answer, deviations)]  # fmt: skip
    if tables.several(study):
        unit = study.record("design").text("unit")
        blocks += [
            "## What the plan tests",
            _table(contrasts.claim_table(study)),
            f"Unit: {_text(unit)}." if unit else "",
        ]
    blocks += ["## What speaks against it", _items(answer.texts("exceptions"), "No reading and no variant has another "
               "sign than its primary test.")]  # fmt: skip
    if study.records("exceptions"):
        blocks.append(_table(contrasts.exception_table(study)))
    blocks += ["## What would change our mind", _items(answer.texts("would_change"), "The result names nothing.")]
    blocks += ["## Deviations from the plan", (deviations or "").strip() or "None is recorded."]
    for plate in plates:
        blocks += _figure(name, plate, study)
    blocks += _numbers(study)
    blocks += ["## Limits", _items([*answer.texts("limits"), *study.texts("limits")], "The result lists none.")]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _origin(name: str, study: Record) -> str:
    """Where the study comes from and how to run it again."""
    recipe = RECIPES / f"{name}.toml"
    plan = f"plan `{study.text('plan_hash', 'not stated')}`, fixed before the first run"
    kept = f"Beside this page: [result.json]({name}/result.json), [plan.json]({name}/plan.json) and the figures."
    if not recipe.exists():
        return f"A study with the {plan}. {kept}"
    again = (
        f"```\nshadowgraph study run recipes/{name}.toml --output out/{name}\n"
        f"shadowgraph study run recipes/{name}.toml --output out/{name} --records docs/results/{name}/records\n```"
    )
    return (
        f"The study of [recipes/{name}.toml](../../recipes/{name}.toml), {plan}. {kept} The first line runs it again, "
        f"the second makes the analysis again from the records of its runs, without training:\n\n{again}"
    )


def _answer(study: Record, answer: Record, deviations: str | None) -> list[str]:
    """The answer, its claim level, where deviations stand and the claims one by one."""
    level, meaning = level_of(answer)
    told = {claim.text("sentence") for claim in answer.records("claims")} if tables.several(study) else set[str]()
    further = [_text(sentence) for sentence in answer.texts("sentences") if sentence not in told]
    said = _items(further, "", safe=True) if len(further) > FLOWING else " ".join(further)
    said = said if said or told else "The result states no answer."
    claims = [
        f"**{_text(claim.text('name', 'unnamed'))}** ({_text(claim.text('claim_level', 'no level'))}): "
        f"{_text(claim.text('sentence').removeprefix(claim.text('name', 'unnamed') + ': '))}"
        for claim in answer.records("claims")
    ]
    first = ["## Answer", f"**Claim level {level}**: {meaning}.", DEVIATED if (deviations or "").strip() else ""]
    return [*first, _items(claims, "", safe=True), said] if tables.several(study) else [*first, said]


def _figure(name: str, plate: Plate, study: Record) -> list[str]:
    """One figure with its caption and the tables that stand open under it."""
    count = _shown(plate, study)
    if not count and not any(table.rows for _, table in plate.shown):
        return []
    blocks = [f"## {_text(plate.title)}"]
    blocks += ["\n".join(f"![{_text(plate.title)}]({name}/figures/{_file(plate, place)})" for place in range(count))]
    blocks += [_text(plate.caption)] if count else []
    if plate.key in {"contrasts", "forest", "settings"} and count:
        blocks.append(_table(plate.table))
    for title, table in plate.shown:
        if table.rows:
            blocks += [f"### {_text(title)}", _table(table)]
    return blocks


def _numbers(study: Record) -> list[str]:
    """The tables that stand at the end of the full page, as far as the result fills them."""
    found = [
        ("Endpoints by arm", endpoints.endpoint_table(study)),
        ("Equivalence", tables.equivalence_table(study)),
        ("Asymmetry", tables.asymmetry_table(study)),
        ("Balance of the arms", tables.balance_table(study)),
        ("Power", contrasts.power_table(study)),
    ]
    return [block for title, table in found if table.rows for block in (f"## {title}", _table(table))]


def _items(items: Sequence[str], absent: str, *, safe: bool = False) -> str:
    return "\n".join(f"- {item if safe else _text(item)}" for item in items) or absent


def _text(text: str) -> str:
    """Foreign words on one line, with nothing in them that Markdown would read as markup."""
    return re.sub(r"([\\`*<|])", r"\\\1", printable(" ".join(text.split()), limit=2000)).replace("](", "]\\(")


def _table(table: tables.Table) -> str:
    """A table in Markdown; what the page underlines (a caliper missed) is in italics here."""
    if not table.rows:
        return "Nothing to show."
    names = [_text(name) or " " for name in table.names]
    rule = ["--:" if numeric else ":--" for numeric in table.numeric]
    rows = [[f"*{_text(cell.text)}*" if cell.css == "off" else _text(cell.text) for cell in row] for row in table.rows]
    lines = [f"| {' | '.join(row)} |" for row in (names, rule, *rows)]
    note = ["", _text(table.note)] if table.note else []
    return "\n".join([*lines, *note])


def publish(folder: Path | None, name: str, into: Path = RESULTS) -> Path:
    """Write the page of a study, and from its folder everything beside the page; old figures and records go.

    Args:
        folder: a finished study, or None to write page and figures again from what is kept.
        name: of the page and the folder beside it.
        into: where pages stand.

    Returns:
        The page.

    Raises:
        DataError: there is no readable result.json, or it is not one of a study.
    """
    kept = into / name
    study = open_result(read_object((folder or kept) / "result.json"), "study")
    plates = plates_of(study)
    if folder is not None:
        for old in (kept / "records").rglob("*.json"):
            old.unlink()
        write_bytes(kept / "result.json", (folder / "result.json").read_bytes())
        write_bytes(kept / "plan.json", (folder / "plan.json").read_bytes())
        write_roster(folder / "suite")
        for pattern in KEPT:
            for file in sorted(folder.glob(pattern)):
                write_bytes(kept / "records" / file.relative_to(folder), file.read_bytes())
        seal_records(kept / "records")
    for old in (kept / "figures").glob("*.svg"):
        old.unlink()
    for file, text in pictures(study, plates).items():
        write_bytes(kept / "figures" / file, text.encode())
    target = into / f"{name}.md"
    write_bytes(target, page(name, study, plates, deviations_of(kept)).encode())
    return target


def deviations_of(kept: Path) -> str | None:
    """The deviations written by hand for a study, if any."""
    file = kept / "deviations.md"
    return file.read_text("utf-8") if file.exists() else None


def main(arguments: Sequence[str]) -> int:
    """Publish the study named on the command line."""
    if len(arguments) not in {1, 2} or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", arguments[-1]):
        sys.stderr.write("usage: python docs/build_results.py [STUDY_FOLDER | --seal] NAME\n")
        return 2
    if arguments[0] == "--seal":
        sys.stdout.write(f"{seal_records(RESULTS / arguments[-1] / 'records')} files sealed\n")
        return 0
    folder = Path(arguments[0]) if len(arguments) == 2 else None
    sys.stdout.write(f"{publish(folder, arguments[-1])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
