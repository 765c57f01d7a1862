"""Tables of a study: the words and numbers, without markup.

Here live: what a table is, and the tables of the study page; the terminal prints from the same accessors.
Not here: HTML, colours and pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shadowgraph.report.numerals import (
    DASH,
    over_draws,
    percent,
    probability,
    sensible,
    shown,
    trimmed,
    with_interval,
    with_sd,
)
from shadowgraph.report.record import Quantity, Record
from shadowgraph.study import names

MEANING = {
    "composed": "items whose input is the answer of another",
    "recall": "facts asked in formats never trained",
    "other": "families nobody trained on",
    "retained": "new items of the base's own families",
    "reformatted": "the benchmark's items in other formats",
}
SPLITS = ("benchmark", "reformatted", "composed", "recall", "other", "retained")
MEASURES = (("accuracy", "accuracy"), ("bits_per_byte", "bits per byte"))
TESTED = ("primary", "secondary")  # roles of what the plan tests
COLUMNS_SHOWN = 8  # more arms than this stand in rows
ROWS_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a table; `css` is a class of the page's sheet, `arm` names an arm to be marked."""

    text: str
    css: str = ""
    arm: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; a column whose name begins with ">" holds numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    numeric: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Keep which columns hold numbers."""
        object.__setattr__(self, "numeric", tuple(name.startswith(">") for name in self.columns))

    @property
    def names(self) -> list[str]:
        """Column names without their mark."""
        return [name.removeprefix(">") for name in self.columns]

    def cut(self) -> Table:
        """The same table with at most 400 rows and a note that says so."""
        if len(self.rows) <= ROWS_SHOWN:
            return self
        text = f"First {ROWS_SHOWN} of {len(self.rows):,} rows; all of them are in result.json."
        return Table(self.columns, self.rows[:ROWS_SHOWN], f"{self.note} {text}".lstrip())


def words(text: str) -> Cell:
    """A cell of words; an empty one shows a dash."""
    return Cell(text or DASH)


def arm_cell(name: str) -> Cell:
    """The name of an arm, marked in its colour."""
    return Cell(name, "arm", name)


def value(quantity: Quantity, text: str | None = None, *, sign: bool = False) -> Cell:
    """A number, or its reason set apart."""
    if quantity.value is None:
        return Cell(shown(quantity), "missing")
    return Cell(text if text is not None else shown(quantity, sign=sign))


def raw(number: float | None, *, sign: bool = False) -> Cell:
    """A bare number or a gap."""
    return value(Quantity(number), sign=sign)


def effect_cell(row: Record, key: str = "estimate") -> Cell:
    """An estimate with its interval, or its reason."""
    return value(row.number(key), with_interval(row.number(key), row.interval()))


def p_cell(row: Record, key: str = "p") -> Cell:
    """A p-value, or its reason."""
    return value(row.number(key), probability(row.number(key)))


def arm_names(study: Record) -> list[str]:
    """Arms in the order of the result."""
    return [arm.text("name", "unnamed") for arm in study.records("arms")]


def spread_note(study: Record) -> str:
    """What numbers by arm are, in a sentence."""
    return f"{over_draws(study.record('design').number('draws'))}."


def balance_table(study: Record) -> Table:
    """The balance sheet: how alike the arms' documents are, means ± standard deviations over draws.

    A column an arm, or, where arms are many, a row an arm.
    """
    arms = study.records("arms")
    present = [key for arm in arms for key in arm.record("balance").data]
    keys = [*(key for key in names.BALANCE if key in present), *sorted(set(present) - set(names.BALANCE))]
    cells = {arm.text("name", "unnamed"): [_balance_cell(arm, key) for key in keys] for arm in arms}
    columns = [names.balance_name(key) for key in keys]
    if len(arms) > COLUMNS_SHOWN:
        rows = [[arm_cell(arm), *own] for arm, own in cells.items()]
        return Table(["arm", *(f">{name}" for name in columns)], rows)
    rows = [[Cell(name), *(own[place] for own in cells.values())] for place, name in enumerate(columns)]
    return Table(["", *(f">{name}" for name in cells)], rows)


def _balance_cell(arm: Record, key: str) -> Cell:
    """One quantity of one arm, underlined where it misses a caliper."""
    one = arm.record("balance").record(key)
    missed = any(not item.flag("met") and item.text("key") == key for item in arm.records("calipers"))
    cell = value(one.number("mean"), with_sd(one.number("mean"), one.number("sd")))
    return Cell(cell.text, "off", "") if missed and not cell.css else cell


def caliper_table(study: Record) -> Table:
    """Every caliper: the difference, its limit and whether it is met."""
    rows: list[list[Cell]] = []
    for arm in study.records("arms"):
        for item in arm.records("calipers"):
            met = item.flag("met")
            fate = {True: Cell("met", "good"), False: Cell("missed", "bad"), None: Cell("unknown", "missing")}[met]
            key = item.text("key")
            gap, limit = item.number("difference"), item.number("limit")
            rows.append([
                arm_cell(arm.text("name", "unnamed")),
                words(item.text("against")),
                words(names.quantity_name(key)),
                value(gap, sensible(gap.value, 2, sign=True) if gap.value is not None else None),
                value(limit, f"± {trimmed(limit.value)}" if limit.value is not None else None),
                fate,
            ])  # fmt: skip
    return Table(["arm", "against", "quantity", ">difference", ">caliper", "fate"], rows)


def score_of(study: Record, arm: str, split: str, measure: str) -> Record:
    """The score row of an arm, a split and a measure; empty when there is none.

    Args:
        study: the whole result.
        arm: an arm's name, or "base".
        split: a split's name, as in `SPLITS`.
        measure: "accuracy" or "bits_per_byte".
    """
    for row in study.records("scores"):
        if (row.text("arm"), row.text("split"), row.text("measure")) == (arm, split, measure):
            return row
    return Record({})


def splits_of(study: Record) -> list[str]:
    """Splits present, the known ones first."""
    present = list(dict.fromkeys(row.text("split") for row in study.records("scores")))
    return [*(name for name in SPLITS if name in present), *(name for name in present if name not in SPLITS)]


def outside_of(study: Record) -> list[str]:
    """The splits of the transfer panel the result names, as far as present; the same for all arms."""
    present = splits_of(study)
    return [name for name in study.record("panel").texts("transfer") if name in present]


def score_tables(study: Record) -> list[tuple[str, Table]]:
    """One table a measure: arms down, splits across, mean and interval, the base first."""
    splits = splits_of(study)
    tables: list[tuple[str, Table]] = []
    for measure, title in MEASURES:
        rows: list[list[Cell]] = []
        for arm in ("base", *arm_names(study)):
            row = [Cell("base", "base") if arm == "base" else arm_cell(arm)]
            for split in splits:
                one = score_of(study, arm, split, measure)
                mean = one.number("mean")
                row.append(value(mean, with_interval(mean, one.interval(), sign=False)))
            rows.append(row)
        chances = [score_of(study, "base", split, measure).number("chance") for split in splits]
        if any(chance.value is not None for chance in chances):
            rows.append([Cell("chance", "base"), *(value(chance) for chance in chances)])
        items = [score_of(study, "base", split, measure).number("items") for split in splits]
        if any(count.value is not None for count in items):
            rows.append([Cell("items", "base"), *(value(count, trimmed(count.value or 0)) for count in items)])
        tables.append((title, Table(["", *(f">{name}" for name in splits)], rows)))
    return tables


def primaries_of(study: Record) -> list[Record]:
    """Every primary test, unmatched."""
    primary = study.record("primary")
    return study.records("primaries") or ([primary] if primary.data else [])


def effects_of(study: Record) -> list[Record]:
    """The primary tests, when present, and every contrast."""
    return [*primaries_of(study), *study.records("contrasts")]


def several(study: Record) -> bool:
    """Whether the plan has more tests than one primary contrast."""
    tests = tests_of(study)
    return len(tests) > 1 or any(test.text("kind", "contrast") != "contrast" for test in tests)


def tests_of(study: Record) -> list[Record]:
    """The primary tests and then the secondary ones, each in its unmatched reading."""
    return [*primaries_of(study), *(row for row in study.records("contrasts") if row.text("role") == "secondary")]


def contrasts_of(study: Record) -> list[Record]:
    """The contrasts and the label among several tests; empty when one contrast is all there is, or none."""
    tests = [test for test in tests_of(study) if test.text("kind") != "trend"] if several(study) else []
    return tests if any(test.text("kind") != "label" for test in tests) else []


def key_of(effect: Record) -> tuple[str, str, str]:
    """Test, endpoint and reading, which name a row."""
    return effect.text("name"), effect.text("endpoint"), effect.text("reading")


def exceptions_of(study: Record) -> set[tuple[str, str, str]]:
    """The rows whose sign is against that of their primary test."""
    return {key_of(item) for item in study.records("exceptions")}


def pair_of(effect: Record) -> str:
    """The two arms of an effect as "a − b"."""
    return " − ".join(effect.texts("arms"))


def effect_name(effect: Record) -> str:
    """The name of an effect with its reading, said once."""
    name, reading = effect.text("name") or pair_of(effect) or "unnamed", effect.text("reading")
    if effect.text("role") == "exploratory":
        reading = "exploratory"
    return name if not reading or reading in name else f"{name}, {reading}"


def effect_table(study: Record) -> Table:
    """Every effect with interval, p, sizes and method, or the reason for no number in its place."""
    rows: list[list[Cell]] = []
    for effect in effects_of(study):
        level = effect.number("level")
        rows.append([
            Cell(effect_name(effect), "primary" if effect.text("role") == "primary" else ""),
            words(names.endpoint_name(effect.text("endpoint"))),
            effect_cell(effect),
            value(level, percent(level.value) if level.value is not None else None),
            p_cell(effect),
            words(effect.sizes()),
            value(effect.number("hedges_g")),
            value(effect.number("cliffs_delta")),
            words(" to ".join(sensible(item) for item in effect.numbers("support") if item is not None)),
            words(effect.text("reason") or effect.text("method")),
        ])  # fmt: skip
    columns = ["effect", "endpoint", ">estimate [interval]", ">level", ">p", ">draws", ">Hedges g", ">Cliff δ",
               ">common support", "method"]  # fmt: skip
    return Table(columns, rows)


def equivalence_table(study: Record) -> Table:
    """Equivalence tests: interval against margin, and where the margin comes from."""
    rows: list[list[Cell]] = []
    for test in study.records("equivalence"):
        margin = test.number("margin")
        rows.append([
            words(test.text("name") or pair_of(test)),
            words(names.endpoint_name(test.text("endpoint"))),
            effect_cell(test),
            value(margin, f"± {trimmed(margin.value)}" if margin.value is not None else None),
            words(test.text("origin")),
            p_cell(test),
            words(test.text("method", "TOST")),
            fate_of(test),
        ])  # fmt: skip
    return Table(["comparison", "endpoint", ">difference [90 % interval]", ">margin", "origin of the margin", ">p",
                  "method", "reading"], rows)  # fmt: skip


def fate_of(test: Record) -> Cell:
    """The reading of one equivalence test in words."""
    equivalent = test.flag("equivalent")
    if equivalent is None:
        return Cell(test.reason("equivalent") or "not tested", "missing")
    margin, interval = test.number("margin").value, test.interval()
    if equivalent:
        return Cell("equivalent", "good")
    if margin is not None and interval is not None and (interval[0] > margin or interval[1] < -margin):
        return Cell("difference beyond the margin", "open")
    return Cell("equivalence not shown", "open")


def in_nats(study: Record) -> bool:
    """Whether asymmetry is a difference of losses, as over sources, and not of scores."""
    return any(row.text("measure") == "nats" for row in study.records("asymmetry"))


def asymmetry_table(study: Record) -> Table:
    """The asymmetry index by arm and what it rests on: the gains in nats, or two measures and their headroom."""
    rows: list[list[Cell]] = []
    nats = in_nats(study)
    for row in study.records("asymmetry"):
        index = [arm_cell(row.text("arm")), effect_cell(row)]
        if nats:
            gains = [value(row.number(key), shown(row.number(key), sign=True)) for key in ("own_gain", "outside_gain")]
            rows.append([*index, *gains, words(", ".join(row.texts("outside")))])
            continue
        other = row.record("accuracy")
        rooms = [
            f"{room.text('split')} {shown(room.number('at_ceiling'))} ({shown(room.number('chance'))})"
            for room in row.records("headroom")
        ]
        rows.append([*index, effect_cell(other),
                     value(row.number("clusters")), words(", ".join(rooms))])  # fmt: skip
    if nats:
        return Table(["arm", ">asymmetry, nats [interval]", ">own gain", ">outside gain", "outside"], rows)
    return Table(["arm", ">asymmetry index, bits per byte [interval]", ">accuracy [interval]", ">fewest clusters",
                  "right in the base already (chance)"], rows)  # fmt: skip


def measure_table(study: Record) -> Table:
    """Every measure by arm and object beside its Gaussian null."""
    rows = [
        [arm_cell(row.text("arm")), words(row.text("object")), words(row.text("slot")), words(row.text("measure")),
         value(row.number("mean")), value(row.number("null_mean"))]
        for row in study.records("measures")
    ]  # fmt: skip
    return Table(["arm", "object", "slot", "measure", ">mean", ">null"], rows, one_setting(study)).cut()


def one_setting(study: Record) -> str:
    """Which setting maps, spectra and measures show in a study of several, in a sentence; "" where nothing says so."""
    one = study.record("settings").record("shown")
    name, draws = one.text("setting"), one.number("draws").value
    if not name or draws is None:
        return ""
    return (
        f"Of several settings only {name} is shown here, with its {draws:.0f} draw{'s' if draws != 1 else ''} an arm."
    )


def leaf_table(record: Record) -> Table:
    """Any nested object as key and value."""
    return Table(["key", "value"], [[Cell(key), Cell(text)] for key, text in record.leaves()]).cut()
