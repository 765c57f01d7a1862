"""Edited updates and regimens from made-up records: what is planted must be found, and only licensed words are said."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shadowgraph.seeds import generator
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import paths
from shadowgraph.study.edited import BLOCKS, TOGETHER
from shadowgraph.study.frontiers import bases_of, corrected, curves_of, cut_of
from shadowgraph.study.intervene import BY_NORM, EDITS
from shadowgraph.study.intervention import table
from shadowgraph.study.layout import Layout
from shadowgraph.study.licence import HEADLINE, LEADING, LOWERS, WHOLE
from shadowgraph.study.regimen_paths import Role

SPEC = Path(__file__).with_name("tiny-intervention.toml")
NAMES = ("llama", "gpt2", "qwen3")
REGIMENS: tuple[tuple[str, Role], ...] = (("flat", "flattening"), ("slow", "control"), ("pulled", "control"))


def spec_of(bases: int = 3, *, held_out: bool = False, **more: Any) -> StudySpec:
    """Five draws a base, of one base or several."""
    raw: dict[str, Any] = tomllib.loads(SPEC.read_text())
    raw["study"]["draws"] = 5 * bases
    settings: list[dict[str, Any]] = [
        {"name": name, "model": {"family": name, "settings": {"head_dim": 8} if name == "qwen3" else {}}}
        for name in NAMES[:bases]
    ]
    settings[-1]["held_out"] = held_out
    raw["settings"] = settings if bases > 1 else []
    raw["intervention"] |= more
    return StudySpec.model_validate(raw)


def plain(x: np.ndarray) -> np.ndarray:
    """Outside loss of interpolation where the benchmark loss is x: the base is at 5, the tuned model at 3."""
    return 6.0 + 0.5 * (5.0 - x)


def edits(draw: int, apart: dict[str, float]) -> list[dict[str, Any]]:
    """The points of one run; `apart` is what an edit's outside loss lies above interpolation, in the middle."""
    found: list[dict[str, Any]] = []
    noise = float(generator(draw, "noise").normal(0, 0.002))
    for block in BLOCKS:
        for edit in EDITS:
            strengths = np.linspace(0, 1, 5) if edit in BY_NORM else np.array([0.0, 1.0, 2.0, 4.0, 8.0])
            done = strengths if edit in BY_NORM else 1 - strengths / 10
            for strength, share in zip(strengths, done, strict=True):
                x = 5.0 - 2.0 * share
                y = plain(x) + (apart.get(edit, 0.0) + noise) * (edit != "interpolated") * (0 < share < 1)
                facts = {"energy_removed": 1 - share**2, "rank_changed": 1.0, "norm_ratio": share}
                point = {"edit": edit, "block": block, "strength": float(strength)}
                found.append({**point, "benchmark": x, "outside": float(y), **facts})
    return found


def record(draw: int, apart: dict[str, float]) -> dict[str, Any]:
    return {"arm": "one", "draw": draw, "edits": edits(draw, apart)}


def block_of(found: dict[str, Any], name: str = TOGETHER) -> dict[str, Any]:
    return next(block for block in found["blocks"] if block["block"] == name)


def row_of(block: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in block["edits"] if row["name"] == name)


