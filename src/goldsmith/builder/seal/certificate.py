"""The seal certificate: what sealing did to an image's tree, and the proof of absence, as one JSON document."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from goldsmith.builder.seal.run import Residue
from goldsmith.builder.seal.table import OPERATIONS
from goldsmith.errors import IntegrityError
from goldsmith.model.canonical import plain
from goldsmith.model.seal import CERTIFICATE, Operated, SealCertificate, SealException

SUMMARIES = {operation.name: operation.summary for operation in OPERATIONS}


def certify(
    operated: Iterable[Operated],
    residues: Iterable[Residue] = (),
    *,
    keep: frozenset[str] = frozenset(),
    declared: Iterable[str] = (),
    image: Mapping[str, str] | None = None,
) -> SealCertificate:
    """The certificate of a sealed tree.

    Args:
        operated: what sealing did.
        residues: what a second look found.
        keep: the operations that the recipe switches off.
        declared: the paths that it declares.
        image: the image's ``name``, ``version``, ``tree_digest`` and ``disk_digest``, once they are known.
    """
    left: dict[str, list[str]] = {}
    for residue in residues:
        left.setdefault(residue.operation, []).append(residue.path)
    rows = tuple(replace(row, left=tuple(left.get(row.operation, ()))) for row in operated)
    exceptions = tuple(
        SealException(row.operation, "recipe" if row.operation in keep else "default", row.found)
        for row in rows
        if row.kept
    )
    return SealCertificate(dict(image or {}), rows, exceptions, not left, tuple(sorted(declared)))


def to_json(certificate: SealCertificate) -> dict[str, object]:
    """The document; each operation has its ``summary`` beside what it did."""
    document = plain(certificate)
    assert isinstance(document, dict)
    rows = [{**row, "summary": SUMMARIES.get(row["operation"], "")} for row in document["operations"]]
    return {"goldsmith": CERTIFICATE, **document, "operations": rows}


def from_json(document: object) -> SealCertificate:
    """A certificate from its document.

    Raises:
        IntegrityError: it is none.
    """
    try:
        assert isinstance(document, Mapping)
        assert document["goldsmith"] == CERTIFICATE, f"it begins with {document['goldsmith']!r:.40}"
        operations = tuple(
            Operated(
                row["operation"],
                found=tuple(row["found"]),
                removed=tuple(row["removed"]),
                declared=tuple(row["declared"]),
                left=tuple(row["left"]),
                kept=row["kept"],
            )
            for row in document["operations"]
        )
        exceptions = tuple(
            SealException(row["operation"], row["reason"], tuple(row["paths"]))
            for row in document["exceptions"]
        )
        image, declared = dict(document["image"]), tuple(document["declared"])
        return SealCertificate(image, operations, exceptions, document["absent"], declared)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"the seal certificate is damaged: {type(error).__name__}: {error}",
            hint="build the image again: goldsmith build RECIPE --no-cache",
        ) from error
