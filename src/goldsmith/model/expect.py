"""What a recipe expects of the machine that is booted from its image."""

from dataclasses import dataclass, field
from typing import Annotated

from goldsmith.errors import Place
from goldsmith.model.customizations import ABSOLUTE, ABSOLUTE_WANTS, UNIT, UNIT_WANTS
from goldsmith.model.said import Says


@dataclass(frozen=True, slots=True)
class Expect:
    """What a booted machine may show and take; `goldsmith test` fails an image that does more."""

    ports: Annotated[
        tuple[str, ...] | None,
        Says(
            "All that may be listened on beyond loopback, `[]` for nothing; not checked if it is left out.",
            pattern=r"[0-9]{1,5}:(tcp|udp)",
            wants="PORT:tcp or PORT:udp",
            example="[22:tcp, 80:tcp]",
        ),
    ] = None
    setuid: Annotated[
        tuple[str, ...] | None,
        Says(
            "All files that may be setuid or setgid, `[]` for none; not checked if it is left out.",
            pattern=ABSOLUTE,
            wants=ABSOLUTE_WANTS,
            example="[/usr/bin/sudo]",
        ),
    ] = None
    slow: Annotated[
        tuple[str, ...],
        Says(
            "Units that may rest when they start; others without a time limit are taken for hung.",
            pattern=UNIT,
            wants=UNIT_WANTS,
            example="[snapd.seeded]",
        ),
    ] = ()
    boot: Annotated[
        int | None, Says("The longest boot in seconds, by systemd's own clock.", minimum=1, maximum=86_400)
    ] = None
    memory: Annotated[
        int | None,
        Says(
            "The most memory in use once it is up.",
            scalar="budget",
            minimum=1 << 20,
            maximum=1 << 46,
            example="300 MiB",
        ),
    ] = None
    disk: Annotated[
        int | None,
        Says(
            "The most that its root may hold once it is up.",
            scalar="budget",
            minimum=1 << 20,
            maximum=1 << 46,
            example="2 GiB",
        ),
    ] = None
    where: Place | None = field(default=None, compare=False)
