"""The tensors of an adapter joined by module: the two factors of each, magnitudes, and what is saved whole.

Here live: `Pair`, `Contents`, and `read_contents`, which sorts an adapter's tensors by their names.
Not here: scales (`settings`), which matrix of a model a module is (`joined`), values.
Names are those that PEFT writes: `base_model.model.<module>.lora_A.weight` of shape (r, in), `lora_B.weight` (out, r),
for an embedding `lora_embedding_A` (r, rows) and `lora_embedding_B` (columns, r), `lora_magnitude_vector` for DoRA.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shadowgraph.errors import CheckpointError, printable
from shadowgraph.weights.adapter import ADVICE, adapter_tensors
from shadowgraph.weights.matrix import Skipped
from shadowgraph.weights.roles import unwrapped
from shadowgraph.weights.tensor import TensorEntry, element_type

PREFIX = "base_model.model."
WRAPPER = ".base_layer"
Kind = Literal["linear", "embedding", "convolution"]

# A factor's name: its module, its kind, the adapter's name where the state of a model was saved, and its parameter.
_FACTOR = re.compile(
    r"(?P<module>.+)\.lora_(?P<kind>A|B|embedding_A|embedding_B|magnitude_vector)"
    r"(?:\.(?!weight$|bias$)(?P<adapter>[^.]+))?(?P<last>\.weight|\.bias)?",
    re.DOTALL,
)
_UNUSED = re.compile(r"\.lora_velora_embed(?:\.|$)")
_COPY = re.compile(r"\.original_module\.")
_WHOLE = re.compile(r"\.modules_to_save(?:\.default)?\.")
_TOKENS = re.compile(r"\.trainable_tokens_(?:delta|indices|original)(?:\.|$)")


@dataclass(frozen=True, slots=True)
class Pair:
    """The factors of one matrix, or of a stack of matrices.

    Attributes:
        module: name of the module in the base's model, foreign text.
        depth: how many wrappers lie between the module and these factors, where several of its parameters are changed.
        kind: "linear", "embedding" (both factors turned) or "convolution" (axes of the patch joined to the inputs).
        down: A.
        up: B.
        magnitude: of DoRA, None without.
    """

    module: str
    depth: int
    kind: Kind
    down: TensorEntry
    up: TensorEntry
    magnitude: TensorEntry | None

    @property
    def rank(self) -> int:
        """Inner size of the product; for a stack, that of all its matrices together."""
        return self.down.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of the product."""
        if self.kind == "embedding":
            return self.down.shape[1], self.up.shape[0]
        return self.up.shape[0], self.down.parameters // self.down.shape[0]

    @property
    def is_empty(self) -> bool:
        """Whether a factor has no elements."""
        return 0 in self.down.shape or 0 in self.up.shape

    @property
    def dtype(self) -> str:
        """Stored type of the factors, the coarser one."""
        return min((self.down.dtype, self.up.dtype), key=lambda each: element_type(each).precision)


