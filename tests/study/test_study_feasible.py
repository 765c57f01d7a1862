"""Plans that cannot run are refused when they are made, by key and file; refusals of another plan name what differs."""

import gzip
from pathlib import Path

import pytest
from study_material import write_material

from shadowgraph.errors import DataError, ShadowgraphError, SpecError
from shadowgraph.study.differing import differing
from shadowgraph.study.plan import claim_folder, freeze


def changed(folder: Path, old: str, new: str) -> Path:
    spec = write_material(folder)
    text = spec.read_text()
    assert old in text
    spec.write_text(text.replace(old, new))
    return spec


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ('adapter = "mmlu"\nbenchmark', 'adapter = "mmlx"\nbenchmark', SpecError, ("sources 'quiz'.adapter", "'mmlx'")),
        (
            'adapter = "mmlu"\ndresses',
            'adapter = "mmlx"\ndresses',
            SpecError,
            ("scores.benchmarks 'quiz'.adapter", "known: "),
        ),
        ('["labels"]', '["lables"]', SpecError, ("scores.benchmarks 'quiz'.dresses", "'lables'", "labels")),
        (
            'sources = "known"',
            'sources = "known"\npick = 9',
            SpecError,
            ("arms.pick", "'known' picks 9 of 1 sources"),
        ),
        (
            'adapter = "mmlu"\nbenchmark',
            'adapter = "hellaswag"\nbenchmark',
            DataError,
            ("quiz-train.jsonl:1", "adapter 'hellaswag' of sources 'quiz'"),
        ),
        (
            'sources = ["quiz"]',
            'sources = ["letters", "quiz"]\npick = 3',
            SpecError,
            ("arms.pick", "'new' picks 3 of 2"),
        ),
        ("base_steps = 8", "base_steps = 80000", DataError, ("jsonl", "training.base_steps asks of a base")),
        ("\nsteps = 8", "\nsteps = 80000", DataError, ("jsonl", "bytes in all, and the arm 'known' takes")),
        ('"elsewhere.jsonl"', '"nowhere.jsonl"', DataError, ("nowhere.jsonl", "named in sources 'elsewhere'.files")),
        ('"quiz-test.jsonl"', '"nowhere.jsonl"', DataError, ("nowhere.jsonl", "scores.benchmarks 'quiz'.files")),
    ],
)
def test_what_cannot_run_is_refused_by_key_and_file(
    tmp_path: Path, old: str, new: str, kind: type[ShadowgraphError], words: tuple[str, ...]
) -> None:
    with pytest.raises(kind) as caught:
        freeze(changed(tmp_path, old, new))
    for word in words:
        assert word in str(caught.value)


def test_packed_text_counts_as_unpacked_and_enough_text_is_enough(tmp_path: Path) -> None:
    spec = changed(tmp_path, '"fields.jsonl"', '"fields.jsonl.gz"')
    (tmp_path / "fields.jsonl.gz").write_bytes(gzip.compress((tmp_path / "fields.jsonl").read_bytes() * 3))
    assert (tmp_path / "fields.jsonl.gz").stat().st_size < (tmp_path / "fields.jsonl").stat().st_size
    spec.write_text(spec.read_text().replace("base_steps = 8", "base_steps = 4000"))
    with pytest.raises(DataError, match=r"the source 'harbours' holds|the source 'letters' holds"):
        freeze(spec)
    spec.write_text(spec.read_text().replace("base_steps = 4000", "base_steps = 8"))
    assert freeze(spec).hash
    (tmp_path / "fields.jsonl.gz").write_bytes((tmp_path / "fields.jsonl.gz").read_bytes()[:-30])
    spec.write_text(spec.read_text().replace("base_steps = 8", "base_steps = 8000000"))
    with pytest.raises(DataError, match="gzip"):
        freeze(spec)


def test_a_benchmark_file_without_a_row_is_named(tmp_path: Path) -> None:
    spec = write_material(tmp_path)
    (tmp_path / "quiz-test.jsonl").write_text("\n")
    with pytest.raises(DataError, match=r"quiz-test\.jsonl: holds no row; named in scores\.benchmarks 'quiz'"):
        freeze(spec)


def test_a_folder_of_another_plan_is_refused_with_the_keys_that_differ(tmp_path: Path) -> None:
    spec = write_material(tmp_path)
    claim_folder(freeze(spec), tmp_path / "out")
    spec.write_text(spec.read_text().replace("sd = 0.01", "sd = 0.02").replace("longest = 300", "longest = 301", 1))
    (tmp_path / "fields.jsonl").write_text((tmp_path / "fields.jsonl").read_text() + '{"text": "one more"}\n')
    with pytest.raises(SpecError, match="belongs to the plan") as caught:
        claim_folder(freeze(spec), tmp_path / "out")
    for word in ("sources[0].longest (300 there, 301 here)", "analysis.power.sd (0.01 there, 0.02 here)", "files."):
        assert word in str(caught.value)


def test_of_many_differences_five_are_named() -> None:
    held = {"spec": {"a": [1, 2, 3], "b": {"c": 1}, "d": 1, "e": 2, "f": 3}, "program": "1"}
    assert differing(held, held) == ""
    assert differing({"plan_hash": "x"}, held) == ""
    told = differing(held, held | {"spec": {"a": [1, 2], "g": 5}, "program": "2"})
    assert told.startswith("; they differ in g (nothing there, 5 here), program (1 there, 2 here), a[2] (3 there, noth")
    assert told.endswith(" and 2 more")


def test_ranks_that_no_matrix_has_are_refused_where_sizes_are_certain(tmp_path: Path) -> None:
    spec = write_material(tmp_path, Path(__file__).with_name("tiny-intervention.toml"))
    text = spec.read_text()
    spec.write_text(text.replace("ranks = [1, 4]", "ranks = [1, 16]"))
    assert freeze(spec).hash
    spec.write_text(text.replace("ranks = [1, 4]", "ranks = [1, 4, 17, 400]"))
    told = (
        r"intervention\.ranks: asks for 17, 400 components .* no matrix inside the layers has more than 16; give ranks"
    )
    with pytest.raises(SpecError, match=told):
        freeze(spec)
    wide = spec.read_text()
    spec.write_text(wide.replace('family = "gpt2"', 'family = "gpt2"\nhidden = 400'))
    assert freeze(spec).hash
    spec.write_text(wide.replace('family = "gpt2"', 'family = "deepseek_v3"'))
    assert freeze(spec).hash
