"""The examples of the documentation run as they stand, in a folder that holds what they name."""

import json
import re
from pathlib import Path

import pytest
from footprint_models import llama_shapes, saved

import shadowgraph
from shadowgraph.cli.main import main
from shadowgraph.footprint.table import read_footprint
from shadowgraph.seeds import generator

DOCS = Path(__file__).resolve().parents[2] / "docs"
CONFIG = {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1}


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language, "" for those that name none."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text("utf-8"), flags=re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    start = {
        name: 0.02 * generator(3, name).standard_normal(shape) for name, shape in llama_shapes(1, 16, 24, 8).items()
    }
    for place in ("base", "tuned-a", "tuned-b", "training-run/checkpoint-10", "training-run/checkpoint-20"):
        noise = generator(4, place)
        size = 0.0 if place == "base" else 1e-3
        content = {name: values + size * noise.standard_normal(values.shape) for name, values in start.items()}
        saved(tmp_path / place, content, "F32")
        (tmp_path / place / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python_examples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = blocks("api.md", "python")
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "docs/api.md", "exec"), {})  # our own page
    assert "model.layers.0.self_attn[ov,head 3]" in capsys.readouterr().out
    assert read_footprint(folder / "footprint-a").coverage.matrices == 7


def test_command_examples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = [line for block in blocks("guide.md", "") for line in block.splitlines()]
    verbs = {"scan", "compare", "series"}
    lines = [line for line in written if line.startswith(tuple(f"shadowgraph {verb} " for verb in verbs))]
    assert {line.split()[1] for line in lines} == verbs
    for line in lines:
        assert main(line.split()[1:]) == 0, line
        text = capsys.readouterr().out
        if "--json" in line:
            assert json.loads(text)["kind"] in {"footprint", "contrast"}
    assert (folder / "rows.csv").exists()
    assert (folder / "path" / "series.parquet").exists()


def test_the_options_of_a_scan_are_all_in_the_table() -> None:
    listed = re.findall(r"^\| (\w+) \| [^|]+ \| [^|]+ \|$", (DOCS / "api.md").read_text("utf-8"), flags=re.M)
    code = shadowgraph.scan.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    assert set(names) <= set(listed)
