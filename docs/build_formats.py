"""Writes docs/formats.md from the tables of the readers, so that the page promises no more than they read.

Here lives: the text of the page. Not here: any list of types, endings, methods or operations; those stand in
`shadowgraph.weights`. Run it with `python docs/build_formats.py`; a test compares the page with what this gives.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from shadowgraph.artifact import write_bytes
from shadowgraph.weights.hub.address import FORM
from shadowgraph.weights.hub.listing import SMALL, WEIGHTS
from shadowgraph.weights.kinds import KINDS
from shadowgraph.weights.readers.formats import READERS
from shadowgraph.weights.readers.gguf_types import REMOVED, TYPES
from shadowgraph.weights.readers.onnx_graph import QUANTISED
from shadowgraph.weights.readers.onnx_tensor import DATA_TYPES
from shadowgraph.weights.readers.packings import DECODERS
from shadowgraph.weights.tensor import ELEMENT_TYPES, FLOAT8

PAGE = Path(__file__).resolve().parent / "formats.md"
NOTICE = (
    "<!-- Written by docs/build_formats.py from the tables of the readers; change it there, then run the script. -->"
)
LEAD = """\
What can be given as a model, how exactly it is read, and what is refused. Every format has a reader of its own that
checks sizes, offsets and counts before it believes them; no file is mapped into memory, no pickle is loaded in the
process that measures, and nothing of a model is run. Readers of plain safetensors and of ONNX need nothing installed
beyond the package itself. What is stored but cannot be read as a matrix of numbers is listed with its reason, never
guessed: it lowers the share analysed that every table states."""
PREFERENCE = """\
Of several formats in one folder the first of this list is read, and a remark says which others are there; `--prefer`
chooses another. Shards are read through their index, the parts of a split GGUF model through their own numbers, a model
in the hub's cache through its snapshots. The ending of its name decides which reader a file goes to; a file whose
content is something else is refused, and the message says what it is."""


class Format(NamedTuple):
    """One row of the first table."""

    title: str
    read: str
    exact: str
    needs: str
    floor: str
    peer: str


PLAIN_FLOOR = "by the significand of the type"
OWN = "nothing"
FORMATS = (
    Format(
        "safetensors",
        "one file, shards with an index, a folder, a snapshot of the hub's cache",
        "exactly; 8-bit floats times the scale stored beside them, rounded once",
        OWN,
        PLAIN_FLOOR,
        "`safetensors`",
    ),
    Format(
        "torch archives",
        "zip archives of `torch.save`: a table of tensors, or one under a usual key beside a training state; shards"
        " with an index; tensors that lie in another order (transposes, slices)",
        "exactly",
        "`shadowgraph[torch]`",
        PLAIN_FLOOR,
        "`torch`",
    ),
    Format(
        "GGUF",
        "versions and types of llama.cpp, listed below; split models; sizes of fused matrices from the file's own keys",
        "plain types exactly; block types as llama.cpp computes them, products in float32",
        "`shadowgraph[gguf]` for block types, nothing for plain ones",
        "by the steps of every block; an upper estimate for vector codebooks (IQ1, IQ2, IQ3)",
        "`gguf`",
    ),
    Format(
        "ONNX",
        "initialisers, constants of two axes or more, values in files beside the graph; names that the exporter lost"
        " are recovered from the nodes",
        "exactly; what was stored turned is turned back",
        OWN,
        PLAIN_FLOOR,
        "`onnx`, exports of `torch`",
    ),
    Format(
        "PEFT adapters",
        "LoRA with every scale of PEFT (rank-stabilised, patterns of ranks and alphas), of linear maps and embeddings,"
        " alone or against its base; DoRA, stacked experts and modules saved whole only against the base",
        "the factors exactly; a product is never formed",
        "nothing, or `shadowgraph[torch]` for `adapter_model.bin`",
        "rounding of both factors carried into their product, an upper estimate",
        "`peft`",
    ),
    Format(
        "quantised groups",
        "the methods listed below, recognised by names, shapes and `quantization_config`",
        "code, zero and scale as stored, in float64: one rounding for the product, one for the sum",
        OWN,
        "by the method's own grid: the distance of neighbouring values it can hold",
        "files written by each method's own library",
    ),
    Format(
        "the hub",
        f"an address in place of a path ({FORM}); only the ranges that are read are fetched, and they stay in a mirror",
        "as the format itself; a file that is here whole is checked against the hub's digest",
        "`shadowgraph[hub]`",
        "as the format itself",
        "a server of the hub's protocol in the tests, through `huggingface_hub`",
    ),
)

METHODS = {
    "gptq": ("GPTQ", "2, 3, 4 and 8 bits, groups, in order of activation or not, both ways of counting zeros"),
    "awq": ("AWQ", "4 bits, the layout `gemm`; it also rescales inputs, which a remark says"),
    "compressed-tensors": ("compressed-tensors, packed integers", "2, 4 and 8 bits by channel, group or tensor"),
    "int8": ("compressed-tensors, 8-bit integers", "by channel, group or tensor, with or without zeros"),
    "bitsandbytes-8bit": ("bitsandbytes, 8-bit rows", "LLM.int8() rows as they are, scale SCB / 127"),
    "bitsandbytes-4bit": ("bitsandbytes, 4-bit codes", "NF4 and FP4, with nested quantisation or without"),
    "mxfp4": ("MXFP4", "as gpt-oss stores it and as compressed-tensors does"),
    "nvfp4": ("NVFP4", "as compressed-tensors and ModelOpt store it"),
    "mlx": ("MLX", "affine codes with scale and bias, bits and group size from the configuration"),
}
"""Method of a packing to its title and what is read of it; a method of no row here stops the script."""
NO_GROUPS = frozenset({"strided", "gguf"})  # layouts of a format, described with it

REFUSALS = """\
- **Pickles.** A torch archive's table is looked at by torch's weights-only loader in another process that has limits,
  no files, and storages without content; what that loader refuses is refused. Legacy `.pt` files that are a bare
  pickle, TorchScript programs, big-endian and compressed archives are refused.
