"""Records of image and text in regimes: as many images in every arm, whole, named where their file is missing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadowgraph.artifact import read_object
from shadowgraph.corpus.batch import batch_of
from shadowgraph.corpus.build import build_regimes
from shadowgraph.corpus.document import Document
from shadowgraph.corpus.pictures import Pictures, fill_pictured, missing_images, show_once
from shadowgraph.corpus.tokens import load_tokenizer, train_tokenizer
from shadowgraph.errors import DataError, SpecError
from shadowgraph.seeds import generator

TOPICS = ("river", "engine", "market", "garden")
WIDTH = 6
SPEC = """
schema_version = "1.0"
[corpus]
name = "pictures"
seed = 3
draws = 2
[pool]
files = ["pool.jsonl"]
images = "images"
[base]
files = ["base.jsonl"]
[[benchmarks]]
name = "quiz"
files = ["quiz.jsonl"]
mapping = { prompt = "q", answer = "a" }
[tokens]
tokenizer = "tokenizer"
end = "<|end|>"
image = "<image>"
image_tokens = 6
[budget]
tokens = 4096
sequence_length = 64
"""
ARMS = "".join(
    f'[[arms]]\nname = "{name}"\nregime = "{regime}"\n{more}'
    for name, regime, more in (
        ("random", "random", ""),
        ("aligned", "aligned", ""),
        ("covering", "covering", ""),
        ("new", "covering_new", ""),
        ("concentrated", "concentrated", "patterns = 24\nskew = 0.0\n"),
        ("mixture", "mixture", "share = 0.3\n"),
        ("blend", "blend", "share = 0.3\n"),
        ("repeated", "repeated", "share = 0.2\nrepeats = 4\n"),
        ("leak", "leak", "share = 0.05\n"),
        ("reversed", "reversed", 'of = "random"\n'),
        ("permuted", "permuted", 'of = "random"\n'),
        ("blocked", "blocked", 'of = "covering"\n'),
    )
)


def sentence(stream: np.random.Generator, topic: str) -> str:
    return " ".join(f"{topic}{int(stream.integers(40))}" for _ in range(int(stream.integers(10, 30)))) + "."


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(count: int, *, every: int = 3) -> list[dict[str, Any]]:
    stream = generator(0, "pictures")
    rows: list[dict[str, Any]] = []
    for n in range(count):
        row = {"id": f"d{n}", "source": f"s{n % 3}", "text": sentence(stream, TOPICS[n % 4])}
        if n % every == 0:
            row["media"] = f"{n % 5}.png"
            row["text"] = f"<image>\n{row['text']}" if n % 2 else row["text"]
        rows.append(row)
    return rows


def prepare(folder: Path, rows: list[dict[str, Any]], spec: str = SPEC + ARMS) -> Path:
    import tokenizers

    stream = generator(1, "pictures")
    (folder / "images").mkdir(parents=True)
    for n in range(5):
        (folder / "images" / f"{n}.png").touch()
    write_rows(folder / "pool.jsonl", rows)
    write_rows(folder / "base.jsonl", [{"id": f"x{n}", "text": sentence(stream, "river")} for n in range(80)])
    write_rows(folder / "quiz.jsonl", [{"q": sentence(stream, "garden") + " what", "a": str(n)} for n in range(40)])
    train_tokenizer((str(row["text"]) for row in rows), 300, folder / "tokenizer")
    tokenizer: Any = load_tokenizer(folder / "tokenizer")
    tokenizer.add_special_tokens([tokenizers.AddedToken("<image>", special=True)])
    tokenizer.save(str(folder / "tokenizer" / "tokenizer.json"))
    (folder / "spec.toml").write_text(spec)
    return folder / "spec.toml"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    return build_regimes(prepare(folder, rows_of(1500)), folder / "out").folder


def test_every_arm_has_as_many_tokens_images_and_words(built: Path) -> None:
    answer = read_object(built / "built.json")
    images = answer["budget"]["images"]
    assert images > 20
    assert answer["budget"]["supervised_least"] == answer["budget"]["supervised_most"] == 4096 - WIDTH * images
    token = answer["pool"]["image"]
    for arm in answer["arms"]:
        folder = built / "arms" / f"{arm['arm']}-{arm['draw']}"
        tokens, loss = np.load(folder / "tokens.npy"), np.load(folder / "supervised.npy")
        assert int((tokens == token).sum()) == WIDTH * images, arm["arm"]
        assert not loss[tokens == token].any()
        assert loss[tokens != token].all()
        sheet = arm["balance"]
        assert (sheet["images"], sheet["image_tokens"], sheet["text_tokens"]) == (
            images, WIDTH * images, 4096 - WIDTH * images,
        )  # fmt: skip


def test_the_manifest_keeps_the_reference_of_every_image_and_no_image_is_cut(built: Path) -> None:
    answer = read_object(built / "built.json")
    token = answer["pool"]["image"]
    held = {f"d{n}": f"{n % 5}.png" for n in range(0, 1500, 3)}
    for name in ("random-0", "repeated-1", "leak-0", "concentrated-0"):
        rows = pq.read_table(built / "arms" / name / "manifest.parquet").to_pydict()
        tokens = np.load(built / "arms" / name / "tokens.npy").ravel()
        sizes = np.array(rows["stop"]) - np.array(rows["start"])
        ends = np.cumsum(sizes)
        for place, (document, media) in enumerate(zip(rows["document"], rows["media"], strict=True)):
            assert media == held.get(document), document
            shown = int((tokens[ends[place] - sizes[place] : ends[place]] == token).sum())
            assert shown == (WIDTH if media else 0)


def test_divergence_from_the_base_is_on_the_sheet_and_counts_no_image(built: Path) -> None:
    sheets = {row["arm"]: row["balance"] for row in read_object(built / "built.json")["arms"] if row["draw"] == 0}
    assert all(0 < sheet["kl_to_base"] < 20 for sheet in sheets.values())
    assert sheets["new"]["kl_to_base"] > sheets["random"]["kl_to_base"]  # the base told of rivers alone
    assert sheets["reversed"]["kl_to_base"] == sheets["random"]["kl_to_base"]


def test_missing_images_are_named_and_refused_or_left_out(tmp_path: Path) -> None:
    rows = rows_of(600)
    rows[0]["media"], rows[3]["media"], rows[6]["media"] = "lost.png", "https://example.org/a.png", "x" * 400
    spec = prepare(tmp_path, rows)
    with pytest.raises(DataError, match=r"no image file for d0 \(lost\.png\), d6 \(x+"):
        build_regimes(spec, tmp_path / "refused")
    text = SPEC.replace("[base]", 'missing_images = "leave_out"\n[base]').replace("draws = 2", "draws = 1")
    spec.write_text(text + '[[arms]]\nname = "random"\nregime = "random"\n')
    answer = build_regimes(spec, tmp_path / "out").answer
    assert [row["id"] for row in answer["missing_images"]] == ["d0", "d6"]
    rows = pq.read_table(tmp_path / "out" / "work" / "pool" / "labels.parquet").to_pydict()
    assert not {"d0", "d6"} & set(rows["name"])
    assert rows["media"][rows["name"].index("d3")] == "https://example.org/a.png"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "bad", "text": "a spoof <image> in words"}, "bad: the text holds the image token '<image>' 1 times"),
        ({"id": "bad", "text": "<image> and <image>", "media": "0.png"}, "2 times and one image"),
    ],
)
def test_a_text_that_plays_the_image_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build_regimes(prepare(tmp_path, [*rows_of(60), row]), tmp_path / "out")


def test_a_pool_of_images_only_and_a_number_asked_for(tmp_path: Path) -> None:
    spec = SPEC.replace("draws = 2", "draws = 1").replace("sequence_length", "images = 70\nsequence_length")
    arms = "".join(f'[[arms]]\nname = "{name}"\nregime = "{name}"\n' for name in ("random", "aligned", "covering"))
    answer = build_regimes(prepare(tmp_path, rows_of(900, every=1), spec + arms), tmp_path / "out").answer
    assert answer["budget"]["images"] == 70
    assert {arm["balance"]["images"] for arm in answer["arms"]} == {70.0}


def test_a_file_of_texts_stands_beside_a_file_of_images(tmp_path: Path) -> None:
    rows = [{("image" if key == "media" else key): value for key, value in row.items()} for row in rows_of(900)]
    text = SPEC.replace("draws = 2", "draws = 1").replace('["pool.jsonl"]', '["shown.jsonl", "told.jsonl"]')
    text = text.replace("[base]", '[pool.columns]\nmedia = "image"\n[base]')
    spec = prepare(tmp_path, rows, text + '[[arms]]\nname = "random"\nregime = "random"\n')
    write_rows(tmp_path / "shown.jsonl", [row for row in rows if "image" in row])
    write_rows(tmp_path / "told.jsonl", [row for row in rows if "image" not in row])
    answer = build_regimes(spec, tmp_path / "out").answer
    assert answer["pool"]["documents"] > 800
    assert answer["budget"]["images"] > 10
    spec.write_text(spec.read_text().replace('media = "image"', 'media = "imagge"'))
    with pytest.raises(DataError, match=r"pool\.columns\.media: no record of the pool holds the key 'imagge'"):
        build_regimes(spec, tmp_path / "typo")


def test_images_that_leave_room_which_no_text_can_fill_are_counted() -> None:
    lengths, ends = np.full(30, 10, np.int64), np.full(30, 6, np.int64)
    with pytest.raises(DataError, match=r"20 images bring 200 of 250 tokens, .* hold 0 of the 50 left"):
        fill_pictured(np.arange(30), lengths, ends, 250, images=20, where="arm")


def test_references_are_kept_where_images_do_not_count(tmp_path: Path) -> None:
    rows = rows_of(600)
    text = SPEC.replace('image = "<image>"\nimage_tokens = 6\n', "").replace("draws = 2", "draws = 1")
    answer = build_regimes(
        prepare(tmp_path, rows, text + '[[arms]]\nname = "random"\nregime = "random"\n'), tmp_path / "out"
    ).answer
    assert "images" not in answer["budget"]
    held = pq.read_table(tmp_path / "out" / "arms" / "random-0" / "manifest.parquet").to_pydict()
    media = {row["id"]: row.get("media") for row in rows}
    assert held["media"] == [media[document] for document in held["document"]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("image_tokens = 6\n", "", "go together"),
        ('image = "<image>"', 'image = "<|end|>"', "neither"),
        ('image = "<image>"\nimage_tokens = 6\n', "", "needs the keys"),
    ],
)
def test_a_specification_that_does_not_hold_together_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = SPEC.replace("sequence_length", "images = 3\nsequence_length").replace(old, new)
    (tmp_path / "spec.toml").write_text(text + '[[arms]]\nname = "r"\nregime = "random"\n')
    with pytest.raises(SpecError, match=message):
        build_regimes(tmp_path / "spec.toml", tmp_path / "out", dry_run=True)


def test_one_piece_of_a_cut_record_shows_its_image() -> None:
    plain, marked = "word " * 60, "word " * 30 + "<image> " + "word " * 30
    documents = [Document("a", "s", "f", "p", plain, "a.png"), Document("b", "s", "f", "p", marked, "b.png")]
    pieces = show_once(batch_of([*documents, Document("c", "s", "f", "p", plain)], limit=100), "<image>")
    shown = [(pieces.ids[d], int(pieces.parts[d]), media) for d, media in enumerate(pieces.media) if media]
    assert [(name, media) for name, _, media in shown] == [("a", "a.png"), ("b", "b.png")]
    assert shown[0][1] == 1
    assert "<image>" in pieces.text(next(d for d, media in enumerate(pieces.media) if media == "b.png"))
    assert missing_images(pieces, Path("/nonexistent")) == [d for d, media in enumerate(pieces.media) if media]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(2, 40), st.booleans()), min_size=1, max_size=60),
    st.integers(0, 12),
    st.integers(1, 500),
)
def test_a_fill_with_images_is_exact_or_refused(pool: list[tuple[int, bool]], images: int, budget: int) -> None:
    lengths = np.array([size + WIDTH * seen for size, seen in pool], np.int64)
    ends = np.array([WIDTH * seen for _, seen in pool], np.int64)
    order = np.arange(len(pool))
    try:
        found = fill_pictured(order, lengths, ends, budget, images=images, where="arm")
    except DataError:
        return
    assert found.tokens == budget
    assert int(Pictures(ends, images, 5).shown(found).sum()) == images == int((ends[found.documents] > 0).sum())
    assert len(set(found.documents.tolist())) == len(found.documents)
    assert (found.taken >= ends[found.documents]).all()


@given(st.integers(0, 500), st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_parts_of_a_budget_share_its_images(images: int, parts: list[int]) -> None:
    ends = np.cumsum(parts).tolist()
    counted = Pictures(np.zeros(0, np.int64), images, 1)
    due = [counted.due(stop - size, stop, ends[-1]) for size, stop in zip(parts, ends, strict=True)]
    assert sum(due) == images
    assert min(due) >= 0
