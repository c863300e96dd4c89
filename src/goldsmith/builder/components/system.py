"""Reboot and UpdateOS."""

from goldsmith.builder.components.execute import told
from goldsmith.builder.components.given import word, words
from goldsmith.builder.components.host import Host, Outcome
from goldsmith.model.component import Inputs


def reboot(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
    """Recorded; the next step follows."""
    del seconds
    return Outcome(recorded=(host.reboot(int(word(inputs, "delaySeconds"))),))


def update_os(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
    """What an update means is the host's to say."""
    told_of = told(host.update_packages(words(inputs, "include"), words(inputs, "exclude"), timeout=seconds))
    return Outcome(
        printed=told_of.printed,
        failure=told_of.failure,
        timed_out=told_of.timed_out,
        recorded=told_of.recorded,
    )
