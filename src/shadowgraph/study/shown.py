"""From tellings to what a model reads: token ids, which of them carry loss, pixels, and which row shows which picture.

Here live: the tokenizer and processor of a study over pictures, and the arrays of its rows on disk.
Not here: which rows there are (`questions`), the jobs (`pictured`).

The arrays of rows in `NAME.npy` lie beside it as `NAME.supervised.npy`, `NAME.pictures.npy` (levels 0 … 255, each
picture once) and `NAME.shown.npy`; see `runs.sequences.Along`.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from shadowgraph.artifact import write_bytes
from shadowgraph.corpus.tokens import END_ID, load_tokenizer, train_tokenizer
from shadowgraph.errors import DataError, SpecError, require
from shadowgraph.runs.loss import Shown, evaluate_loss
from shadowgraph.runs.recipe import LLAMA
from shadowgraph.runs.sequences import Along
from shadowgraph.spec.material import ModelTable
from shadowgraph.spec.pictures import VisionTable
from shadowgraph.spec.study import StudySpec
from shadowgraph.study.arrays import load_array, save_array
from shadowgraph.study.questions import Telling
from shadowgraph.worlds.drawn.scene import Scene

PLACE = "<image>"  # stands for a piece of a picture; the last id of the vocabulary
SIGHT = "sight.npy"
PARTS = ("supervised", "pictures", "shown")
MIDDLE = 127.5  # level that the model sees as 0


def along_of(sequences: Path) -> Along | None:
    """What goes along with the rows in a file; None where they show no pictures.

    Raises:
        DataError: only some of the files beside the rows are there, as after `pictured.drop_base_pictures`.
    """
    files = {name: sequences.with_suffix(f".{name}.npy") for name in PARTS}
    missing = [path for path in files.values() if not path.exists()]
    if missing and len(missing) < len(files):
        raise DataError("missing beside rows that show pictures", where=str(missing[0]), hint="make the rows again")
    return None if missing else Along(**files)


def sight_of(model: Path, base: Path) -> dict[str, float]:
    """Whether a model looks: its loss on descriptions of pictures that nobody saw, nats a token.

    Args:
        model: folder of the model.
        base: the folder of what all bases of the study share.

    Returns:
        "own" with the picture that is described, "other" with that of the next row; equal where it does not look. Kinds
        of picture take turns, so with several of them the other picture is of another kind: a gap says that the model
        looks, and a low "own" how much it sees.
    """
    return {"own": loss_on(model, base / SIGHT), "other": loss_on(model, base / SIGHT, exchanged=True)}


def loss_on(model: Path, sequences: Path, first: int | None = None, *, exchanged: bool = False) -> float:
    """Mean cross-entropy of a model on the rows in a file, or the first of them, nats a token that carries loss.

    Args:
        model: folder of the model.
        sequences: file of the rows; pictures lie beside it where it has any.
        first: how many rows; None for all.
        exchanged: whether every row shows the picture of the next.

    Returns:
        −log p of the token, averaged over the tokens that carry loss.

    Raises:
        DataError: a file that goes along with the rows is missing, or no token carries loss.
        CheckpointError: the folder holds no model.
    """
    along = along_of(sequences)
    rows = load_array(sequences)[:first]
    if along is None:
        return evaluate_loss(model, rows)
    marked, pictures, shown = (load_array(path) for path in along.files)
    shown = np.roll(shown, -1) if exchanged else shown
    return evaluate_loss(model, rows, along=Shown(marked[:first], pictures, shown[:first]))


def write_reader(texts: Sequence[str], spec: StudySpec, vision: VisionTable, folder: Path) -> None:
    """Train the tokenizer and write it with the processor of pictures, so that every model saved with them can be shown
    a picture.

    Args:
        texts: what the tokenizer is trained on.
        spec: the study; its vocabulary counts the place of a picture.
        vision: the tower's table.
        folder: receives the files.

    Raises:
        DataError: the texts are too few to fill the vocabulary.
        EnvironmentFault: transformers or Pillow is not installed.
    """
    require("transformers", "train")
    require("PIL", "worlds")
    from transformers import AutoTokenizer, LlavaProcessor

    train_tokenizer(texts, spec.model.vocabulary - 1, folder)
    held = load_tokenizer(folder)
    held.add_special_tokens([PLACE])
    write_bytes(folder / "tokenizer.json", held.to_str(pretty=False).encode())
    processor: Any = LlavaProcessor
    processor(
        image_processor=image_processor(vision),
        tokenizer=AutoTokenizer.from_pretrained(folder, local_files_only=True),
        patch_size=vision.patch,
        vision_feature_select_strategy="default",
        image_token=PLACE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)


def image_processor(vision: VisionTable) -> Any:
    """What brings a picture to the tower's size and its levels to −1 … 1."""
    from transformers import CLIPImageProcessorPil

    made: Any = CLIPImageProcessorPil
    size = {"height": vision.side, "width": vision.side}
    even = [0.5, 0.5, 0.5]
    return made(size={"shortest_edge": vision.side}, crop_size=size, image_mean=even, image_std=even)


