"""The page on sealing, ``docs/seal.md``, made from the table; ``python -m goldsmith.builder.seal.reference`` prints it."""

import sys

from goldsmith.builder.seal.table import OPERATIONS

HEAD = """# Sealing, and searching for leaks

<!-- Made from the table of operations by `python -m goldsmith.builder.seal.reference`; a test compares it. -->

An identity that lies in an image lies in every machine made from it: the same machine-id asks for the same address,
the same host keys let every clone pose as every other. goldsmith seals each tree as the last step of a build, looks again whether
anything is left, and keeps what it did as a certificate. `goldsmith leaks` looks at any finished image, whoever made it.

## Sealing

- Every build is sealed; nothing has to be asked for. An operation is a row of the table below: patterns of paths, and
  how a trace is told from what may stay. Most traces are deleted; files that a service could not make itself are emptied.
- What the recipe declares stays: its files, directories, host name, authorized keys and sudo rules. Where it meets an
  operation, the certificate lists the path as `declared`. What a *component* puts into such a place is a trace.
- A recipe switches operations off by name; each is an exception in the certificate, with the paths that stay:

  ```yaml
  seal: {keep: [ssh-host-keys]}
  ```

- Then all operations look again, without removing; if one finds anything, the build ends with an error.
- The disk is made from the sealed tree, and is written once: nothing that was removed has ever been on it. Free blocks
  are holes, the journal is empty, and what lies behind a file's end is zeros.

## The certificate

`goldsmith seal show REF` prints what was removed, declared, left and kept; `--json` prints the document itself. It is
kept beside the image as an OCI referrer (`application/vnd.goldsmith.seal.v1+json`), goes with it to registries and
other stores, and goes when the image is deleted. One that came with an image from elsewhere is shown as what whoever sent
it says; `goldsmith leaks` believes only those of builds in this store.

| key | what it says |
|---|---|
| `goldsmith` | `seal certificate 1` |
| `image` | name, version, `tree_digest` and `disk_digest` |
| `operations` | every operation with `summary`, `found`, `removed`, `declared`, `left` (what the second look found) and `kept` |
| `exceptions` | operations that were switched off, with `reason` (`recipe`, `default`) and `paths` |
| `absent` | whether the second look found nothing |
| `declared` | every path that the recipe declares |

## Searching for leaks

`goldsmith leaks REF` takes an image of the store, or the path of a disk (raw, qcow2, vmdk, vhd, vhdx, vdi), of the tar of a
root, of an OCI archive, or of a directory with a root in it. It mounts and boots nothing, needs no root, and sends nothing anywhere. It reads ext2, ext3, ext4 and
vfat by itself, and then every other byte of the disk: journal, free blocks, what lies behind files' ends, other partitions, gaps.
Of an OCI archive it searches also the files that later layers replace or remove, and configurations: variables, labels, commands.

A finding has a `kind`, a `family`, `where` it is, a `path` or, outside files, an `offset` in bytes, and an excerpt that
is masked. Exit code 1 if there is any.

| family | kinds |
|---|---|
| `trace` | the names of the operations below, where what is there says something: an empty log or host name `localhost` does not |
| `secret` | private keys, tokens and cloud credentials, by the rules of [Kingfisher](adr/0020-secret-detector.md); `netrc`, `registry-auth`, `wireguard-key`, `password-hash` by our own |
| `remains` | `deleted-data`: free blocks, or ends of files, that are not empty; `old-journal`: a journal that was used. One finding for each partition |

| where | what that is |
|---|---|
| `file` | a file of a file system |
| `free-block` | blocks that belong to no file, or what lies behind a file's end |
| `journal` | a file system's journal |
| `partition` | all else: tables of partitions and file systems, swap, what cannot be read as a file system, gaps; an OCI archive's configuration |

No finding is:

- **a file as its package ships it**, such as the example keys in cloud-init's documentation. Packages that goldsmith has
  fetched itself are compared by SHA-256, by what their signed index said. Of others the image's own list of MD5
  sums is believed, and the report says so. Python's byte code counts as its source.
- **what the recipe declares**, in images that goldsmith has built: declared files, operations in `seal.keep`, and secrets
  in what these keep. The report lists all of them as notes.

Archives and compressed files inside the image (an initramfs, `.gz` logs) are not looked into. Nor are encrypted partitions, earlier
states that a qcow2 file keeps (`qemu-img snapshot`), and files of other file systems by name: of xfs, btrfs or LVM only the bytes as they
lie are searched, so what is compressed or in pieces is missed. Where an image has one of these, the report says `"complete": false`, and the exit code is 1.

To mend a finding: a `trace` in an image of your own comes from a component that ran before sealing and a `seal.keep`, or
from another tool's image: build it with goldsmith, or remove the path there. A `secret` comes from a file or a component;
use `secrets` of the recipe, which are never kept. `remains` go away when the image is built anew, not by deleting more.

## The operations

In the order in which they are done; a trace counts for the first that matches it. `~/` stands for every home, `*` and
`?` match within a name, `**` across any number of names.

| name | what it removes | where |
|---|---|---|
"""


def reference() -> str:
    """The whole page, in Markdown."""
    rows = []
    for operation in OPERATIONS:
        off = "" if operation.default else " **Off** unless asked for."
        spared = f" but not {_code(sorted(operation.spares))}" if operation.spares else ""
        rows.append(
            f"| `{operation.name}` | {operation.summary}{off} | {_code(operation.matches)}{spared} |\n"
        )
    return HEAD + "".join(rows)


def _code(patterns: tuple[str, ...] | list[str]) -> str:
    return " ".join(f"`{pattern}`" for pattern in patterns)


if __name__ == "__main__":
    sys.stdout.write(reference())