- **Files that lead elsewhere.** A shard, a part, or a file with the values of an ONNX model must lie in the model's
  own folder; a link may lead out only within the hub's cache.
- **Adapters that are no plain product.** Other methods than LoRA and DoRA; initialisations that change the base
  (PiSSA, CorDA, OLoRA, LoftQ, LoRA-GA); QA-LoRA, BD-LoRA, Arrow, aLoRA, MonteCLoRA, KaSA and replicated layers.
- **Quantised groups that do not fit.** Members that are missing, shapes that no layout of the method has, or bits
  that the configuration contradicts or does not tell: the whole group is left out, with that reason.
- **GGUF.** Tensors of types that hold activations, or that have no decoder yet, are left out; a file with a type that
  was taken out of the format is refused. Rows of queries and keys are read in the order that llama.cpp gives them:
  singular values stay, vectors over outputs do not, and so two GGUF files are compared, never one with another
  format.
- **ONNX.** Sparse initialisers and tensors in segments are refused. Half-precision numbers stored as integers of
  variable length, weights inside branches of nodes, and weights quantised for the operations listed above are named
  and left out. Names are recovered from the one node that uses a tensor; where several use it, or two tensors would
  get one name, they keep the exporter's and have no role. So do kernels with a normalisation folded into them.
- **Partitioned training checkpoints** (FSDP, DeepSpeed) that nobody has put together yet."""


def words(names: Iterable[str]) -> str:
    """Names as code, in a row."""
    return " ".join(f"`{name}`" for name in names)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return [*lines, *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)]


def kinds() -> list[str]:
    """The kinds of files in the order of preference."""
    rows = [
        (kind.label, words(kind.endings), words(kind.usual) or "—", words([kind.index]) if kind.index else "—")
        for kind in KINDS
    ]
    return table(("format", "endings", "usual names", "usual index"), rows)


def formats() -> list[str]:
    """The first table."""
    return table(
        ("format", "what is read", "how exactly", "needs", "storage floor", "checked in tests against"), FORMATS
    )


def methods() -> list[str]:
    """The quantised groups; every method of a decoder must be described."""
    groups = [method for method in DECODERS if method not in NO_GROUPS]
    return table(("method", "what is read"), [METHODS[method] for method in groups])


def element_types() -> list[str]:
    """The element types of safetensors, and which are numbers."""
    plain = [name for name, kind in ELEMENT_TYPES.items() if kind.kind == "float" and name not in FLOAT8]
    left: dict[str, list[str]] = {}
    for name, kind in ELEMENT_TYPES.items():
        if kind.kind != "float":
            left.setdefault(kind.kind, []).append(name)
    rows = [("read as they are", words(plain)), ("read with their scale", words(sorted(FLOAT8)))]
    return table(("", "types"), [*rows, *((f"left out: {why}", words(names)) for why, names in left.items())])


def is_read(name: str) -> bool:
    """Whether a type of this name is read as it lies."""
    return name in ELEMENT_TYPES and ELEMENT_TYPES[name].kind == "float" and name not in FLOAT8


def gguf_types() -> list[str]:
    """The types of GGUF by what becomes of them."""
    plain = [kind.name for kind in TYPES.values() if kind.is_plain]
    reasons = sorted({kind.reason for kind in TYPES.values() if kind.reason})
    rows = [
        ("read as they are", words(filter(is_read, plain))),
        ("decoded", words(kind.name for kind in TYPES.values() if not kind.is_plain and not kind.reason)),
        ("left out: integer or boolean type", words(name for name in plain if not is_read(name))),
        *((f"left out: {why}", words(kind.name for kind in TYPES.values() if kind.reason == why)) for why in reasons),
        ("refused: taken out of the format", words(REMOVED.values())),
    ]
    return table(("", "types"), rows)


def onnx_types() -> list[str]:
    """The data types of ONNX, and the operations whose weights are not read."""
    names = [kind.name for kind in DATA_TYPES.values()]
    rows = [
        ("types read as they are", words(filter(is_read, names))),
        ("types left out", words(name for name in names if not is_read(name))),
        ("operations whose quantised weights are left out", words(QUANTISED)),
    ]
    return table(("", ""), rows)


def page() -> str:
    """The whole page."""
    reached = {ending for kind in KINDS for ending in kind.endings}
    if reached != set(READERS):
        raise ValueError(f"endings without a reader, or readers without a kind: {sorted(reached ^ set(READERS))}")
    fetched = f"Fetched from the hub: files that end in {words(WEIGHTS)}, indexes, and {words(sorted(SMALL))}."
    parts: list[Iterable[str]] = [
        [NOTICE],
        ["# Formats"],
        LEAD.splitlines(),
        formats(),
        ["## Files and folders"],
        PREFERENCE.splitlines(),
        kinds(),
        [fetched],
        ["## Element types"],
        element_types(),
        ["## GGUF types"],
        gguf_types(),
        ["## ONNX"],
        onnx_types(),
        ["## Quantised groups"],
        methods(),
        ["## Refused or left out, and why"],
        REFUSALS.splitlines(),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


if __name__ == "__main__":
    write_bytes(PAGE, page().encode())