class Writer:
    """Writes the arrays of rows.

    Args:
        spec: the study.
        vision: the tower's table.
        reader: folder of tokenizer and processor.
    """

    def __init__(self, spec: StudySpec, vision: VisionTable, reader: Path) -> None:
        self.length, self.vision = spec.training.sequence_length, vision
        self.vocabulary = spec.model.vocabulary
        self.tokenizer: tokenizers.Tokenizer = load_tokenizer(reader)
        self.processor = image_processor(vision)

    def write(self, rows: Sequence[Telling], path: Path, progress: Callable[[float], None] | None = None) -> None:
        """Write rows and what goes along with them; the ids last.

        A row is the picture's places, a line break, the context, the answer and the end, filled up with ends that carry
        no loss. A picture is known by its scene: rows made apart may give one name to two pictures.

        Args:
            rows: N tellings.
            path: receives (N, sequence_length) ids; the files that `along_of` finds come to lie beside it.
            progress: told the share of pictures drawn.

        Raises:
            SpecError: a row is longer than training.sequence_length; names the longest.
        """
        ids = np.full((len(rows), self.length), END_ID, np.int32 if self.vocabulary > 65_535 else np.uint16)
        marked = np.zeros(ids.shape, np.bool_)
        heads, tails = ([encoded.ids for encoded in self._encode(texts)] for texts in _halves(rows))
        stops = [len(head) + len(tail) + 1 for head, tail in zip(heads, tails, strict=True)]
        longest = max(stops, default=0)
        if longest > self.length:
            found = f"{self.length} tokens, and the row {rows[stops.index(longest)].id} has {longest}"
            raise SpecError(found, where="training.sequence_length", hint=f"give {longest} or more")
        for place, (head, tail, stop) in enumerate(zip(heads, tails, stops, strict=True)):
            ids[place, : stop - 1] = [*head, *tail]
            marked[place, len(head) : stop] = True
        numbers = {scene: number for number, scene in enumerate(dict.fromkeys(row.scene for row in rows))}
        pictures = np.zeros((len(numbers), 1, 3, self.vision.side, self.vision.side), np.uint8)
        for scene, number in numbers.items():
            pictures[number, 0] = self.levels(scene)
            if progress is not None:
                progress((number + 1) / len(numbers))
        save_array(path.with_suffix(".shown.npy"), np.array([numbers[row.scene] for row in rows], np.int64))
        save_array(path.with_suffix(".pictures.npy"), pictures)
        save_array(path.with_suffix(".supervised.npy"), marked)
        save_array(path, ids)

    def words(self, rows: Sequence[Telling]) -> list[list[int]]:
        """Token ids of each row without the places of its picture, its end included."""
        heads, tails = (self._encode(texts) for texts in _halves(rows))
        pieces = self.vision.places
        return [[*a.ids[pieces:], *b.ids, END_ID] for a, b in zip(heads, tails, strict=True)]

    def levels(self, scene: Scene) -> NDArray[np.uint8]:
        """What the processor makes of a picture, (3, side, side) levels 0 … 255."""
        from shadowgraph.worlds.drawn.draw import draw

        seen: Any = self.processor(draw(scene), return_tensors="np")["pixel_values"][0]
        return np.clip(np.rint((np.asarray(seen, np.float64) + 1.0) * MIDDLE), 0, 255).astype(np.uint8)

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        shown = [text.replace(PLACE, PLACE * self.vision.places, 1) for text in texts]
        return self.tokenizer.encode_batch(shown, add_special_tokens=False)


def _halves(rows: Sequence[Telling]) -> tuple[list[str], list[str]]:
    """What stands before the answers, and the answers."""
    return [f"{PLACE}\n{row.context}" for row in rows], [row.answer for row in rows]


def seeing_architecture(model: ModelTable, vision: VisionTable, decoder: Mapping[str, Any]) -> dict[str, Any]:
    """The model table in the terms of llava: a CLIP tower, all of whose layers are used, a projector, a llama.

    Args:
        model: the model table.
        vision: the table of its tower.
        decoder: keys of the decoder's configuration.

    Returns:
        Keys of the family's configuration, those of tower and decoder nested.
    """
    ends = {"tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": END_ID, "pad_token_id": None}
    tower = {
        "model_type": "clip_vision_model",
        "hidden_size": vision.hidden,
        "intermediate_size": vision.intermediate,
        "num_hidden_layers": vision.layers,
        "num_attention_heads": vision.heads,
        "image_size": vision.side,
        "patch_size": vision.patch,
    }
    return {
        "text_config": {"model_type": LLAMA, **ends, **decoder, **model.settings},
        "vision_config": tower,
        "image_token_index": model.vocabulary - 1,
        "image_seq_length": vision.places,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
        "tie_word_embeddings": True,
    }
