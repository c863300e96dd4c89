"""``goldsmith store``: where the store is, whether it is whole, what it takes, and what it can do without."""

import json
import sys
from collections.abc import Iterable

import click

from goldsmith.builder.mend import Mended, mend
from goldsmith.cli.units import bytes_of
from goldsmith.errors import IntegrityError
from goldsmith.store.check import HARMLESS, Problem, check
from goldsmith.store.gc import collect
from goldsmith.store.home import find_home
from goldsmith.store.images import layout_of
from goldsmith.store.usage import usage

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(short_help="Look after the store: path, check, gc, usage.")
def command() -> None:
    """Look after the store of images, an OCI image layout below the data directory."""


@command.command("path")
@AS_JSON
def path(*, as_json: bool) -> None:
    """Print where the store is; skopeo and podman use it as it lies, as oci:PATH:NAME:VERSION."""
    directory = str(layout_of(find_home()).directory)
    print(json.dumps({"path": directory}, indent=2) if as_json else directory)


@command.command("check")
@click.option("--read", is_flag=True, help="Read every object and compare it with its digest.")
@click.option("--repair", is_flag=True, help="Make damaged and missing objects again from what is there.")
@AS_JSON
def check_command(*, read: bool, repair: bool, as_json: bool) -> None:
    """Say what is missing, cut short, changed or stray, and which images it hurts; exit code 4 if any is hurt.

    Without --read sizes are compared and manifests read. --repair reads everything; what it can make again, from
    kept disks and from other layers, gets the place of what is damaged; no good object is touched.
    """
    home = find_home()
    problems = check(layout_of(home), read=read or repair)
    mended = mend(home, problems) if repair else Mended()
    left = [problem for problem in problems if problem.name not in mended.done]
    hurt = [problem for problem in left if problem.kind not in HARMLESS]
    if as_json:
        facts = {
            "ok": not hurt,
            "problems": [as_object(problem) for problem in left],
            "mended": [as_object(problem) for problem in problems if problem.name in mended.done],
            "put_aside": list(mended.aside),
            "not_mended": dict(mended.reasons),
        }
        print(json.dumps(facts, indent=2))
    else:
        print("\n".join(in_words(problems, mended)) or "the store is whole")
    if hurt:
        if not as_json:
            images = sorted({name for problem in hurt for name in problem.images})
            print(
                f"goldsmith: {len(hurt)} objects are hurt, and with them {', '.join(images)}", file=sys.stderr
            )
            print("  hint: build or pull these images again", file=sys.stderr)
        sys.exit(IntegrityError.exit_code)


def as_object(problem: Problem) -> dict[str, object]:
    """A problem for machines."""
    return {
        "kind": problem.kind.value,
        "object": problem.name,
        "images": list(problem.images),
        "reason": problem.reason,
    }


def in_words(problems: Iterable[Problem], mended: Mended) -> list[str]:
    """Problems for people, the ones that hurt first."""
    lines = []
    for problem in sorted(problems, key=lambda problem: problem.kind in HARMLESS):
        done = " (mended)" if problem.name in mended.done else ""
        lines.append(f"{problem.kind.value:<9} {problem.name}: {problem.reason}{done}")
        if problem.name in mended.reasons:
            lines.append(f"          not mended: {mended.reasons[problem.name]}")
        lines += [f"          hurts {name}" for name in problem.images if not done]
    return lines


@command.command("gc")
@click.option("--dry-run", is_flag=True, help="Only tell.")
@AS_JSON
def gc(*, dry_run: bool, as_json: bool) -> None:
    """Remove objects that no image needs, and what interrupted writes left; waits for those who write."""
    found = collect(layout_of(find_home()), pretend=dry_run)
    if as_json:
        facts = {
            "removed": not dry_run,
            "objects": list(found.objects),
            "drafts": [draft.name for draft in found.drafts],
            "size": found.size,
        }
        print(json.dumps(facts, indent=2))
        return
    what = "would be removed" if dry_run else "removed"
    count = len(found.objects) + len(found.drafts)
    print(f"{count} objects, {bytes_of(found.size)}, {what}")


@command.command("usage")
@AS_JSON
def usage_command(*, as_json: bool) -> None:
    """Tell what each image takes: in all, shared with others, and what would be free without it."""
    found = usage(layout_of(find_home()))
    if as_json:
        images = [
            {"ref": use.image.own, "total": use.total, "shared": use.shared, "unique": use.unique}
            for use in found.images
        ]
        facts = {"images": images, "used": found.used, "unused": found.unused, "alone": found.alone}
        print(json.dumps(facts, indent=2))
        return
    width = max([5, *(len(use.image.own) for use in found.images)])
    print(f"{'IMAGE':<{width}}  {'ALL':>9}  {'SHARED':>9}  {'UNIQUE':>9}")
    for use in found.images:
        sizes = "  ".join(f"{bytes_of(size):>9}" for size in (use.total, use.shared, use.unique))
        print(f"{use.image.own:<{width}}  {sizes}")
    print(f"{bytes_of(found.used)} in use, {bytes_of(found.unused)} for gc to remove")
    if found.images:
        print(f"{bytes_of(found.alone)} if the images shared nothing")