def found_of(spec: StudySpec, records: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    assert spec.intervention is not None
    return dict(table(spec, spec.intervention, records, **more))


def test_a_planted_difference_is_found_in_every_base() -> None:
    spec = spec_of()
    found = found_of(spec, [record(draw, {"top": -0.2, "scaled": 0.1}) for draw in range(15)])
    top, scaled = (row_of(block_of(found), name) for name in ("top", "scaled"))
    assert top["n"] == 15
    assert top["estimate"] == pytest.approx(-0.2, abs=0.03)  # at full gain the two ends meet
    assert top["interval"][0] < top["estimate"] < top["interval"][1] < 0
    assert top["p"] == 2 / 2**15
    assert top["p_adjusted"] == pytest.approx(8 * top["p"])
    assert [base["n"] for base in top["bases"]] == [5, 5, 5]
    assert scaled["estimate"] > 0.05
    assert LEADING in found["words"][0]
    assert LEADING in found["words"][1]
    assert {level["kept"] for level in top["levels"]} == {0.75, 0.5, 0.25}


def test_more_harm_gives_the_other_sentence_and_fewer_bases_none() -> None:
    worse = {"top": 0.2}
    assert all(WHOLE in words for words in found_of(spec_of(), [record(d, worse) for d in range(15)])["words"])
    for bases in (1, 2):
        spec = spec_of(bases)
        for apart in (worse, {"top": -0.2}):
            words = found_of(spec, [record(draw, apart) for draw in range(5 * bases)])["words"]
            assert all("describes these runs" in sentence for sentence in words)
            assert not any(LEADING in sentence or WHOLE in sentence for sentence in words)


def test_a_base_that_disagrees_takes_the_licence_away() -> None:
    records = [record(draw, {"top": 0.02 if draw % 3 == 2 else -0.2}) for draw in range(15)]
    found = found_of(spec_of(), records)
    assert row_of(block_of(found), "top")["interval"][1] < 0
    assert all("bases disagree" in words and LEADING not in words for words in found["words"])


def test_no_difference_is_no_proof_of_equality_without_a_margin() -> None:
    records = [record(draw, {"top": 0.01 * (-1) ** draw}) for draw in range(15)]
    assert all("no proof that the two are equal" in words for words in found_of(spec_of(), records)["words"])
    told = found_of(spec_of(margin=0.05), records)["words"]
    assert all("within the margin of 0.05" in words and WHOLE in words for words in told)


def test_what_is_held_out_takes_no_part() -> None:
    records = [record(draw, {"top": 5.0 if draw % 3 == 2 else -0.2}) for draw in range(15)]
    found = found_of(spec_of(held_out=True), records)
    top = row_of(block_of(found), "top")
    assert (top["n"], block_of(found)["bases"]) == (10, 2)
    assert top["estimate"] < -0.1
    assert [(base["base"], base["held_out"]) for base in top["bases"]] == [
        ("llama", False), ("gpt2", False), ("qwen3", True),
    ]  # fmt: skip


def test_missing_numbers_have_reasons() -> None:
    records = [record(draw, {}) for draw in range(15)]
    for row in records:
        row["edits"] = [p for p in row["edits"] if p["edit"] != "random" or p["strength"] == 0.0]
        for point in row["edits"]:
            if point["edit"] == "flattened":
                point["outside"] = None
            if point["edit"] == "scaled" and point["strength"] > 0:
                point["benchmark"] = 3.0 + point["strength"] / 100
    block = block_of(found_of(spec_of(), records))
    assert {name: row_of(block, name)["status"] for name in ("random", "flattened", "scaled")} == {
        "random": "too_few_points", "flattened": "too_few_points", "scaled": "too_narrow",
    }  # fmt: skip
    assert "0.04 in the mean; 0.1 is asked" in row_of(block, "scaled")["reason"]
    empty = found_of(spec_of(), [{"arm": "one", "draw": draw, "edits": []} for draw in range(15)])
    assert row_of(block_of(empty), "top")["status"] == "non_finite"
    assert "not compared" in empty["words"][0]


def test_mean_curves_are_of_the_same_runs() -> None:
    records = [record(draw, {"top": 1.0}) for draw in range(15)]
    records[3]["edits"] = [p for p in records[3]["edits"] if p["edit"] != "top" or p["strength"] < 5]
    curves = block_of(found_of(spec_of(), records))["curves"]
    assert [curve["base"] for curve in curves] == ["all", "llama", "gpt2", "qwen3"]
    whole, first = (next(edit for edit in curve["edits"] if edit["edit"] == "top") for curve in curves[:2])
    assert whole["harm"][whole["kept"].index(0.5)] is None  # draw 3, of llama, reaches .6 alone
    assert first["harm"][first["kept"].index(0.5)] is None
    other = next(edit for edit in curves[2]["edits"] if edit["edit"] == "top")
    assert other["harm"][other["kept"].index(0.5)] == pytest.approx(1.5, abs=0.05)


def path(regimen: str | None, draw: int, harm: float, concentration: float) -> dict[str, Any]:
    """A run along which outside loss and K go with the benchmark loss, shifted by the regimen."""
    noise = generator(draw, regimen or "plain")
    harm, k = harm + float(noise.normal(0, 0.005)), concentration + float(noise.normal(0, 0.01))
    rows: list[dict[str, Any]] = [{"step": 0, "benchmark": 5.0, "outside": 6.0, "K": None, "K_status": "no_change"}]
    for step, x in ((15, 4.2), (30, 3.6), (60, 3.0)):
        rows.append({"step": step, "benchmark": x, "outside": float(plain(np.array(x))) + harm, "K": k + x / 10})
    return {"arm": "one", "draw": draw, "path": rows, **({} if regimen is None else {"regimen": regimen})}


def trained(harms: dict[str, float], K: float) -> list[dict[str, Any]]:
    found = [path(None, draw, 0.0, 1.0) for draw in range(15)]
    for name, _ in REGIMENS:
        found += [path(name, draw, harms[name], K if name == "flat" else 1.0) for draw in range(15)]
    return found


def words_on(records: list[dict[str, Any]], bases: int = 3, **more: Any) -> str:
    spec = spec_of(bases, **more)
    kept = [row for row in records if row["draw"] < 5 * bases]
    return found_of(spec, kept, regimens=REGIMENS)["words"][-1]


def test_training_is_compared_at_equal_benchmark_loss() -> None:
    found = found_of(spec_of(), trained({"flat": 0.3, "slow": 0.1, "pulled": 0.0}, 0.6), regimens=REGIMENS)
    rows = {(row["regimen"], row["against"]): row for row in found["training"]}
    assert len(rows) == 5
    against_slow = rows["flat", "slow"]
    assert against_slow["outside"]["estimate"] == pytest.approx(0.2, abs=0.03)
    assert against_slow["K"]["estimate"] == pytest.approx(-0.4, abs=0.02)
    for key in ("outside", "K"):
        assert against_slow[key]["p_adjusted"] >= against_slow[key]["p"]
        assert against_slow[key]["share"] == pytest.approx(0.6, abs=0.01)  # from the first snapshot on, for both


def test_other_orders_and_rates_and_draws_of_one_side_take_no_part_along_paths() -> None:
    records = trained({"flat": 0.3, "slow": 0.1, "pulled": 0.0}, 0.6)
    whole = found_of(spec_of(), records, regimens=REGIMENS)["training"]
    others = [path(None, draw, 9.0, 9.0) | more for draw in range(15) for more in ({"seed_index": 1}, {"rate": 1e-4})]
    assert found_of(spec_of(), [*records, *others], regimens=REGIMENS)["training"] == whole
    fewer = [row for row in records if row.get("regimen") != "slow" or row["draw"] != 7]
    rows = {(row["regimen"], row["against"]): row for row in found_of(spec_of(), fewer, regimens=REGIMENS)["training"]}
    assert {row["outside"]["n"] for key, row in rows.items() if "slow" in key} == {14}
    assert rows["flat", "pulled"]["outside"]["n"] == 15


def test_along_paths_what_is_not_finite_is_left_out_or_named() -> None:
    records = trained({"flat": 0.3, "slow": 0.1, "pulled": 0.0}, 0.6)
    for row in records:
        row["path"].insert(2, {"step": 20, "benchmark": 4.0, "outside": None, "K": 1.0})
    rows = found_of(spec_of(), records, regimens=REGIMENS)["training"]
    assert (
        rows
        == found_of(spec_of(), trained({"flat": 0.3, "slow": 0.1, "pulled": 0.0}, 0.6), regimens=REGIMENS)["training"]
    )
    for row in records:
        row["path"][-1]["benchmark"] = None
    rows = found_of(spec_of(), records, regimens=REGIMENS)["training"]
    assert {row["outside"]["status"] for row in rows} == {"non_finite"}


def test_a_plain_update_interpolated_with_its_base_is_a_control_too() -> None:
    records = trained({"flat": -0.2, "slow": 0.0, "pulled": 0.0}, 0.6)
    shares = np.linspace(0.0, 1.0, 11)
    for row in records[:15]:
        row["K"] = row["path"][-1]["K"]
        row["edits"] = [
            {"edit": "interpolated", "block": TOGETHER, "strength": share, "benchmark": 5.0 - 2.0 * share}
            | {"outside": float(plain(np.array(5.0 - 2.0 * share))) - 0.5, "energy_removed": 0.0, "rank_changed": 0}
            | {"norm_ratio": share}
            for share in shares.tolist()
        ]
        row["edits"] += [{**point, "block": BLOCKS[0], "outside": 99.0} for point in row["edits"]]  # of another block
    found = found_of(spec_of(), records, regimens=REGIMENS)
    row = next(row for row in found["training"] if row["regimen"] == "flat" and row["against_role"] == "interpolated")
    assert row["outside"]["estimate"] == pytest.approx(0.3, abs=0.03)
    assert row["K"]["estimate"] < -0.3
    for one in records[:15]:
        one["edits"] = [point for point in one["edits"] if not 0.0 < point["strength"] < 0.5]
    with_base = found_of(spec_of(), records, regimens=REGIMENS)["training"]
    for one in records[:15]:  # the base has no update and is no point of a path
        one["edits"] = [point for point in one["edits"] if point["strength"] > 0.0]
    assert with_base == found_of(spec_of(), records, regimens=REGIMENS)["training"]
    told = found["words"][-1]
    assert LOWERS not in told
    assert "lower than under plain training, stopped early, slow, pulled in every base" in told


def test_the_headline_needs_k_to_fall_and_no_control_to_be_beaten() -> None:
    same = {"flat": 0.0, "slow": 0.0, "pulled": 0.0}
    unplanned = words_on(trained(same, 0.6))
    assert HEADLINE not in unplanned
    assert "with no margin fixed beforehand not shown to stay either; the intervals leave room for -0.0" in unplanned
    assert "K is not shown to fall" in words_on(trained(same, 1.0))
    assert LOWERS in words_on(trained({**same, "flat": -0.2}, 0.6))
    assert LOWERS not in words_on(trained({**same, "flat": -0.2}, 1.0))  # nothing flattened
    split = trained({**same, "flat": -0.2}, 0.6)
    for row in split:
        if row.get("regimen") == "flat" and row["draw"] % 3 == 2:  # one base of three goes the other way
            for point in row["path"]:
                point["outside"] += 0.25
    assert LOWERS not in words_on(split)
    assert HEADLINE not in words_on(trained({**same, "flat": -0.2}, 0.6))
    mixed = words_on(trained({"flat": -0.1, "slow": -0.2, "pulled": 0.0}, 0.6))
    assert "lower than under" in mixed
    assert LOWERS not in mixed
    assert HEADLINE not in mixed
    assert "describes these runs" in words_on(trained(same, 0.6), bases=2)
    lower = trained({**same, "flat": -0.2}, 0.6)
    near = "from plain training, stopped early, slow, pulled it differs by less than the margin of 0.5 fixed beforehand"
    small = words_on(lower, margin=0.5)
    assert near in small
    assert LOWERS not in small  # what counts as none is not told as lower harm
    assert "differs by less" not in words_on(lower, margin=0.05)
    assert HEADLINE in words_on(trained(same, 0.6), margin=0.05)
    assert "not shown to be within the margin" in words_on(trained(same, 0.6), margin=1e-4)


def test_a_path_grows_from_the_base_and_gives_no_number_that_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = {"base": 5.0, "half": math.nan, "end": math.inf}

    def loss(model: object, _: object) -> float:
        return losses[str(model)]

    def texts(*_: object) -> tuple[str, str]:
        return "benchmark", "outside"

    monkeypatch.setattr(paths, "evaluate_loss", loss)
    monkeypatch.setattr(paths, "reading_texts", texts)
    run: Any = SimpleNamespace(snapshots={2: "half"}, recipe=SimpleNamespace(steps=4), model="end")
    made: dict[str, Any] = {"run": run, "base": Path("base"), "layout": Layout(Path()), "spec": spec_of()}
    found = paths.path_of(**made, readings={2: {"K": 1.5}, 4: {"K": None, "K_status": "non_finite"}})
    assert found == [
        {"step": 0, "benchmark": 5.0, "outside": 5.0, "K": None, "K_status": "no_change"},
        {"step": 2, "benchmark": None, "outside": None, "K": 1.5},
        {"step": 4, "benchmark": None, "outside": None, "K": None, "K_status": "non_finite"},
    ]
    with pytest.raises(KeyError):  # a snapshot without a reading is our fault, and no snapshot without a change
        paths.path_of(**made, readings={4: {"K": 1.0}})


def test_no_sentence_says_causes() -> None:
    for harm in (-0.2, 0.2):
        for sentence in found_of(
            spec_of(), trained({"flat": harm, "slow": 0.0, "pulled": 0.0}, 0.6), regimens=REGIMENS
        )["words"]:
            assert "causes" not in sentence
            assert "caused" not in sentence


def test_holm_counts_only_rows_with_a_p() -> None:
    found = corrected([{"p": 0.04}, {"p": None}, {"p": 0.01}, {"p": 0.03}])
    assert [row["p_adjusted"] for row in found] == [0.06, None, 0.03, 0.06]


def test_settings_that_start_from_one_base_are_one_base() -> None:
    raw: dict[str, Any] = tomllib.loads(SPEC.read_text())
    raw["settings"] = [{"name": "slow"}, {"name": "fast", "training": {"learning_rate": 2e-2}}, raw["settings"][1]]
    raw["study"]["draws"] = 6
    spec = StudySpec.model_validate(raw)
    assert [base.name for base in bases_of(spec, range(6)).values()] == ["slow", "slow", "gpt2"] * 2
    assert [base.name for base in bases_of(spec_of(1), range(2)).values()] == ["base", "base"]
    raw = tomllib.loads(SPEC.read_text()) | {"settings": []}
    raw["study"]["base"], raw["sources"][0]["base"] = "each_draw", "rotate"
    own = bases_of(StudySpec.model_validate(raw), [0, 3])
    assert [base.name for base in own.values()] == ["draw 0", "draw 3"]


def test_a_run_is_read_between_base_and_tuned_model_of_either_block() -> None:
    points = edits(0, {})
    for point in points:
        if point["block"] == TOGETHER and point["edit"] == "interpolated" and point["strength"] == 0.0:
            point["benchmark"], point["outside"] = 5.5, 5.75
    cut = cut_of(points, BLOCKS[0])
    assert cut is not None
    assert (cut.span, cut.outside) == ((5.5, 3.0), 5.75)  # the base is a point of the other block alone
    assert {point["block"] for point in cut.points} == {BLOCKS[0]}
    assert cut.paths["top"].x.tolist() == [3.0, 3.2, 3.4, 3.8, 4.6]
    for point in points:
        if point["strength"] == 1.0 and point["edit"] == "interpolated":
            point["outside"] = None
    assert cut_of(points, BLOCKS[0]) is None


def test_what_was_done_is_told_beside_what_it_left() -> None:
    found = block_of(found_of(spec_of(), [record(draw, {"top": 0.2}) for draw in range(15)]))
    at_two = next(row for row in row_of(found, "top")["strengths"] if row["strength"] == 2.0)
    assert at_two == pytest.approx(
        {"strength": 2.0, "energy_removed": 0.36, "rank_changed": 1.0, "norm_ratio": 0.8, "kept": 0.8,
         "harm": 1.0, "draws": 15}, abs=0.01,
    )  # fmt: skip
    assert [row["strength"] for row in found["plain"]["strengths"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [(row["name"], row["against"]) for row in found["controls"]] == [
        ("top_shrunk", "random"), ("top", "random_energy"), ("top", "bottom_energy"), ("top", "scaled"),
    ]  # fmt: skip
    whole = {edit["edit"]: edit for edit in found["curves"][0]["edits"]}["interpolated"]
    assert whole["harm"][0] == 0.0
    assert whole["harm"][-1] == pytest.approx(1.0)


def test_edits_of_other_arms_do_not_mix_in_and_strengths_are_numbers() -> None:
    """A path of strengths 2 and 10 goes from 2 to 10; each draw with a base of its own has no curves by base."""
    records = [record(draw, {}) for draw in range(3)]
    for row in records:
        for point in row["edits"]:
            point["strength"] = 10.0 if point["strength"] == 8.0 else point["strength"]
    cut = cut_of(records[0]["edits"], TOGETHER)
    assert cut is not None
    assert cut.paths["top"].x.tolist() == [3.0, 3.2, 3.4, 3.8, 4.6]
    records.append(record(3, {}) | {"arm": "others"})
    found = block_of(found_of(spec_of(3), records))
    assert (found["arm"], found["draws"], found["bases"]) == ("one", 3, 3)
    assert [curve["base"] for curve in found["curves"]] == ["all"]


def test_a_run_that_gained_nothing_has_neither_difference_nor_curve() -> None:
    records = [record(draw, {}) for draw in range(3)]
    for point in (point for row in records for point in row["edits"]):
        point["benchmark"] = 5.0
    found = block_of(found_of(spec_of(3), records))
    top = row_of(found, "top")
    assert (top["status"], top["strengths"], top["p_adjusted"]) == ("no_gain", [], None)
    assert top["reason"] == "the benchmark loss of the base is not above that of the tuned model"
    assert set(found["curves"][0]["edits"][0]["harm"]) == {None}


def test_a_mean_curve_ends_at_the_tuned_model_whatever_is_rounded() -> None:
    """5.1 − (5.1 − 0.1) is a little below .1."""
    ends = {0.0: (5.1, 6.0), 1.0: (0.1, 7.5)}
    points = [{"edit": "interpolated", "block": TOGETHER, "strength": strength, "benchmark": x, "outside": y}
              for strength, (x, y) in ends.items()]  # fmt: skip
    rows: list[Any] = curves_of([cut_of(points, TOGETHER)])
    (curve,) = (row for row in rows if row["edit"] == "interpolated")
    assert (curve["harm"][0], curve["harm"][-1]) == (0.0, 1.5)
