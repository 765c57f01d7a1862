"""Where a model lies: on this machine as it is, or on the hub behind a mirror here.

Here live: `located`, which every opening of a model goes through, and the choice of the hub's own cache before ours.
Not here: requests, mirrored files. Only an address that somebody typed comes here: nothing in a file is ever one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from shadowgraph.artifact import read_object, write_bytes, write_json
from shadowgraph.errors import CheckpointError, DataError, EnvironmentFault
from shadowgraph.weights.folder import contained
from shadowgraph.weights.hub.address import COMMIT, Address, is_address, parse
from shadowgraph.weights.hub.client import Client
from shadowgraph.weights.hub.listing import INDEX, Listing, RemoteFile, is_weights, read_listing, write_listing
from shadowgraph.weights.hub.mirror import MirroredFile, locked
from shadowgraph.weights.hub.session import endpoint, is_offline, offline
from shadowgraph.weights.readers.span import MARK, read_all, supply

CACHE = "SHADOWGRAPH_CACHE"
_MODEL = re.compile(r"(?:.*/)?model(?:-[0-9]+-of-[0-9]+)?\.safetensors", re.ASCII)
_PEEK = 20_000
_SMALL = 10_000_000  # bytes of a configuration or an index that is fetched before anything is read
COMMITS: dict[tuple[str, str, str], str] = {}
"""Hub, repository and revision to commit: looked up once a process, so that one run reads one commit."""


@dataclass(frozen=True, slots=True)
class Located:
    """A model's place.

    Attributes:
        folder: the file or folder on this machine that readers read.
        path: what opens the same bytes again, also in another process: that path, or an address with the commit.
        notes: where it comes from; empty for what lies on this machine.
    """

    folder: Path
    path: Path
    notes: tuple[str, ...] = ()


def located(path: Path | str) -> Located:
    """Find a model; one on the hub gets a folder here that fills where it is read.

    Args:
        path: a path on this machine, or an address hf://organisation/name@revision/folder.

    Raises:
        SpecError: an address of another form.
        CheckpointError: no such repository, revision or file, or names in it that lead out of its folder.
        EnvironmentFault: no network, no access, no room, offline, or the extra is missing.
    """
    if not is_address(path):
        return Located(Path(path), Path(path))
    address = parse(path)
    client = Client(address.repository)
    place = (
        cache_folder() / "hub" / quote(endpoint().partition("://")[2], safe="") / address.repository.replace("/", "--")
    )
    off = is_offline()
    commit, listing = _commit(address, client, place, off)
    pinned = address.pinned(commit)
    said = f"read from the hub: {address.repository}, commit {commit}"
    notes = [said if address.is_pinned else f"{said}, which was {address.revision}"]
    snapshot = _hub_cache(address.repository) / "snapshots" / commit
    listing = listing or read_listing(place / commit / "listing.json")
    if listing is None and off:
        if not _has_weights(snapshot):
            raise offline(_ABSENT, str(pinned), address.repository)
        return Located(_within(snapshot, address), _path(pinned), (*notes, _FROM_CACHE))
    listing = listing or client.listing(commit)
    if listing.commit != commit:
        raise CheckpointError(f"the hub answers with the commit {listing.commit}", where=str(pinned), hint="run again")
    _require_inside(address, listing)
    if all(_is_whole(snapshot, file) for file in _needed(listing, address.inside)):
        return Located(_within(snapshot, address), _path(pinned), (*notes, _FROM_CACHE))
    folder = _mirrored(place / commit, listing, client)
    for file in _needed(listing, address.inside):
        # Now, because readers pass over a configuration that they cannot read.
        if not file.is_weights and file.size <= _SMALL:
            read_all(folder / file.name, _SMALL)
    return Located(_within(folder, address), _path(pinned), (*notes, *_doubts(listing)))


_ABSENT = "the model is not on this machine"
_FROM_CACHE = "the hub's own cache on this machine holds the commit: it is read from there"


def cache_folder() -> Path:
    """Where mirrors are kept: SHADOWGRAPH_CACHE, or the folder of this package in XDG_CACHE_HOME or ~/.cache.

    Raises:
        EnvironmentFault: there is no home folder to keep them in.
    """
    own, shared = os.environ.get(CACHE, ""), os.environ.get("XDG_CACHE_HOME", "")
    try:
        if own:
            return Path(own).expanduser().resolve()
        # The standard says that a relative XDG_CACHE_HOME counts as none.
        folder = Path(shared) if os.path.isabs(shared) else Path.home() / ".cache"
        return folder.resolve() / "shadowgraph"
    except (OSError, RuntimeError, ValueError) as error:
        raise EnvironmentFault("no folder for the cache can be found", hint=f"set {CACHE} to a folder") from error


def _commit(address: Address, client: Client, place: Path, off: bool) -> tuple[str, Listing | None]:
    """The commit of a revision, with its list where the hub had to be asked."""
    if address.is_pinned:
        return address.revision, None
    asked = (endpoint(), address.repository, address.revision)
    if asked in COMMITS:
        return COMMITS[asked], None
    known = place / "refs" / f"{_digest(address.revision)}.json"
    if off:
        commit = _known(known, address.revision) or _cached_reference(address)
        if commit is None:
            raise offline(_ABSENT, str(address), address.repository)
        return commit, None
    listing = client.listing(address.revision)
    with locked(known.with_suffix(".lock")):
        write_json(known, {"revision": address.revision, "commit": listing.commit})
    COMMITS[asked] = listing.commit
    return listing.commit, listing


def _known(path: Path, revision: str) -> str | None:
    """The commit that a revision was when the hub was last asked."""
    try:
        stored = read_object(path)
    except (DataError, OSError):
        return None
    commit = stored.get("commit")
    sound = isinstance(commit, str) and COMMIT.fullmatch(commit) and stored.get("revision") == revision
    return commit if sound else None


def _cached_reference(address: Address) -> str | None:
    """The commit that a revision was when the hub's own library last asked."""
    try:
        text = (_hub_cache(address.repository) / "refs" / address.revision).read_bytes()[:100]
    except OSError:
        return None
    commit = text.decode("utf-8", "replace").strip()
    return commit if COMMIT.fullmatch(commit) else None


