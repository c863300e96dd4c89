"""``goldsmith build RECIPE``."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import click

from goldsmith.builder.outputs import Wanted, check_directory, check_formats, write_outputs
from goldsmith.builder.planned import stored
from goldsmith.builder.prepare import decide
from goldsmith.builder.remember import remember
from goldsmith.builder.request import Request
from goldsmith.builder.workshop import Aftermath
from goldsmith.cli.progress import Lines, Live, progress_on_stderr
from goldsmith.cli.settings import read_settings
from goldsmith.effects import clock, namespace
from goldsmith.effects.process import interact
from goldsmith.model.format import OUTPUTS
from goldsmith.store.home import find_home
from goldsmith.store.images import layout_of


@click.command(short_help="Build a golden image from a recipe.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), help="Also write the image's formats to this directory."
)
@click.option(
    "--format",
    "formats",
    default="",
    metavar="LIST",
    help=f"Formats for --output: {', '.join(OUTPUTS)} (default: the recipe's outputs).",
)
@click.option(
    "--mirror", default="", metavar="URI", help="The package mirror; two with a space: main and security."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a variable of the recipe.")
@click.option(
    "--update-lock", is_flag=True, help="Renew a stale lock, keeping the versions that need not change."
)
@click.option("--offline", is_flag=True, help="Use only what is in the cache.")
@click.option("--no-cache", is_flag=True, help="Run every step again; verified downloads are kept.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="How much is done at once.",
)
@click.option("--keep-on-failure", is_flag=True, help="Keep what a failing step has done to the tree.")
@click.option("--shell-on-failure", is_flag=True, help="Open a shell in the tree of a failing step.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    recipe: Path,
    output: Path | None,
    formats: str,
    mirror: str,
    settings: tuple[str, ...],
    update_lock: bool,
    offline: bool,
    no_cache: bool,
    jobs: int,
    keep_on_failure: bool,
    shell_on_failure: bool,
    as_json: bool,
) -> None:
    """Build the image that RECIPE describes: from its lock, which is made if there is none."""
    start = clock.monotonic()
    wanted = list(dict.fromkeys(formats.replace(",", " ").split()))
    check_formats(wanted)
    if output is not None:
        check_directory(output)
    home = find_home()
    request = Request(recipe, read_settings(settings), mirror, offline, update_lock, jobs)
    namespace.enter()  # before the live display starts its thread
    with progress_on_stderr() as progress:
        planned = decide(request, home=home, report=progress.say)
        chosen = wanted or list(planned.inputs.recipe.outputs)
        image = None if no_cache else stored(home, planned)
        steps: list[dict[str, object]]
        if image is None:
            # Here and not at the top: a build that changes nothing does without.
            from goldsmith.builder.build import run_build  # noqa: PLC0415
            from goldsmith.builder.supplies import supplies_of  # noqa: PLC0415

            supplies = supplies_of(request, planned.inputs, planned.lock, home=home, listener=progress)
            opener = shell_opener(progress) if shell_on_failure else None
            aftermath = Aftermath(keep=keep_on_failure, open_shell=opener, tell=progress.say)
            built = run_build(
                planned,
                supplies,
                home=home,
                jobs=jobs,
                fresh=no_cache,
                listener=progress,
                wanted=Wanted(output, tuple(chosen)),
                aftermath=aftermath,
            )
            image, artifacts = built.image, built.artifacts
            steps = [
                {"name": s.name, "key": s.key, "cached": s.cached, "seconds": round(s.seconds, 3)}
                for s in built.steps
            ]
        else:
            steps = [
                {"name": name, "key": key, "cached": True, "seconds": 0.0}
                for name, key in planned.all_keys.items()
            ]
            artifacts = write_outputs(home, image, output, chosen, jobs=jobs) if output else ()
        remember(home, recipe, planned)
        warnings = image.facts.get("warnings", [])
        assert isinstance(warnings, list)
        for warning in warnings:
            progress.warn(warning)
    seconds = clock.monotonic() - start
    facts = {
        **{name: image.facts.get(name) for name in FACTS},
        "artifacts": [
            {"format": a.format, "path": str(a.path), "size": a.size, "sha256": a.sha256} for a in artifacts
        ],
        "steps": steps,
        "seconds": round(seconds, 3),
        "warnings": list(warnings),
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    what = "built" if any(not step["cached"] for step in steps) else "unchanged"
    print(f"{image.reference} {what} in {seconds:.1f} s")
    print(f"  digest {image.facts['digest']}")
    for artifact in artifacts:
        print(f"  {artifact.format:<6} {artifact.path} ({artifact.size / 1e6:.0f} MB)")
    if not artifacts:
        print(f"  stored as {image.own} in {layout_of(home).directory}")


def shell_opener(progress: Lines | Live) -> Callable[[Sequence[str]], None]:
    """What opens a shell in a failing step's tree, and leaves the terminal and its Ctrl-C to it until it ends."""
    lent = threading.Event()

    def unless_lent(number: int, frame: FrameType | None) -> None:
        if not lent.is_set():
            signal.default_int_handler(number, frame)

    def open_shell(argv: Sequence[str]) -> None:
        with progress.paused():
            print("goldsmith: a shell in the failing step's tree; leave it with exit", file=sys.stderr)
            lent.set()
            try:
                interact(argv)
            finally:
                lent.clear()

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, unless_lent)
    return open_shell


FACTS = (
    "name",
    "version",
    "build",
    "architecture",
    "digest",
    "tree_digest",
    "disk_digest",
    "disk_sha256",
    "recipe_digest",
    "lock_digest",
    "reproducible",
)
"""What ``--json`` prints of the stored image, in this order."""
