"""Families of traces: what was written down while building."""

import stat

from goldsmith.builder.match import Sight
from goldsmith.builder.seal.operation import Operation, empty, has_content, rows
from goldsmith.effects.root import Root

ROTATED = (".gz", ".xz", ".zst", ".bz2", ".old", ".1", "-old")


def _is_log(tree: Sight, path: str) -> bool:
    """Empty files that a service could not make itself stay; ``README`` of /var/log is systemd's link."""
    facts = tree.lstat(path)
    return facts.st_size > 0 or facts.st_uid == 0 or path.endswith(ROTATED)


def _forget(tree: Root, path: str) -> None:
    facts = tree.lstat(path)
    if facts.st_uid == 0 or not stat.S_ISREG(facts.st_mode) or path.endswith(ROTATED):
        tree.remove(path)
    else:
        empty(tree, path)


LOGS = (
    Operation(
        "login-records",
        "Who logged in, and when; the files stay, empty, with the modes that login needs.",
        ("/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog", "/var/log/faillog", "/var/log/tallylog", "/var/run/utmp"),
        is_trace=has_content,
        remove=empty,
    ),
    Operation(
        "journal",
        "Journals, which lie in directories named by the machine's identity.",
        ("/var/log/journal/*", "/var/lib/systemd/journal-*/*"),
    ),
    *rows(
        ("login-databases", "Login records in the newer databases.", ("/var/lib/lastlog/*", "/var/lib/wtmpdb/*", "/var/lib/pam/faillock/*", "/var/lib/faillock/*")),
        ("installer-logs", "What an installer wrote down.", ("/var/log/installer/**", "/var/lib/initramfs-tools/*.log", "/root/preseed.cfg", "/root/ks-post.log")),
        ("core-dumps", "Memory of programs that crashed.", ("/var/crash/*", "/var/lib/systemd/coredump/*", "/var/lib/systemd/pstore/*", "/core", "/var/core/*", "/var/lib/apport/coredump/*", "/var/spool/abrt/*")),
        ("accounting", "What was run, by process accounting and sysstat.", ("/var/account/pacct*", "/var/log/account/pacct*", "/var/log/sa/sa*", "/var/log/sysstat/sa*")),
        ("mail-spool", "Mail of the build machine.", ("/var/mail/*", "/var/spool/mail/*", "/var/spool/mqueue/*", "/var/spool/clientmqueue/*", "/var/spool/exim4/input/*", "/var/spool/exim4/msglog/*", "/var/lib/postfix/master.lock", "/var/spool/postfix/pid/*")),
        ("print-spool", "Print jobs.", ("/var/spool/cups/c*", "/var/spool/cups/d*", "/var/spool/cups/tmp/*")),
        ("cron-spool", "Jobs that were queued, and when jobs last ran.", ("/var/spool/cron/atjobs/*", "/var/spool/cron/atspool/*", "/var/spool/at/*", "/var/spool/anacron/*", "/var/lib/systemd/timers/stamp-*")),
    ),
    Operation(
        "logs",
        "All other logs; directories stay, and so do, empty, files of owners other than root.",
        ("/var/log/**", "/root/anaconda-ks.cfg", "/root/install.log*", "/var/lib/logrotate.status", "/var/lib/logrotate/status"),
        spares=frozenset(
            {"/var/log/README", *(f"/var/log/{name}" for name in ("wtmp", "btmp", "lastlog", "faillog", "tallylog"))}
        ),
        files_only=True,
        is_trace=_is_log,
        remove=_forget,
    ),
)  # fmt: skip