def _hub_cache(repository: str) -> Path:
    """The folder of a repository in the cache of the hub's own library."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"


def _require_inside(address: Address, listing: Listing) -> None:
    """Refuse an address of a file or folder that the commit does not have."""
    inside = address.inside
    if not any(file.is_weights for file in listing.files):
        raise CheckpointError(
            f"no file of weights that can be read among its {listing.others + len(listing.files)}", where=str(address)
        )
    if inside and not any(file.name == inside or file.name.startswith(f"{inside}/") for file in listing.files):
        raise CheckpointError(
            "no file of weights of that name, and no folder that holds one",
            where=str(address),
            hint="check the address",
        )


def _needed(listing: Listing, inside: str) -> Iterator[RemoteFile]:
    """Files that must be here for a model to be whole: what would be read of it, not every copy in other formats."""
    single = next((file for file in listing.files if file.name == inside), None)
    folder = inside.rpartition("/")[0] if single else inside
    start = f"{folder}/" if folder else ""
    level = [file for file in listing.files if file.name.startswith(start) and "/" not in file.name[len(start) :]]
    weights = [file for file in level if file.is_weights] if single is None else [single]
    usual = [file for file in weights if _MODEL.fullmatch(file.name)]
    others = [file for file in weights if file.name.lower().endswith(".safetensors")] or weights
    yield from usual or others or listing.files
    for file in level:
        is_index = file.name.endswith(INDEX)
        if not file.is_weights and (not is_index or not usual or file.name.endswith(f"model.safetensors{INDEX}")):
            yield file


def _is_whole(folder: Path, file: RemoteFile) -> bool:
    """Whether a file lies there in its full size."""
    try:
        return contained(folder, file.name).stat().st_size == file.size
    except (CheckpointError, EnvironmentFault, OSError):  # what cannot be looked at is read from the hub
        return False


def _has_weights(snapshot: Path) -> bool:
    """Whether any file of weights lies in a folder of the hub's own cache."""
    try:
        return any(
            is_weights(name.name) and name.exists() for name, _ in zip(snapshot.rglob("*"), range(_PEEK), strict=False)
        )
    except OSError:
        return False


def _mirrored(root: Path, listing: Listing, client: Client) -> Path:
    """The folder of a commit: every file in full size, none fetched, and none made before all names are checked."""
    folder = root / "files"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
    except OSError as error:
        raise EnvironmentFault(
            f"the cache cannot be made ({error.strerror})", where=str(folder), hint=f"set {CACHE} to another folder"
        ) from error
    paths = [contained(folder, file.name, folder) for file in listing.files]
    with locked(root / ".lock"):
        for file, path in zip(listing.files, paths, strict=True):
            where = f"hf://{listing.repository}@{listing.commit}/{file.name}"
            record = root / "records" / f"{_digest(file.name)}.json"
            mirrored = MirroredFile(file, path, record, _Fetch(client, listing.commit), where)
            mirrored.make()
            if not (mark := path.parent / MARK).exists():
                write_bytes(mark, f"{where}\n".encode("utf-8", "replace"))
            supply(path, mirrored)
        if read_listing(root / "listing.json") != listing:
            write_listing(root / "listing.json", listing)
    return folder


@dataclass(frozen=True, slots=True)
class _Fetch:
    """Brings bytes of a file of one commit."""

    client: Client
    commit: str

    def __call__(self, file: RemoteFile, first: int, last: int, take: Callable[[bytes], None]) -> None:
        self.client.fetch(self.commit, file, first, last, take)


def _within(folder: Path, address: Address) -> Path:
    """The part of a folder that an address names."""
    return contained(folder, address.inside) if address.inside else folder


def _path(address: Address) -> Path:
    """An address as a path; of its two slashes one is left, which `parse` knows."""
    return Path(str(address))


def _doubts(listing: Listing) -> Iterator[str]:
    """What is not checked of files that come in parts."""
    yield "weight files are fetched in parts; one is checked against the hub's digest once all of it is here"
    bare = sum(1 for file in listing.files if not file.tag)
    if bare:
        yield f"the hub gives no digest of {bare} of {len(listing.files)} files: they are not checked"


def _digest(text: str) -> str:
    """A file name for any text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
