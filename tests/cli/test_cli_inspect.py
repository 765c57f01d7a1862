"""The verb `inspect`: its options, data that always parses, and what it says of paths that are no model."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shadowgraph.cli.main import main

UP = "model.layers.0.mlp.up_proj.weight"


def model(folder: Path, name: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True)
    save_file({UP: np.eye(4, dtype=np.float32)}, folder / name)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Code and fault of a question; the same question as JSON must parse and agree."""
    code = main(["inspect", *arguments])
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == (code != 0)
    assert main(["inspect", *arguments, "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert (document.get("error", {}).get("exit_code", 0)) == code
    return code, said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--jso"], 2, "Possible options: --json"),
        (["a", "b"], 2, "unexpected extra argument"),
        (["nowhere"], 3, "nothing is downloaded"),
        (["organisation/model"], 3, "nothing is downloaded"),
        (["hf://organisation/model"], 5, "unset HF_HUB_OFFLINE"),
        (["hf://datasets/organisation/set"], 2, "not of a model"),
        (["a" * 5000], 3, "cannot be followed"),
        (["a\0b"], 2, "null byte"),
        (["nowhere", "--stable-for", "-1"], 2, "--stable-for"),
        (["nowhere", "--stable-for", "soon"], 2, "--stable-for"),
        (["nowhere", "--prefer", "bin"], 2, "--prefer"),
        (["nowhere", "--series"], 3, "no such file"),
    ],
    ids=str,
)
def test_wrong_questions(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    found, said = asked(capsys, *arguments)
    assert found == code, said
    assert words in said


def test_safetensors_are_preferred_and_others_read_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model(tmp_path / "m")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    for arguments in ([], ["--prefer", "safetensors"]):
        assert main(["inspect", str(folder), *arguments]) == 0
        assert "both safetensors and pytorch_model.bin are present; safetensors is read" in capsys.readouterr().out
    code, said = asked(capsys, str(folder), "--prefer", "torch")
    assert code == 3
    assert "pytorch_model.bin: content is a pickle" in said
    assert main(["inspect", str(folder), "--prefer", "gguf"]) == 0
    assert "no GGUF file is there; safetensors is read" in capsys.readouterr().out


def test_what_was_written_a_moment_ago_is_left_alone_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model(tmp_path / "m")
    assert asked(capsys, str(folder), "--stable-for", "0")[0] == 0
    code, said = asked(capsys, str(folder), "--stable-for", "3600")
    assert code == 3
    assert "may be unfinished" in said


def test_folders_of_folders_say_where_the_weights_lie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model(tmp_path / "zoo" / "one")
    model(tmp_path / "zoo" / "two")
    (tmp_path / "zoo" / "three").mkdir()
    (tmp_path / "zoo" / "again").symlink_to(tmp_path / "zoo" / "one")
    code, said = asked(capsys, str(tmp_path / "zoo"))
    assert code == 3
    assert "but in one, two; give one of them; inspect --series" in said
    code, said = asked(capsys, str(tmp_path / "zoo"), "--series")
    assert code == 3
    assert "checkpoint-100" in said


def test_a_run_is_listed_by_step_and_one_model_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (20, 100, 3):
        model(tmp_path / "run" / f"checkpoint-{step}")
    assert main(["inspect", str(tmp_path / "run"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["step"] for each in document["steps"]] == [3, 20, 100]
    code, said = asked(capsys, str(tmp_path / "run" / "checkpoint-3"), "--series")
    assert code == 3
    assert "one model is read by inspect and scan" in said


@pytest.mark.parametrize(
    "name", ["a\nb", "\x1b[2J", "\u202eevil", "Modèle 😀", "m" * 200, " ", "-m", "a'b\"c", "%s{0}"]
)
def test_any_name_of_a_folder(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(model(tmp_path / name))
    assert main(["inspect", folder]) == 0
    shown = capsys.readouterr().out
    assert UP in shown
    assert not {character for character in shown if ord(character) < 32} - {"\n"}
    (tmp_path / name / "model.safetensors").write_bytes(b"")
    code, said = asked(capsys, folder)
    assert code == 3
    assert "empty file" in said
    assert said.isprintable()


def test_the_document_is_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(model(tmp_path / "m")), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["matrices"] == [
        {
            "tensor": UP,
            "shape": [4, 4],
            "dtype": "F32",
            "layer": 0,
            "expert": None,
            "block": "ffn",
            "slot": "up",
            "tower": "text",
        }
    ]
    assert (document["skipped"], document["notes"], document["unknown"]) == ([], [], [])
