"""How long sealing and searching for leaks take: goal and figure in one run.

    script/bench leaks [--work DIR] [--times N]

The image is the one of ``script/bench build`` on a disk of 1.5 GB. Sealing is timed as the whole last step of a tree, of which
it is the most. Wall time is what a person waits; CPU time tells more on a busy machine.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from build import GOLDSMITH, PACKAGES, write_recipe
from measure import Run, run, table

REF = "bench:1.0.0"
DISK = "disk: {size: 1500 MB}\n"
SEAL_GOAL, LEAKS_GOAL = 0.5, 5.0


def cpu() -> float:
    """CPU seconds of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def prepare(work: Path) -> tuple[float, dict[str, Path | str]]:
    """Build the image; the seconds of its last step, and what to search."""
    recipe = work / "recipe"
    recipe.mkdir(parents=True, exist_ok=True)
    write_recipe(recipe, packages=PACKAGES, motd="bench")
    text = (recipe / "recipe.yaml").read_text()
    (recipe / "recipe.yaml").write_text(text + DISK)
    environment = {"GOLDSMITH_HOME": str(work / "home")}
    run([GOLDSMITH, "build", str(recipe / "recipe.yaml"), "--json"], environment=environment)
    command = [GOLDSMITH, "build", str(recipe / "recipe.yaml"), "--no-cache", "--json"]
    steps = json.loads(run(command, environment=environment).output)["steps"]
    finish = next(step["seconds"] for step in steps if step["name"] == "finish")
    subjects: dict[str, Path | str] = {"the image in the store": REF}
    for name in ("raw", "qcow2", "oci-archive"):
        output = work / f"bench.{name}"
        run([GOLDSMITH, "export", REF, "--format", name, "--output", str(output)], environment=environment)
        subjects[f"its {name} file"] = output
    return finish, subjects


def search(ref: Path | str, home: Path) -> tuple[Run, float]:
    """One search, and its CPU seconds."""
    before = cpu()
    done = run([GOLDSMITH, "leaks", str(ref), "--json"], environment={"GOLDSMITH_HOME": str(home)})
    return done, cpu() - before


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, help="where to work; a directory that is kept")
    parser.add_argument("--times", type=int, default=3, help="runs of each search; medians are printed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-", dir="/var/tmp") as temporary:
        work = given.work or Path(temporary)
        seal, subjects = prepare(work)
        rows = [["what", "goal", "wall s", "CPU s", "MB looked at", "peak MB"]]
        rows.append(["the step that seals", f"{SEAL_GOAL:.1f}", f"{seal:.2f}", "", "", ""])
        search(REF, work / "home")  # compiles the detector's rules, once for a data directory
        for name, ref in subjects.items():
            runs = sorted(
                (search(ref, work / "home") for _ in range(given.times)), key=lambda x: x[0].seconds
            )
            done, seconds = runs[len(runs) // 2]
            looked = json.loads(done.output)["bytes"] / 1e6
            figures = [f"{done.seconds:.2f}", f"{seconds:.2f}", f"{looked:.0f}", f"{done.peak / 1e6:.0f}"]
            rows.append([name, f"{LEAKS_GOAL:.1f}", *figures])
        print(table(rows))
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
