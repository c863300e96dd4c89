"""The store: an OCI image layout directory, whose refs are named ``NAME:VERSION``.

::

    oci-layout            the specification's marker
    index.json            the refs
    blobs/sha256/HEX      objects: layers, indexes and maps, manifests
    known/HEX             what is known about layers, by the digest of their entries; only saves time
    damaged/HEX           objects that a repair has put aside, for a person to look at or remove
    .lock  .using         held by a writer of index.json; held by everyone who writes, and by gc alone

Other programs use it as it lies: ``skopeo inspect oci:DIR:NAME:VERSION``.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldsmith.effects.drafts import Door, Kernel, drafting, using
from goldsmith.effects.files import locked
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store.blobs import Blobs, wrong
from goldsmith.store.notes import BUILD, LISTED, LISTING, SUBJECT

MARKER = b'{"imageLayoutVersion":"1.0.0"}'
LOCK = ".lock"
"""Held by a writer of ``index.json``."""
DAMAGED = "damaged"
"""The directory in which objects are put aside that are not what their names say."""
OURS = frozenset({oci.REF_NAME, BUILD, LISTING, SUBJECT})
"""What ``index.json`` says by itself; an object that says so, which comes from elsewhere, is not listened to."""
LONGEST_NOTES = 8 << 10
"""Letters of an object's notes that ``index.json`` repeats all; of more, what a list shows."""
REFERENCE = re.compile(r"[a-z0-9][a-z0-9._-]*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

Entries = tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A store."""

    directory: Path
    """Where it lies."""
    door: Door = field(default_factory=Kernel)
    """What it is written through."""

    @property
    def blobs(self) -> Blobs:
        """Its objects."""
        return Blobs(self.directory / "blobs/sha256", self.door)

    @property
    def known(self) -> Path:
        """The directory of what is known about layers."""
        return self.directory / "known"

    def used(self, *, alone: bool = False, wait: bool = True) -> AbstractContextManager[None]:
        """Hold the store while objects are written that no ref names yet; ``alone`` to remove what no ref names.

        Raises:
            BlockingIOError: others hold it, and this is not to ``wait`` for them.
        """
        return using(self.directory / ".using", alone=alone, wait=wait)

    def refs(self, name: str = "") -> dict[str, Descriptor]:
        """All refs by name, in the order in which they were made; entries without a name are left out.

        Args:
            name: only those of this image, if it is given; the others are not even looked at.

        Raises:
            IntegrityError: ``index.json`` is damaged.
        """
        begin = f"{name}:" if name else ""
        found = ((item.note(oci.REF_NAME), item) for item in self.entries(begin))
        return {reference: item for reference, item in found if reference}

    def entries(self, begin: str = "") -> tuple[Descriptor, ...]:
        """All that ``index.json`` lists, with and without names; or only those whose name begins so."""
        path = self.directory / "index.json"
        try:
            value = json.loads(path.read_bytes())
            if begin:
                value = {"manifests": [item for item in value["manifests"] if begins(item, begin)]}
            return oci.children(value)
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise IntegrityError(
                f"{path} is damaged: {error}",
                hint="bring it back from a backup; the objects below blobs/ are not hurt",
            ) from error

    def resolve(self, reference: str) -> Descriptor:
        """The object that a ref names.

        Raises:
            UsageError: there is no such ref.
        """
        refs = self.refs()
        if reference not in refs:
            alike = [name for name in refs if name.startswith(f"{reference.partition(':')[0]}:")]
            listed = ", ".join(alike[-8:]) or "none of that name"
            raise UsageError(
                f"there is no image {reference!r} in {self.directory}", hint=f"there are: {listed}"
            )
        return refs[reference]

    def read(self, digest: str) -> Mapping[str, object]:
        """A manifest or an index, verified.

        Raises:
            IntegrityError: it is missing or damaged, or no JSON object.
        """
        try:
            value = json.loads(self.blobs.read(digest))
        except (ValueError, RecursionError) as error:
            raise wrong(digest, f"it is no JSON ({error})") from error
        if not isinstance(value, dict):
            raise wrong(digest, "it is no JSON object")
        return value

    def children(self, digest: str) -> tuple[Descriptor, ...]:
        """What a manifest or an index names.

        Raises:
            IntegrityError: it is missing or damaged.
        """
        try:
            return oci.children(self.read(digest))
        except ValueError as error:
            raise wrong(digest, str(error)) from error

    def tag(self, reference: str, target: Descriptor) -> None:
        """Let a name stand for an object; it is there after a crash once this returns.

        All that the object names must be stored already; their names are made durable first.

        Raises:
            UsageError: the name cannot be one.
        """

        def change(refs: dict[str, Descriptor]) -> None:
            refs[reference] = self.noted(target)

        self.change(change)

    def noted(self, target: Descriptor) -> Descriptor:
        """An object with its notes, so that a list of images need not read it, and it can be made again if it is lost."""
        notes: Mapping[str, object] = {}
        if target.media_type == oci.INDEX and self.blobs.has(target.digest):
            found = self.read(target.digest).get("annotations")
            notes = found if isinstance(found, dict) else {}
        listed = LISTED if len(str(notes)) > LONGEST_NOTES else [name for name in notes if name not in OURS]
        kept = tuple((name, str(notes[name])) for name in listed if name in notes)
        return replace(target, annotations=tuple(sorted(kept)))

    def untag(self, reference: str) -> None:
        """Forget a name; the objects stay until ``gc``.

        Raises:
            UsageError: there is no such ref.
        """
        self.resolve(reference)

        def change(refs: dict[str, Descriptor]) -> None:
            refs.pop(reference, None)

        self.change(change)

    def change(self, change: Callable[[dict[str, Descriptor]], None]) -> None:
        """Change the refs in one step, which is there after a crash once this returns, or not at all.

        All that the objects name must be stored already; their names are made durable first. Nothing is written if
        nothing changes.

        Args:
            change: gets the refs by name and alters them; the name itself need not be among their annotations.

        Raises:
            UsageError: a name cannot be one.
        """

        def renamed(listed: Entries) -> Entries:
            before = {item.note(oci.REF_NAME): item for item in listed if item.note(oci.REF_NAME)}
            refs = dict(before)
            change(refs)
            refs = {name: named(item, name) for name, item in refs.items()}
            if refs == before:
                return listed
            return (*(item for item in listed if not item.note(oci.REF_NAME)), *refs.values())

        self._become(renamed)

    def prune(self, needless: Callable[[Descriptor], bool]) -> None:
        """No longer list manifests without a name that say something about what nobody needs any more."""
        self._become(
            lambda listed: tuple(
                item
                for item in listed
                if item.note(oci.REF_NAME) or not (item.note(SUBJECT) and needless(item))
            )
        )

    def rewrite(self) -> None:
        """Write marker and ``index.json`` anew from what they say; mends what another program has changed."""
        with locked(self.directory / LOCK):
            self._write("oci-layout", MARKER)
            self._write("index.json", sealed(oci.index(self.entries())))
            self.door.sync(self.directory)

    def attach(self, item: Descriptor, subject: str) -> None:
        """List a manifest that says something about the object ``subject``; it has no name, and is listed once.

        It and all that it names must be stored already. It is there after a crash once this returns.
        """
        noted = replace(item, annotations=((SUBJECT, subject),))

        def attached(listed: Entries) -> Entries:
            there = any(other.digest == item.digest and not other.note(oci.REF_NAME) for other in listed)
            return listed if there else (noted, *listed)

        self._become(attached)

    def _become(self, change: Callable[[Entries], Entries]) -> None:
        """Let ``index.json`` list other things, in one step."""
        self.blobs.settle()
        with locked(self.directory / LOCK):
            before = self.entries()
            after = change(before)
            if after == before:
                return
            if not (self.directory / "oci-layout").exists():
                self._begin()
            self._write("index.json", sealed(oci.index(after)))
            self.door.sync(self.directory)

    def _begin(self) -> None:
        """Make an empty store; from then on a marker without an ``index.json`` means that it was lost."""
        for room in (self.directory / "blobs", self.directory.parent):
            self.door.sync(room)
        if not (self.directory / "index.json").exists():
            self._write("index.json", sealed(oci.index([])))
            self.door.sync(self.directory)
        self._write("oci-layout", MARKER)
        self.door.sync(self.directory)

    def _write(self, name: str, data: bytes) -> None:
        with drafting(self.directory, door=self.door) as draft:
            draft.write(data)
            draft.name = name


def sealed(listing: bytes) -> bytes:
    """The same JSON object with its own digest in it, by which damage is found that leaves it JSON."""
    digest = hashlib.sha256(listing).hexdigest()
    return b'{"annotations":{"%s":"sha256:%s"},' % (LISTING.encode(), digest.encode()) + listing[1:]


def is_sealed(data: bytes) -> bool:
    """Whether these are the bytes of an ``index.json`` as goldsmith has written it."""
    begin, _, rest = data.partition(b",")
    return data == sealed(b"{" + rest) and begin.startswith(b'{"annotations"')


def begins(item: Mapping[str, Mapping[str, str]], begin: str) -> bool:
    """Whether an entry of ``index.json``, not yet checked, has a name that begins so."""
    return item.get("annotations", {}).get(oci.REF_NAME, "").startswith(begin)


def named(item: Descriptor, reference: str) -> Descriptor:
    """An object under a name.

    Raises:
        UsageError: the name cannot be one.
    """
    if item.note(oci.REF_NAME) == reference:
        return item
    if not REFERENCE.fullmatch(reference):
        raise UsageError(
            f"{reference!r} cannot name an image",
            hint="write NAME:VERSION, with small letters, digits and . _ - in the name",
        )
    others = [note for note in item.annotations if note[0] != oci.REF_NAME]
    return replace(item, annotations=tuple(sorted([*others, (oci.REF_NAME, reference)])))
