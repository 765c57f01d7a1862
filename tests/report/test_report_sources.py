"""The page and the terminal text of a study over sources: every optional section, its numbers, its reasons."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import pytest
import report_sample as plain
import report_sources as sample
from rich.cells import cell_len
from test_report_page import BUDGET, Page
from test_report_page import _rendered as _sample_page  # pyright: ignore[reportPrivateUsage]

from shadowgraph.report import contrasts, tables
from shadowgraph.report.endpoints import endpoint_table
from shadowgraph.report.figures import endpoint_plate
from shadowgraph.report.links import link_plate
from shadowgraph.report.maps import heat_plate
from shadowgraph.report.palette import ARM_COLOURS
from shadowgraph.report.plates import REST, groups_of, legend_of, styles_of
from shadowgraph.report.record import Record
from shadowgraph.report.report import plates_of, render_study
from shadowgraph.report.settings import interval_words
from shadowgraph.report.strata import label_plate
from shadowgraph.report.tests_text import number_of
from shadowgraph.report.text import study_table
from shadowgraph.report.training import training_plate

SECTIONS = ("contrasts", "doses", "label", "affinity", "mixture", "link")


@lru_cache(maxsize=2)
def _rendered(name: str) -> str:
    return render_study(sample.hostile() if name == "hostile" else sample.study())


@lru_cache(maxsize=1)
def _text() -> str:
    return Page(_rendered("study")).text


@pytest.mark.parametrize("name", ["study", "hostile"])
def test_the_page_nests_and_stays_in_budget(name: str) -> None:
    text = _rendered(name)
    page = Page(text)
    assert page.broken == page.open == []
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    assert "<img" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    assert len(text.encode()) < 2 * BUDGET


def test_every_figure_has_a_twin_with_rows() -> None:
    sections = _rendered("study").split("<section id=")
    figures = [section for section in sections if "<figure>" in section]
    assert len(figures) == 12
    for section in figures:
        assert "<svg" in section.split("<details>")[0]
        assert section.split("<details>")[1].count("<tr>") > 1


def test_sections_appear_when_the_result_has_them_and_only_then() -> None:
    assert [key for key in SECTIONS if f'<section id="{key}"' in _rendered("study")] == list(SECTIONS)
    bare = sample.small() | {"trends": [], "affinity": None, "mixture": [], "link": [], "power": [], "label": None}
    bare["arms"] = []
    assert [plate.key for plate in plates_of(Record(bare)) if plate.key in SECTIONS] == ["contrasts"]
    assert not [key for key in SECTIONS if f'<section id="{key}"' in _sample_page("study")]


def test_primaries_come_first_with_what_was_expected_of_them() -> None:
    names = [str(row[0].text) for row in contrasts.claim_table(Record(sample.study())).rows]
    assert names == [sample.BREADTH, sample.NOVELTY, sample.LABEL, sample.DOSE, "blocked − mixed"]
    text = _text()
    assert "expected positive: sign not as expected, not confirmed" in text
    assert "either sign expected" in text
    assert re.search(r"\+0\.310 \[\+0\.260, \+0\.370\].{0,90}Holm = 0\.024", text)


def test_readings_stand_side_by_side_and_say_why_there_is_none() -> None:
    test = tables.primaries_of(Record(sample.study()))[0]
    readings = [row.text("reading") for row in contrasts.readings_of(Record(sample.study()), test)]
    assert readings == list(contrasts.READINGS)
    figure = _rendered("study").split('id="contrasts"')[1].split("</figure>")[0]
    assert sample.NO_SUPPORT in figure
    assert figure.count(">not estimable<") == 3


def test_panels_of_contrasts_share_one_scale() -> None:
    figure = _rendered("study").split('id="contrasts"')[1].split("</figure>")[0]
    ticks = [re.findall(r">(−?\d\.\d)<", panel) for panel in figure.split("<svg")[1:]]
    assert len(ticks) == 4
    assert len(set(map(tuple, ticks))) == 1


def test_a_sign_against_the_primary_is_named_and_coloured() -> None:
    text = _rendered("study")
    assert "What speaks against it" in text
    assert sample.study()["answer"]["exceptions"][0] in _text()
    forest = text.split('id="forest"')[1].split("</figure>")[0]
    assert re.search(r'class="f-a0"[^>]*>up alone<', forest)
    assert not re.search(r'class="f-a0"[^>]*>stable rank<', forest)
    none: dict[str, Any] = sample.small() | {"exceptions": [], "arms": [], "contrasts": [], "trends": [], "label": None}
    none |= {"affinity": None, "link": [], "mixture": [], "scores": []}
    none["answer"]["exceptions"] = []
    assert "No reading and no variant has another sign" in render_study(none)


def test_the_label_names_strata_unmatched_corpora_and_what_they_miss() -> None:
    text = _text()
    assert "common_sense 1.47 case_law (1.28), haiku (1.32), python (1.36) +0.150" in text.replace("● ", "")
    assert "loss of the base on it, KL to the base's mixture" in text
    assert "± 20 %" in text
    assert "± 0.25" in text
    empty = sample.study()
    empty["label"] |= {"strata": [], "unmatched": {}, "balance": [], "estimate": None, "interval": None, "p": None,
                       "status": "not estimable", "reason": "no corpus has a match"}  # fmt: skip
    assert label_plate(Record(empty)).shown[0][1].rows[0][-1].text == "no corpus has a match"


def test_doses_show_the_slope_and_what_five_points_move() -> None:
    text = _text()
    assert "slope +0.390 [+0.340, +0.450], p 0.0002" in text
    assert "0.0195" in text


def test_a_mixture_is_shown_against_the_weighted_mean_of_its_components() -> None:
    text, result = _text(), sample.study()
    first = result["mixture"][0]["draws"][0]
    assert f"{first['mixture'] - first['components']:+.3f}".replace("-", "−") in text
    assert "mixture − components −0.310 [−0.350, −0.270]" in text


def test_pooling_that_reverses_the_link_is_called_so() -> None:
    assert "the signs of the two differ: pooling would mislead" in _text()
    same = sample.study()
    same["link"][0]["signs_differ"] = False
    assert "mislead" not in link_plate(Record(same), styles_of(Record(same))).caption


@pytest.mark.parametrize(
    ("within", "pooled", "told"),
    [
        (0.01, 0.02, "differ"),
        (0.6, 0.4, "neither shows"),
        (0.01, 0.4, "only inside arms shows"),
        (None, 0.01, "only pooled shows"),
    ],
)
def test_signs_differ_only_where_both_correlations_are_told_apart_from_zero(
    within: float | None, pooled: float, told: str
) -> None:
    study = sample.study()
    link = study["link"][0] | {"signs_differ": True}
    study["link"] = [link | {"within": link["within"] | {"p": within}, "pooled": link["pooled"] | {"p": pooled}}]
    plate = link_plate(Record(study), styles_of(Record(study)))
    assert plate.shown[0][1].rows[0][-1].text == told
    assert ("mislead" in plate.caption) == (told == "differ")


@pytest.mark.parametrize(
    ("met", "p", "adjusted", "told"),
    [
        (True, 0.6, None, "sign as expected, not confirmed"),
        (True, 0.03, 0.06, "sign as expected, not confirmed"),
        (True, 0.01, 0.02, "as expected"),
        (False, 0.6, None, "sign not as expected, not confirmed"),
        (False, 0.01, None, "not so"),
    ],
)
def test_a_sign_is_as_expected_only_where_the_test_confirms_it(
    met: bool, p: float, adjusted: float | None, told: str
) -> None:
    test = {"expected": "positive", "as_expected": met, "p": p, "p_adjusted": adjusted, "level": 0.95}
    assert contrasts.expectation(Record(test)).text == f"expected positive: {told}"


def test_no_interval_is_claimed_where_there_is_none_and_no_spread_of_one_draw() -> None:
    row = {"estimate": 0.1, "p": 0.00001, "level": 0.95, "interval": None, "n": [2, 3]}
    assert number_of(Record(row)) == "+0.100 (no interval), p < 0.0001, n = 2 + 3"
    study = sample.study()
    assert "Mean ± sd over draws" in study_table(study)
    study["design"] = {**study.get("design", {}), "draws": 1}
    assert "Mean ±" not in study_table(study)
    assert "One draw an arm" in study_table(study)
    assert "Mean ±" not in render_study(study)


def test_the_power_table_says_by_what_method_and_of_what_spread() -> None:
    study = sample.study()
    study["power"][0] |= {"method": "simulation", "spread_of": "differences inside draws"}
    study["power"][1] |= {"method": "t formula", "spread_of": "slopes"}
    table = contrasts.power_table(Record(study))
    at = {name: place for place, name in enumerate(table.names)}
    assert [row[at["method"]].text for row in table.rows] == ["simulation", "t formula", "—"]
    assert [row[at["both sd are of"]].text for row in table.rows][:2] == ["differences inside draws", "slopes"]
    assert "simulation of the test itself" not in table.note


def test_power_says_what_was_within_reach() -> None:
    rows = {row[0].text: row[-1].text for row in contrasts.power_table(Record(sample.study())).rows}
    assert rows == {sample.BREADTH: "enough", sample.NOVELTY: "not enough",
                    sample.LABEL: "3 strata can never give p below 0.014"}  # fmt: skip


def test_modules_mark_small_adjusted_p_and_say_exploratory() -> None:
    result = sample.study()
    small = sum(
        p is not None and p <= 0.05 for item in result["modules"][:1] for line in item["p_adjusted"] for p in line
    )
    panel = _rendered("study").split('id="heatmap"')[1].split("</svg>")[0]
    assert small > 0
    assert panel.count("<use") == small
    assert "exploratory" in _text()
    assert "too few draws" in _text()


def test_many_arms_share_the_style_of_their_group() -> None:
    study = Record(sample.study())
    legend, styles = legend_of(study), styles_of(study)
    assert list(legend)[:2] == ["benchmarks", "narrow"]
    assert len(legend) == ARM_COLOURS
    assert len({style.role for style in legend.values()}) == ARM_COLOURS
    assert styles["reading"] == legend["benchmarks"]
    assert groups_of(study)["covering"] == "covering"
    assert REST in legend
    few = Record(plain.study())
    assert list(legend_of(few)) == list(plain.ARMS)


def test_the_balance_sheet_has_a_row_an_arm_where_arms_are_many() -> None:
    many, few = tables.balance_table(Record(sample.study())), tables.balance_table(Record(plain.study()))
    assert [row[0].text for row in many.rows] == list(sample.ARMS)
    assert many.names[1] == "loss of the base on it, nats a token"
    assert few.names[1:] == list(plain.ARMS)


def test_progress_and_the_rate_grid_have_panels_of_their_own() -> None:
    figure = _rendered("study").split('id="training"')[1].split("</figure>")[0]
    assert figure.count("<svg") == 4
    assert "own held-out documents" in figure
    short = sample.study()
    short["runs"] = [row for row in short["runs"] if row["rate"] is None]
    for row in short["runs"]:
        for shot in row["snapshots"]:
            del shot["own_loss"]
    assert len(training_plate(Record(short), styles_of(Record(short))).panels) == 2


def test_no_dot_is_promised_where_no_p_can_be_small() -> None:
    result = sample.study()
    dot = "A dot marks cells"
    assert dot in heat_plate(Record(result)).caption
    first, *rest = result["modules"]
    both = result | {"modules": [first | {"smallest_p": 0.25, "n": [3, 3]}, *rest]}
    assert f"In {first['name']} no p can reach 0.05" in heat_plate(Record(both)).caption
    blind = heat_plate(Record(result | {"modules": [first | {"smallest_p": 0.25, "n": [3, 3]}]})).caption
    assert "no p can reach 0.05 (3 + 3 draws, smallest p 0.25)" in blind
    assert dot not in blind


def test_k_is_not_said_to_fall() -> None:
    result = Record(sample.study())
    caption = training_plate(result, styles_of(result)).caption
    assert "K moves while a run goes on" in caption
    assert "falls" not in caption


def test_the_weight_of_an_exception_is_told_in_words() -> None:
    rows = [item | {"firm": firm} for item in sample.study()["exceptions"] for firm in (True, False)]
    told = [row[-1].text for row in contrasts.exception_table(Record({"exceptions": rows})).rows]
    assert told == ["its interval leaves out 0", "its interval holds 0"]


def _settings() -> dict[str, Any]:
    """A study of two settings, K of embeddings in one of them alone."""
    result = plain.study()
    for arm in result["arms"]:
        far = {"K": plain.spread([3.0, 3.2]), "K_emb": {"mean": None, "sd": None, "values": [], "status": "absent"},
               "log_norm": plain.spread([-2.0, -2.2])}  # fmt: skip
        arm["endpoint_by_setting"] = [
            {"setting": "full", "held_out": False, "endpoint": arm["endpoint"]},
            {"setting": "adapter", "held_out": True, "endpoint": far},
        ]
    row = result["primary"] | {"setting": "full", "smallest_p": 0.25, "n": [3, 3], "level": 0.95}
    rows = [row | {"interval_note": "leans on differences being nearly normal; the test cannot reject at this level"}]
    return result | {"settings": {"shown": {"setting": "full", "draws": 3}, "rows": rows, "settings": []}}


def test_levels_of_settings_stand_apart_on_page_and_terminal() -> None:
    study = Record(_settings())
    table = endpoint_table(study)
    assert table.columns[:2] == ["setting", "arm"]
    assert [row[0].text for row in table.rows] == ["full"] * 4 + ["adapter (held out)"] * 4
    assert [row[4].text for row in table.rows[4:]] == ["absent"] * 4
    assert "absent" not in {row[4].text for row in table.rows[:4]}
    assert "setting" not in endpoint_table(Record(plain.study())).columns
    assert "adapter: aligned" in "".join(endpoint_plate(study, styles_of(study)).panels)
    text = study_table(study.data)
    assert max(cell_len(line) for line in text.splitlines()) <= 100
    heading = next(line for line in text.splitlines() if line.startswith("arm "))
    assert heading.split() == ["arm", "benchmark", "outside", "asymmetry"]
    assert re.search(r"adapter \(held out\) +aligned +3\.10 ± 0\.14 +absent", text)
    assert "Inside a setting of 3 draws the exact test cannot reject" in " ".join(text.split())


def test_what_shows_one_setting_says_which() -> None:
    study = Record(_settings())
    told = "Of several settings only full is shown here, with its 3 draws an arm."
    for plate in plates_of(study):
        assert (told in plate.caption) == (plate.key in {"heatmap", "spectra"}), plate.key
    assert tables.measure_table(study).note.startswith(told)
    assert told in tables.Table([">x"], [[tables.Cell("1")]] * 401, told).cut().note
    assert not tables.measure_table(Record(plain.study())).note.startswith("Of")
    settings = next(plate for plate in plates_of(study) if plate.key == "settings")
    assert "an interval is a t interval instead" in settings.caption
    assert interval_words(Record({"rows": [study.record("settings").items("rows")[0] | {"smallest_p": 0.01}]})) == ""


def test_no_machine_word_reaches_the_page() -> None:
    assert not re.search(r"\b(nan|NaN|None|inf|null,|undefined|True|False|not_estimable)\b", _text())


def test_the_terminal_tells_tests_readings_doubts_and_power() -> None:
    table = study_table(sample.study())
    assert max(cell_len(line) for line in table.splitlines()) <= 100
    text = " ".join(table.split())
    assert f"progress-matched: not estimable: {sample.NO_SUPPORT}" in text
    assert "one source - many (primary, expected positive: as expected): +0.310 [+0.260, +0.370]" in text
    assert "(primary, slope, expected positive: as expected): +0.390" in text
    assert "Against the sign of its primary test:" in text
    assert "What would change our mind:" in text
    assert "0.0900 nats detectable with power 0.8, sd 0.0200; not enough for the smallest effect of 0.05" in text
    line = next(line for line in table.splitlines() if line.startswith("weather_reports "))
    assert line.split()[-3:] == ["+1.30", "+0.28", "+1.02"]
    hostile = study_table(sample.hostile())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", hostile)