@dataclass(frozen=True, slots=True)
class Contents:
    """An adapter's tensors, sorted.

    Attributes:
        pairs: in order of module.
        whole: stored tensors that are no factors, by the name that the base gives them.
        skipped: tensors that change no matrix, with reasons.
        notes: remarks that are no errors.
    """

    pairs: tuple[Pair, ...]
    whole: tuple[tuple[str, TensorEntry], ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def stripped(name: str) -> str:
    """A name without what PEFT, compilers and trainers put before it."""
    return unwrapped(unwrapped(name).removeprefix(PREFIX))


def read_contents(entries: Iterable[TensorEntry], where: str) -> Contents:
    """Sort the tensors of an adapter.

    Args:
        entries: all stored tensors.
        where: the adapter, for messages.

    Raises:
        CheckpointError: no factors at all, factors of another method, half a pair, shapes that have no product, types
            that are no numbers, factors of several adapters, or only empty tensors.
    """
    entries = sorted(entries, key=lambda entry: entry.name)
    halves: dict[tuple[str, int], dict[str, TensorEntry]] = {}
    adapters: set[str] = set()
    skipped: list[Skipped] = []
    whole: list[TensorEntry] = []
    for entry in entries:
        found = _FACTOR.fullmatch(entry.name)
        if found is None:
            _require_known(entry, where)
            whole.append(entry)
            continue
        adapters.add(found["adapter"] or "")
        if found["last"] == ".bias":
            skipped.append(Skipped(entry.name, "vector (norm or bias)"))
            continue
        known = halves.setdefault(_module(found["module"]), {})
        if found["kind"] in known:
            raise CheckpointError("the same factor of one module is stored twice", where=_place(where, entry))
        known[found["kind"]] = entry
    if not halves:
        raise CheckpointError("no factors of a LoRA adapter are stored in it", where=where, hint="check the file")
    if len(adapters) > 1:
        shown = ", ".join(printable(name, 40) or "no name" for name in sorted(adapters)[:5])
        raise CheckpointError(f"the factors of {len(adapters)} adapters in one file ({shown})", where=where)
    pairs = tuple(_pair(module, depth, found, where) for (module, depth), found in sorted(halves.items()))
    kept, empty, notes = _without_empty(pairs, where)
    rest, left_out = _sorted_rest(whole, {pair.module for pair in pairs})
    return Contents(kept, rest, (*skipped, *empty, *left_out), notes)


def _module(name: str) -> tuple[str, int]:
    """A module's name without wrappers, and how many there were at its end."""
    depth, module = 0, stripped(name)
    while module.endswith(WRAPPER):
        module, depth = module.removesuffix(WRAPPER), depth + 1
    return module, depth


def _require_known(entry: TensorEntry, where: str) -> None:
    """Refuse the parameters of other methods, which would silently be missing from the update."""
    other = adapter_tensors([entry.name]) or re.search(r"\.lora_(?!velora_embed)[^.]*(?:\.|$)", entry.name)
    if other:
        raise CheckpointError(
            "a parameter of another method than LoRA and DoRA of modules", where=_place(where, entry), hint=ADVICE
        )


def _pair(module: str, depth: int, found: dict[str, TensorEntry], where: str) -> Pair:
    embedding = any(kind.startswith("embedding") for kind in found)
    if embedding and {"A", "B"} & found.keys():
        raise CheckpointError(
            "both the factors of an embedding and of a module", where=_place(where, next(iter(found.values())))
        )
    down, up = (found.get("embedding_" + half if embedding else half) for half in "AB")
    if down is None or up is None:
        first = next(iter(found.values()))
        lost = "lora_A" if down is None else "lora_B"
        raise CheckpointError(
            f"half a pair: {lost} is missing", where=_place(where, first), hint="save the adapter again"
        )
    for entry in found.values():
        if entry.unreadable:
            raise CheckpointError(f"a factor is not read as numbers ({entry.unreadable})", where=_place(where, entry))
    pair = Pair(module, depth, _kind(embedding, down, up), down, up, found.get("magnitude_vector"))
    if not pair.is_empty:
        _require_product(pair, where)
    return pair


def _kind(embedding: bool, down: TensorEntry, up: TensorEntry) -> Kind:
    if embedding:
        return "embedding"
    return "convolution" if len(down.shape) > 2 and len(up.shape) > 2 else "linear"


def _require_product(pair: Pair, where: str) -> None:
    """Shapes must have a product; a kernel beyond one point in B has none that is a matrix's."""
    down, up = pair.down.shape, pair.up.shape
    fits = len(down) == len(up) and 2 <= len(down) <= 5
    fits = fits and (len(down) == 2 or (pair.kind == "convolution" and set(up[2:]) == {1}))
    if not fits:
        raise CheckpointError(
            f"factors of the shapes {list(down)} and {list(up)} have no product", where=_place(where, pair.down)
        )
    if down[0] != up[1]:
        raise CheckpointError(
            f"the ranks differ: lora_A has {down[0]}, lora_B {up[1]}",
            where=_place(where, pair.down),
            hint="save the adapter again",
        )


def _without_empty(
    pairs: tuple[Pair, ...], where: str
) -> tuple[tuple[Pair, ...], tuple[Skipped, ...], tuple[str, ...]]:
    """Leave out pairs of which a partitioned save (ZeRO stage 3) kept nothing."""
    empty = [pair for pair in pairs if pair.is_empty]
    if not empty:
        return pairs, (), ()
    hint = "consolidate the partitioned checkpoint first"
    if len(empty) == len(pairs):
        raise CheckpointError(f"the factors of all {len(pairs)} modules are empty", where=where, hint=hint)
    reason = "empty, as a partitioned save leaves it"
    note = f"the factors of {len(empty)} of {len(pairs)} modules are empty, as a partitioned save leaves them; {hint}"
    return (
        tuple(pair for pair in pairs if not pair.is_empty),
        tuple(Skipped(pair.down.name, reason) for pair in empty),
        (note,),
    )


def _sorted_rest(
    entries: list[TensorEntry], modules: set[str]
) -> tuple[tuple[tuple[str, TensorEntry], ...], tuple[Skipped, ...]]:
    """Tensors that are no factors: those that stand for one of the base, and those that do not."""
    whole: list[tuple[str, TensorEntry]] = []
    skipped: list[Skipped] = []
    for entry in entries:
        name = stripped(_WHOLE.sub(".", entry.name))
        reason = _left_out(entry.name, name, modules)
        if reason:
            skipped.append(Skipped(entry.name, reason))
        else:
            whole.append((name.replace(WRAPPER + ".", "."), entry))
    return tuple(whole), tuple(skipped)


def _left_out(stored: str, name: str, modules: set[str]) -> str:
    """Why a tensor that is no factor stands for none of the base's, "" when it does."""
    if _UNUSED.search(stored):
        return "used in training only"
    if _COPY.search(stored):
        return "a copy of the base's own tensor"
    if _TOKENS.search(stored):
        return "rows of an embedding that were trained alone, not read"
    module, inside, last = name.rpartition(WRAPPER + ".")
    beside = inside and module in modules and last == "weight"
    return "a copy of the base's own tensor, saved beside its factors" if beside else ""


def _place(where: str, entry: TensorEntry) -> str:
    return f"{where}: tensor '{printable(entry.name)}'"
