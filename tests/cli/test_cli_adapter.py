"""Adapters as MODEL of inspect, scan, compare, series and audit: tables, JSON, exit codes; one made by PEFT itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from shadowgraph.cli.main import main
from shadowgraph.seeds import generator

SHAPES = {
    f"model.layers.{layer}.{slot}": shape
    for layer in (0, 1)
    for slot, shape in {"self_attn.q_proj": (80, 72), "mlp.up_proj": (96, 72)}.items()
}
ODD = "evil\x1b[31m/base"


def adapter(folder: Path, seed: int = 0, rank: int = 4, base: str = ODD, size: float = 0.01) -> str:
    """An adapter as PEFT saves it."""
    content: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    for name, (m, n) in SHAPES.items():
        stream = generator(seed, "adapter", name)
        content[f"base_model.model.{name}.lora_A.weight"] = stream.standard_normal((rank, n)).astype(np.float32)
        content[f"base_model.model.{name}.lora_B.weight"] = (size * stream.standard_normal((m, rank))).astype(
            np.float32
        )
    folder.mkdir(parents=True)
    save_file(content, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return str(folder)


@pytest.fixture
def base(tmp_path: Path) -> str:
    folder = tmp_path / "base"
    folder.mkdir()
    content = {f"{name}.weight": 0.02 * generator(1, name).standard_normal(shape) for name, shape in SHAPES.items()}
    save_file(content, folder / "model.safetensors")
    return str(folder)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_inspect_lists_ranks_and_scales_in_printable_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = adapter(tmp_path / "a")
    assert main(["inspect", place]) == 0
    text = capsys.readouterr().out
    assert "llama: an adapter (LORA) of 4 matrices" in text
    assert sum("80×72 rank 4     scale 2" in line for line in text.splitlines()) == 2
    assert "\x1b" not in text
    assert "evil" in text
    assert main(["inspect", place, "--json"]) == 0
    document = told(capsys)
    assert document["kind"] == "adapter"
    assert document["method"] == "LORA"
    assert document["base"].startswith("evil\\x1b")
    assert document["updates"][0]["tensor"] == "model.layers.0.mlp.up_proj.weight"
    assert {(update["rank"], update["scale"]) for update in document["updates"]} == {(4, 2.0)}
    assert main(["inspect", f"{place}/adapter_model.safetensors"]) == 0
    assert "4 matrices" in capsys.readouterr().out


def test_scan_says_which_noise_stands_beside(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = adapter(tmp_path / "a")
    assert main(["scan", place]) == 0
    text = capsys.readouterr().out
    head = text.splitlines()[0]
    assert "the update that the adapter adds (O3)" in head
    assert head.endswith("each value / that of Gaussian factors of the same shape and rank")
    assert "log norm (no_base)" in text
    assert "noise of an adapter is Gaussian factors of its own rank (4); compare equal ranks only" in text
    assert "merge it to read them" in text
    out = tmp_path / "out"
    assert main(["scan", place, "--base", base, "--objects", "O3", "--output", str(out), "--json"]) == 0
    document = told(capsys)
    assert isinstance(document["endpoint"]["log_norm"], float)
    assert {row["null"] for row in document["rows"]} == {"factors", "none"}
    assert {row["value"] for row in document["rows"] if row["measure"] == "relative_norm"}.isdisjoint({None})
    assert main(["scan", place, "--objects", "O1"]) == 2
    assert "only the object O3" in capsys.readouterr().err


def test_one_of_several_adapters_is_chosen_by_its_name(
    tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = adapter(tmp_path / "a")
    adapter(tmp_path / "a" / "wide", rank=8)
    assert main(["inspect", place, "--adapter", "wide", "--json"]) == 0
    document = told(capsys)
    assert document["name"] == "wide"
    assert {update["rank"] for update in document["updates"]} == {8}
    assert main(["scan", place, "--adapter", "wide", "--jobs", "2"]) == 0
    assert "rank (8)" in capsys.readouterr().out
    assert main(["compare", place, place, "--adapter", "default", "--adapter", "wide"]) == 0
    text = capsys.readouterr().out
    assert "ranks differ (4 against 8)" in text
    assert "other_rank" in text
    assert main(["audit", place, "--adapter", "wide", "--exit-zero"]) == 0
    assert "rank (8)" in capsys.readouterr().out
    assert main(["scan", place, "--adapter", "absent"]) == 2
    assert main(["scan", base, "--adapter", "wide"]) == 2
    assert main(["compare", place, place, *(["--adapter", "wide"] * 3)]) == 2
    assert "3 adapters" in capsys.readouterr().err


def test_compare_needs_no_base_for_two_adapters(tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = adapter(tmp_path / "a"), adapter(tmp_path / "b", seed=2, size=0.02)
    assert main(["compare", first, second, "--json"]) == 0
    alone = told(capsys)
    assert main(["compare", first, second, "--base", base, "--json"]) == 0
    beside = told(capsys)
    assert alone["K"] == beside["K"]
    assert alone["agreement"] == beside["agreement"]
    assert len(alone["agreement"]) == 4
    assert alone["log_norm"]["status"] == "no_base"
    assert beside["log_norm"]["value"] < -0.5
    assert any("no base was given" in note for note in alone["notes"])
    assert main(["compare", first, base]) == 2
    assert "--base" in capsys.readouterr().err


def test_series_reads_the_adapters_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step, size in ((10, 0.01), (20, 0.02)):
        adapter(tmp_path / "run" / f"checkpoint-{step}", size=size)
    assert main(["series", str(tmp_path / "run"), "--json"]) == 0
    document = told(capsys)
    assert document["base"] is None
    assert [row["step"] for row in document["steps"]] == [10, 20]
    assert {row["log_norm_status"] for row in document["steps"]} == {"no_base"}
    assert main(["inspect", str(tmp_path / "run")]) == 0
    assert "2 checkpoints" in capsys.readouterr().out


def test_an_audit_of_an_adapter_is_inconclusive_and_says_why(
    tmp_path: Path, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = adapter(tmp_path / "a")
    for arguments, given in (([], "none was given"), (["--base", base], "by names and shapes alone")):
        assert main(["audit", place, *arguments, "--json"]) == 4
        result = told(capsys)
        fates = {check["code"]: check["fate"] for check in result["checks"]}
        assert fates == {"SG001": "inconclusive", "SG002": "passed", "SG003": "passed", "SG004": "inconclusive"}
        details = {check["code"]: check["detail"] for check in result["checks"]}
        assert given in details["SG001"]
        assert "evil\\x1b" in details["SG001"]
        assert "own base, method and rank (4)" in details["SG004"]
        assert "the stored factors" in details["SG002"]
        assert result["coverage"]["block_share"] == 1.0
        assert result["verdict"]["sentence"].startswith("Inconclusive: the update of a reads K = ")
    assert main(["audit", place, "--output", str(tmp_path / "out")]) == 4
    assert (tmp_path / "out" / "report.html").is_file()
    assert main(["audit", base]) == 2
    assert "needs its base" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks by an old name
def test_an_adapter_that_peft_made_reads_as_the_model_it_merges_into(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Origin: PEFT and transformers make, save and merge it; scan of the adapter against scan of what they merged."""
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4}
    settings = transformers.LlamaConfig(vocab_size=64, num_key_value_heads=2, **sizes)
    model = transformers.LlamaForCausalLM(settings).to(torch.float64)
    model.save_pretrained(tmp_path / "base")
    wanted = peft.LoraConfig(
        r=6, lora_alpha=9, use_rslora=True, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False
    )
    tuned = peft.get_peft_model(model, wanted)
    tuned.save_pretrained(tmp_path / "adapter")
    tuned.merge_and_unload().save_pretrained(tmp_path / "merged")
    base = ["--base", str(tmp_path / "base"), "--objects", "O3", "--json"]
    assert main(["scan", str(tmp_path / "adapter"), *base]) == 0
    ours = told(capsys)
    assert main(["scan", str(tmp_path / "merged"), *base]) == 0
    dense = {(row["tensor"], row["measure"]): row for row in told(capsys)["rows"]}
    changed = {row["tensor"] for row in ours["rows"]}
    assert len(changed) == 6
    rows = [row for row in ours["rows"] if row["value"] is not None and row["measure"] != "floor_share"]
    assert len(rows) > 6 * 20
    for row in rows:
        other = dense[row["tensor"], row["measure"]]
        assert row["value"] == pytest.approx(other["value"], rel=1e-6, abs=1e-9), row["measure"]


def test_a_footprint_does_not_lie_beside_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, apart = adapter(tmp_path / "a"), tmp_path / "footprint"
    assert main(["scan", place, "--output", place]) == 2
    assert "the folder holds a model" in capsys.readouterr().err
    assert not (tmp_path / "a" / "footprint.json").exists()
    assert main(["scan", place, "--output", str(apart)]) == 0
    (apart / "footprint.json").rename(tmp_path / "a" / "footprint.json")
    assert main(["compare", place, place]) == 2
    assert "holds a model and a footprint" in capsys.readouterr().err
