"""Settings: a study of three, one of them held out, through every room; and what is said of it."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from study_material import write_material
from study_program import call

from shadowgraph.report.text import study_table
from shadowgraph.study.settings import added, against

pytestmark = pytest.mark.timeout(900)
SPEC = Path(__file__).with_name("tiny-settings.toml")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The finished study: its folder, its result, its proof."""
    folder = tmp_path_factory.mktemp("settings")
    spec = write_material(folder, SPEC)
    out = folder / "out"
    call("study", "run", spec, "--output", out, "--workers", "2")
    kept = folder / "records"
    call("study", "records", out, "--into", kept)
    call("study", "run", spec, "--output", folder / "again", "--records", kept)
    found = {name: json.loads((out / f"{name}.json").read_text()) for name in ("result", "matched")}
    return {"out": out, "again": folder / "again", **found}


def test_what_is_held_out_takes_no_part_in_the_test(done: dict[str, Any]) -> None:
    result = done["result"]
    K = {(run["arm"], run["draw"]): run["K"] for run in result["runs"]}
    inside = [K["one", draw] - K["others", draw] for draw in range(8) if draw % 4 != 3]
    assert result["primary"]["n"] == [6, 6]
    assert result["primary"]["mean"] == pytest.approx(fmean(inside))
    signs = np.array(list(product((-1, 1), repeat=6)))
    p = np.mean(np.abs(signs @ np.array(inside)) >= abs(sum(inside)) - 1e-12)
    assert result["primary"]["p"] == pytest.approx(p)
    assert len(result["runs"]) == 16


def test_every_setting_has_its_own_estimate(done: dict[str, Any]) -> None:
    result = done["result"]
    K = {(run["arm"], run["draw"]): run["K"] for run in result["runs"]}
    rows = {
        row["setting"]: row
        for row in result["settings"]["rows"]
        if (row["endpoint"], row["reading"]) == ("K", "unmatched")
    }
    for place, name in enumerate(("llama", "muon", "low-rank", "gpt2")):
        own = [K["one", draw] - K["others", draw] for draw in (place, place + 4)]
        assert rows[name]["mean"] == pytest.approx(fmean(own)), name
        assert rows[name]["held_out"] == (name == "gpt2")
    facts = {fact["name"]: fact for fact in result["settings"]["settings"]}
    assert (facts["gpt2"]["family"], facts["muon"]["optimiser"], facts["low-rank"]["adapter_rank"]) == (
        "gpt2",
        "muon",
        2,
    )
    assert {row["endpoint"] for row in result["settings"]["rows"]} >= {"K", "K_emb", "log_norm", "asymmetry"}


def test_the_proof_holds_inside_settings_and_names_what_all_share(done: dict[str, Any]) -> None:
    matched, statements = done["matched"], done["matched"]["statements"]
    assert set(matched["settings"]) == {"llama", "muon", "low-rank", "gpt2"}
    assert all(proof["runs"] == 4 and "optimiser" in proof["fields"] for proof in matched["settings"].values())
    assert {"tokens", "steps", "batch", "tokenizer"} <= set(matched["fields"])
    assert not {"init", "family", "optimiser", "architecture"} & set(matched["fields"])
    assert statements["one-0"]["init"] == statements["one-1"]["init"] != statements["one-3"]["init"]
    assert len({json.dumps(statements[f"one-{draw}"]["data"]) for draw in range(8)}) == 8


def test_from_records_alone_the_result_is_the_same(done: dict[str, Any]) -> None:
    for name in ("result.json", "report.html"):
        assert (done["again"] / name).read_bytes() == (done["out"] / name).read_bytes(), name


def test_the_page_and_the_answer_speak_of_settings(done: dict[str, Any]) -> None:
    page = (done["out"] / "report.html").read_text()
    assert "Setting by setting" in page
    assert page.count("gpt2, held out") >= 2  # a panel for K and one for the loss outside
    assert ", outside loss" in page
    last = done["result"]["answer"]["sentences"][-1]
    assert "settings have the sign of all together" in last
    assert "held out until then, gpt2:" in last
    assert any(
        limit.startswith("4 settings (llama, muon, low-rank, gpt2)") for limit in done["result"]["answer"]["limits"]
    )


def test_levels_stand_setting_by_setting_and_maps_name_the_setting_they_show(done: dict[str, Any]) -> None:
    result = done["result"]
    K = {(run["arm"], run["draw"]): run["K"] for run in result["runs"]}
    for arm in result["arms"]:
        parts = {part["setting"]: part for part in arm["endpoint_by_setting"]}
        assert list(parts) == ["llama", "muon", "low-rank", "gpt2"]
        assert [name for name, part in parts.items() if part["held_out"]] == ["gpt2"]
        for place, part in enumerate(parts.values()):
            own = [K[arm["name"], draw] for draw in (place, place + 4)]
            assert part["endpoint"]["K"]["values"] == pytest.approx(own)
            assert part["endpoint"]["K"]["mean"] == pytest.approx(fmean(own))
        assert parts["low-rank"]["endpoint"]["K_emb"]["mean"] is None
        assert parts["llama"]["endpoint"]["K_emb"]["mean"] is not None
    assert result["settings"]["shown"] == {"setting": "llama", "draws": 2}
    assert result["modules"][0]["smallest_p"] == 0.5
    page = (done["out"] / "report.html").read_text()
    assert page.count("Of several settings only llama is shown here, with its 2 draws an arm.") == 3
    assert "no p can reach 0.05 (2 + 2 draws, smallest p 0.50)" in page
    assert "Inside a setting of 2 draws the exact test cannot reject, and an interval is a t interval instead" in page
    text = study_table(result)
    assert "by setting, below" in text
    assert re.search(r"gpt2 \(held out\) +one +-?\d", text)


def test_a_setting_without_an_estimate_is_said_so() -> None:
    summary = {
        "name": "a - b", "same_sign": 1, "settings": 2, "estimated": 1, "lowest": 0.1, "highest": 0.1,
        "held_out": [{"setting": "far", "estimate": None, "same_sign": None}],
    }  # fmt: skip
    told = added({"sentences": ["First."]}, {"summary": [summary]}, [{"name": "a - b", "kind": "contrast"}])
    assert told["sentences"] == [
        "First.",
        "a - b: 1 of 2 settings have the sign of all together, from +0.100 to +0.100; held out, far: not estimable.",
    ]


def test_a_setting_of_the_other_sign_is_named() -> None:
    rows = [
        {"name": "a - b", "setting": name, "endpoint": "K", "reading": "unmatched", "estimate": own, "interval": ends}
        for name, own, ends in (("one", 0.2, [0.1, 0.3]), ("two", -0.1, [-0.2, -0.05]), ("three", -0.1, [-0.2, 0.1]))
    ]
    rows[1]["interval_note"] = "leans on differences being nearly normal; the test cannot reject at this level"
    rows += [rows[1] | {"endpoint": "outside_loss"}, rows[1] | {"estimate": None}]
    assert against({"summary": [{"name": "a - b", "estimate": 0.15}], "rows": rows}) == [
        "a - b: K in the setting two -0.100, against +0.150, and its t interval leaves out 0",
        "a - b: K in the setting three -0.100, against +0.150",
    ]
