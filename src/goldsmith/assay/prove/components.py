"""Components' ``validate`` and ``test`` phases, run inside the first clone.

What they change stays in the clone, as on the test instance of AWS's pipeline, and is thrown away with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assay.prove.files import GuestFiles
from goldsmith.assay.prove.judge import failed, passed, skipped
from goldsmith.builder.components.host import Ran, Wanted
from goldsmith.builder.components.result import DocumentResult
from goldsmith.builder.components.run import run_document
from goldsmith.builder.inputs import Inputs
from goldsmith.effects.web import download
from goldsmith.errors import Unavailable
from goldsmith.machine.channel import TIMED_OUT, Guest, quoted
from goldsmith.model.component import Document, Phase
from goldsmith.model.proof import Assertion, Group
from goldsmith.recipe.component_references import phases_named, texts_of

PHASES = ("validate", "test")
REFUSED = {
    "Reboot": "the proof restarts the machine itself, once",
    "UpdateOS": "the machine would no longer be the image that is proved",
}
"""Actions that a test does not do, and why."""
SECRETS = "/run/secrets"
"""Where a component finds the build's secrets."""
STEP_SECONDS = 600.0
PATHS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
WRONG = frozenset({"Failed", "TimedOut"})


@dataclass(frozen=True, slots=True)
class GuestHost:
    """Steps of a component act inside a guest, as root."""

    guest: Guest
    """The way in."""
    root: GuestFiles
    """Its files."""
    network: bool = False
    """Whether what is downloaded needs no checksum."""
    cwd: str = "/"
    """Where commands start."""

    @property
    def search_path(self) -> tuple[str, ...]:
        """The directories of the guest's programs."""
        return PATHS

    def run(self, argv: Sequence[str], *, script: str | None = None, timeout: float | None = None) -> Ran:
        """Run a program inside; as ``Host.run``."""
        limit = timeout or STEP_SECONDS
        self.root.forget()
        if script is None:
            done = self.guest.run(f"exec {quoted(*argv)} </dev/null", timeout=limit)
        else:
            keep = 'file=$(mktemp) && cat >"$file" && trap \'rm -f "$file"\' EXIT\n'
            body = script.encode(errors="surrogateescape")
            done = self.guest.run(f'{keep}{quoted(*argv)} "$file" </dev/null', stdin=body, timeout=limit)
        return Ran(done.code, done.stdout, done.stderr, done.code == TIMED_OUT)

    def download(self, wanted: Wanted, descriptor: int, *, timeout: float | None = None) -> None:
        """Download by this host's network, so that the image needs no program for it.

        Raises:
            Unavailable: no checksum says what it must be, and the recipe does not allow the network.
        """
        if not wanted.checksum and not self.network:
            raise Unavailable(
                f"{wanted.url!r} has no checksum, and this component has no network",
                hint="add 'checksum:' and 'algorithm:', or set 'network: true' in the recipe",
            )
        download(wanted.url, descriptor, timeout=timeout, verify=wanted.verify)

    def update_packages(
        self,
        include: Sequence[str],  # noqa: ARG002 - as Host has it
        exclude: Sequence[str],  # noqa: ARG002
        *,
        timeout: float | None = None,  # noqa: ARG002
    ) -> Ran:
        """Not done: see ``REFUSED``."""
        raise Unavailable(f"packages are not updated: {REFUSED['UpdateOS']}", hint="do it in the build phase")

    def reboot(self, delay: int) -> str:
        """Not done: see ``REFUSED``."""
        return f"reboot after {delay} s: {REFUSED['Reboot']}"


def component_tests(guest: Guest, inputs: Inputs, room: Path) -> Iterator[Assertion]:
    """The phases of components that say whether the machine is as it should be.

    Args:
        guest: the way in.
        inputs: the recipe with its component documents.
        room: gets the logs.
    """
    nothing = room / "no-files"
    nothing.mkdir(parents=True, exist_ok=True)
    for number, use in enumerate(inputs.recipe.components):
        document = inputs.documents[use.path]
        left_out = dict(not_run(document))
        phases = [phase.name for phase in document.phases if phase.name in PHASES]
        runs = [name for name in phases if name not in left_out]
        with GuestFiles(guest, nothing) as root:
            result = run_document(
                document,
                GuestHost(guest, root, use.network),
                log_directory=room / f"component-{number}",
                phases=runs,
                parameters=use.parameters,
            )
        for name in phases:
            if name in left_out:
                yield skipped(Group.TESTS, f"component {use.path}: {name}", left_out[name])
            else:
                yield judged(f"component {use.path}: {name}", name, result)


def not_run(document: Document) -> Iterator[tuple[str, str]]:
    """The phases of a document that cannot be run on a machine, each with the reason.

    What a step of the build printed is not kept with an image, so what refers to it can be told in the build only.
    """
    known: set[str] = set()
    for phase in document.phases:
        if phase.name not in PHASES:
            continue
        refused = next((name for name in REFUSED if name in actions(phase)), None)
        unknown = sorted(phases_named(phase) - known - {phase.name})
        if refused:
            yield phase.name, f"{refused} is not done in a test: {REFUSED[refused]}"
        elif any(SECRETS in text for text in texts_of(phase)):
            yield phase.name, f"it reads {SECRETS}, and no machine is given a secret of the build"
        elif unknown:
            yield phase.name, f"it refers to steps of {unknown[0]!r}, whose values only the build knows"
        else:
            known.add(phase.name)


def judged(name: str, phase: str, result: DocumentResult) -> Assertion:
    """What became of one phase."""
    steps = next((found.steps for found in result.phases if found.name == phase), None)
    if steps is None:
        return skipped(Group.TESTS, name, "the phase before it failed")
    wrong = [step for step in steps if step.status in WRONG]
    if not wrong:
        return passed(Group.TESTS, name)
    lines = [line for step in wrong for line in f"{step.name}: {step.failure}".splitlines()]
    return failed(Group.TESTS, name, f"the step {wrong[0].name!r} {wrong[0].status.lower()}", *lines)


def actions(phase: Phase) -> set[str]:
    """The actions of a phase."""
    return {step.action for step in phase.steps}
