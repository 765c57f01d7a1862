"""What a file really is, when it is not what its name says.

Here lives: recognition of foreign content by its first bytes, used only to explain a refusal.
Not here: any decision to accept. A file is accepted by its parser alone.
"""

from __future__ import annotations

_PICKLES = "a plain pickle can run code and is never opened; save it with torch 1.6 or later, or as safetensors"
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a torch file of before version 1.6, a plain pickle", _PICKLES),
    (b"version https://git-lfs", "a Git LFS pointer", "run git lfs pull"),
    (b"PK\x05\x06", "an empty zip archive", "download it again"),
    (b"GGUF", "a GGUF file", "give it the ending .gguf"),
    (b"\x93NUMPY", "a numpy array", "convert it to safetensors"),
    (b"\x1f\x8b", "gzip data", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"\xfd7zXZ", "xz data", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstandard data", "unpack it first"),
    (b"\x89HDF", "an HDF5 file", "convert it to safetensors"),
    (b"\x7fELF", "a program", "do not run it"),
    (b"%PDF", "a PDF", "download the right file"),
)


_TORCH_MEMBERS = (b"/data.pkl", b"/byteorder", b"/version", b"/.format_version", b"/.storage_alignment")
_LOCAL_NAME = 30  # first byte of the first member's name in a zip archive


def _archive(head: bytes) -> tuple[str, str]:
    """A zip archive by the name of its first member."""
    member = head[_LOCAL_NAME : _LOCAL_NAME + int.from_bytes(head[26:28], "little")]
    if member.endswith(b".npy"):
        return "content is a zip archive of numpy arrays (npz)", "convert it to safetensors"
    if member.endswith(_TORCH_MEMBERS):
        return (
            "content is a zip archive of torch, a pickle with data",
            "give it the ending .bin, under which only torch's weights-only loader reads it",
        )
    return "content is a zip archive", "unpack it first, or convert it to safetensors"


def is_safetensors(head: bytes) -> bool:
    """Whether a file of another name begins as a safetensors file does."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000


def foreign_content(head: bytes) -> tuple[str, str] | None:
    """Name the content of a refused file.

    Args:
        head: the first bytes of the file, up to 512.

    Returns:
        What it is and what to do, or None when nothing is recognised.
    """
    if head.startswith(b"PK\x03\x04"):
        return _archive(head)
    for magic, kind, advice in _MAGIC:
        if head.startswith(magic):
            return f"content is {kind}", advice
    if len(head) > 2 and head[0] == 0x80 and head[1] in range(2, 6):
        return "content is a pickle", _PICKLES
    if head[257:262] == b"ustar":
        return "content is a tar archive", "unpack it first"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        return "content looks like HTML, not weights", "the download returned a web page; download the file again"
    if text.startswith((b'{"error', b'{"message')):
        return "content is an error message of a server", "download the file again"
    if text.startswith((b'{"', b"{\n", b"{\r", b"{}", b"[")) and b"\0" not in head:
        return "content is JSON text, not weights", "give the folder it belongs to"
    if head and not any(head):
        return "content is all zeros, a partial download", "download the file again"
    return None
