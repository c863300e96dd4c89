"""Families of traces: what programs would compute again, and what was only put down for a moment."""

from goldsmith.builder.seal.operation import Operation, rows

CACHES = (
    *rows(
        ("ldconfig-cache", "ldconfig's notes on inodes and times.", ("/var/cache/ldconfig/*",)),
        ("man-cache", "The index of manual pages, with times in it.", ("/var/cache/man/index.db", "/var/cache/man/*/index.db", "/var/cache/man/CACHEDIR.TAG", "/var/cache/man/**/*.db")),
        ("font-cache", "fontconfig's caches, named by their build.", ("/var/cache/fontconfig/*", "/usr/local/share/fonts/.uuid", "/usr/share/fonts/**/.uuid")),
    ),
    Operation(
        "caches",
        "All other caches; directories stay, and what debconf and dictionaries need.",
        ("/var/cache/**",),
        spares=frozenset(
            {"/var/cache/debconf/config.dat", "/var/cache/debconf/templates.dat", "/var/cache/dictionaries-common"}
        ),
        files_only=True,
    ),
    *rows(
        ("temporary-files", "What was put down for a moment.", ("/tmp/*", "/var/tmp/*")),  # noqa: S108 - the tree's
        ("run-files", "State of a running system.", ("/run/*",)),
        ("lost-and-found", "What a file system check found.", ("/lost+found/*",)),
        ("swap-files", "Memory that was swapped out.", ("/swapfile", "/swap.img", "/swap/swapfile")),
        ("backlight", "Settings of hardware that another machine has.", ("/var/lib/systemd/backlight/*", "/var/lib/systemd/rfkill/*", "/var/lib/alsa/asound.state")),
        ("clock", "What a clock drifted, and when it was last right.", ("/var/lib/systemd/timesync/clock", "/var/lib/private/systemd/timesync/clock", "/var/lib/chrony/*", "/var/lib/ntp/ntp.drift", "/var/lib/ntpsec/ntp.drift", "/etc/adjtime")),
    ),
)  # fmt: skip
