"""The file of `corpus build`: what is refused, and that the message names the key."""

from pathlib import Path

import pytest

from shadowgraph.errors import SpecError
from shadowgraph.spec.corpus import OPTIONS, CorpusArm, corpus_arm, read_corpus_spec
from shadowgraph.spec.material import Arm

HEAD = """
schema_version = "1.0"
[corpus]
name = "small"
seed = 1
[pool]
files = ["a.jsonl"]
[tokens]
tokenizer = "tok"
end = "</s>"
[budget]
tokens = 1024
sequence_length = 64
"""
RANDOM = '[[arms]]\nname = "random"\nregime = "random"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "'arms' is missing"),
        (HEAD.replace("1024", "1000") + RANDOM, "budget.*for example 960"),
        (HEAD + RANDOM * 2, "two arms share a name"),
        (HEAD + RANDOM.replace('regime = "random"', 'regime = "randm"'), r"arms\[0\].regime"),
        (HEAD + RANDOM + "share = 0.1\n", 'has no use for the key "share"'),
        (HEAD + '[[arms]]\nname = "r"\nregime = "repeated"\nshare = 0.1\n', '"repeats" and "documents"'),
        (HEAD + '[[arms]]\nname = "a"\nregime = "aligned"\n', r"needs a \[\[benchmarks\]\] table"),
        (HEAD + '[[arms]]\nname = "n"\nregime = "covering_new"\n', r"needs the table \[base\]"),
        (HEAD + '[[arms]]\nname = "b"\nregime = "blocked"\n', 'needs the key "of"'),
        (HEAD + RANDOM + '[[arms]]\nname = "b"\nregime = "blocked"\nof = "c"\n', "made of 'c'"),
        (HEAD + RANDOM + '[[arms]]\nname = "s"\nregime = "shuffled_answers"\nof = "random"\n', "tokens.answer_after"),
        (HEAD + '[[arms]]\nname = "leaky"\nregime = "random"\n', "leak"),
        (HEAD + '[[arms]]\nname = "tests"\nregime = "leak"\nshare = 0.1\n', "leak"),
        (HEAD + RANDOM + '[match]\nreference = "x"\nkeep = 1\ncalipers = {kl_to_pool = 0.1}\n', "match.reference"),
        (HEAD.replace('end = "</s>"', 'end = "</s>"\ntemplate = "text"') + RANDOM, "hold {text} once"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        read_corpus_spec(path)


def test_a_small_file_is_enough_and_every_option_is_a_key(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(HEAD + RANDOM)
    assert read_corpus_spec(path).arms[0].regime == "random"
    assert {option.rstrip("*") for options in OPTIONS.values() for option in options} <= set(CorpusArm.model_fields)


def test_an_arm_of_a_study_is_one_of_ours() -> None:
    arm = corpus_arm(Arm(name="r", regime="repeated", share=0.1, documents=8))
    assert (arm.regime, arm.share, arm.documents, arm.kind, arm.method) == ("repeated", 0.1, 8, "same", "clusters")
    assert corpus_arm(arm) is arm
