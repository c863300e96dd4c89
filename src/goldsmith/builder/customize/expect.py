"""What each customization must look like on a live machine: the recipe is its own oracle.

One function a row of the table, each beside what it checks: a name, a script that prints what is found, and what it
must print.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from goldsmith.builder.customize.services import unit_name
from goldsmith.model.proof import Expectation
from goldsmith.model.recipe import Customizations

YES = "yes"
HASHED = "$"


def holds(condition: str) -> str:
    """A script that prints ``yes`` where a condition holds."""
    return f"{condition} && echo {YES}"


def hostname(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """The kernel's host name."""
    yield Expectation(f"host name {asked.hostname}", "cat /proc/sys/kernel/hostname", asked.hostname)


def timezone(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """The local time's rules, and the servers that the clock is set by."""
    assert asked.timezone is not None
    zone = asked.timezone.timezone
    yield Expectation(
        f"time zone {zone}", holds(f"cmp -s /etc/localtime /usr/share/zoneinfo/{quote(zone)}"), YES
    )
    for server in asked.timezone.ntpservers:
        files = "/etc/systemd/timesyncd.conf /etc/systemd/timesyncd.conf.d /etc/chrony /etc/chrony.conf"
        yield Expectation(f"time server {server}", holds(f"grep -rqsF -- {quote(server)} {files}"), YES)


def locale(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """Each language is known to the C library, the first one is the default."""
    assert asked.locale is not None
    for language in asked.locale.languages:
        plain = language.lower().replace("-", "")
        yield Expectation(
            f"locale {language}", holds(f"locale -a | tr A-Z a-z | tr -d - | grep -qxF {quote(plain)}"), YES
        )
    first = asked.locale.languages[0]
    script = (
        "cat /etc/default/locale /etc/locale.conf 2>/dev/null | sed -n 's/^LANG=//p' | head -n 1 | tr -d '\"'"
    )
    yield Expectation(f"default locale {first}", script, first)


def keyboard(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """The layout in the settings of console-setup or systemd."""
    assert asked.locale is not None
    layout = asked.locale.keyboard
    files = "/etc/default/keyboard /etc/vconsole.conf"
    script = f"cat {files} 2>/dev/null | sed -n 's/^XKBLAYOUT=//p; s/^KEYMAP=//p' | head -n 1 | tr -d '\"'"
    yield Expectation(f"keyboard {layout}", script, layout)


def group(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """Each group by its name and number."""
    for item in asked.group:
        number = item.gid is not None
        script = f"getent group {quote(item.name)} | cut -d : -f {3 if number else 1}"
        yield Expectation(f"group {item.name}", script, str(item.gid) if number else item.name)


def user(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """Each account: its fields, groups, keys, password and rights."""
    for item in asked.user:
        name, who = quote(item.name), f"user {item.name}"
        entry = f"getent passwd {name} | cut -d : -f"
        yield Expectation(who, f"{entry} 1", item.name)
        fields = ((3, item.uid), (4, item.gid), (5, item.description), (6, item.home), (7, item.shell))
        for number, value in fields:
            if value not in {None, ""}:
                script = f"{entry} {number}" + (" | cut -d , -f 1" if number == 5 else "")  # noqa: PLR2004 - the GECOS field
                yield Expectation(f"{who}: field {number} is {value}", script, str(value))
        for other in item.groups:
            script = holds(f"id -nG {name} | tr ' ' '\\n' | grep -qxF {quote(other)}")
            yield Expectation(f"{who} is in {other}", script, YES)
        yield from _secrets(item.name, item.password, item.key)
        if item.sudo:
            script = holds(f"runuser -u {name} -- sudo -n true")
            yield Expectation(f"{who} may sudo", script, YES)
        if item.expiredate is not None:
            yield Expectation(f"{who} expires", f"getent shadow {name} | cut -d : -f 8", str(item.expiredate))


def _secrets(name: str, password: str, key: str) -> Iterator[Expectation]:
    shadow = f"getent shadow {quote(name)} | cut -d : -f 2"
    if password.startswith(HASHED):  # its digest only: reports are read by many
        wanted = hashlib.sha256(password.encode()).hexdigest()
        script = f"{shadow} | tr -d '\\n' | sha256sum | cut -d ' ' -f 1"
        yield Expectation(f"user {name} has the password", script, wanted)
    elif password:
        yield Expectation(f"user {name} has a password", holds(f"{shadow} | grep -q '^[$]'"), YES)
    if key:
        yield _key(name, key)


def _key(name: str, key: str) -> Expectation:
    home = f'"$(getent passwd {quote(name)} | cut -d : -f 6)"'
    script = holds(f"grep -qF -- {quote(' '.join(key.split()[:2]))} {home}/.ssh/authorized_keys")
    return Expectation(f"user {name} has the SSH key", script, YES)


def sshkey(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """Each key in its account."""
    for item in asked.sshkey:
        yield _key(item.user, item.key)


def directories(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """Each directory with its mode and owners."""
    for item in asked.directories:
        script, wanted = _facts(item.path, item.mode, item.user, item.group)
        yield Expectation(f"directory {item.path}", script, f"directory {wanted}")


def files(asked: Customizations, directory: Path) -> Iterator[Expectation]:
    """Each file with its mode, owners and bytes."""
    for item in asked.files:
        data = (item.data or "").encode() if item.source is None else (directory / item.source).read_bytes()
        script, wanted = _facts(item.path, item.mode, item.user, item.group)
        kind = "regular file" if data else "regular empty file"
        yield Expectation(f"file {item.path}", script, f"{kind} {wanted}")
        content = f"sha256sum <{quote(item.path)} | cut -d ' ' -f 1"
        yield Expectation(f"content of {item.path}", content, hashlib.sha256(data).hexdigest())


def _facts(path: str, mode: int, owner: str, owning: str) -> tuple[str, str]:
    user_letter = "%u" if owner.isdigit() else "%U"
    group_letter = "%g" if owning.isdigit() else "%G"
    script = f"stat -L -c '%F %a {user_letter} {group_letter}' {quote(path)}"
    return script, f"{mode:o} {owner} {owning}"


def sysctl(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """The kernel's own word for each parameter."""
    for key, value in asked.sysctl.items():
        path = quote("/proc/sys/" + (key if "/" in key else key.replace(".", "/")))
        wanted = " ".join(str(value).split())
        yield Expectation(f"sysctl {key}", f"tr -s '\\t ' ' ' <{path}", wanted)


def sshd(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """The server's effective settings."""
    assert asked.sshd is not None
    settings = {
        "passwordauthentication": asked.sshd.password_authentication,
        "kbdinteractiveauthentication": asked.sshd.kbd_interactive_authentication,
        "permitrootlogin": asked.sshd.permit_root_login,
        "clientaliveinterval": asked.sshd.client_alive_interval,
    }
    for name, value in settings.items():
        if value is not None:
            word = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
            script = f"mkdir -p /run/sshd; sshd -T | sed -n 's/^{name} //p' | sed 's/^without-password$/prohibit-password/'"
            yield Expectation(f"sshd {name} {word}", script, word)


def firewall(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """The kernel's rules: what is not let in is dropped, and each port is named."""
    assert asked.firewall is not None
    chain = "nft list chain inet filter input"
    yield Expectation("firewall drops by default", holds(f"{chain} | grep -q 'policy drop'"), YES)
    for text in asked.firewall.ports:
        port = text.partition(":")[0]
        if port[:1].isdigit():
            script = holds(f"{chain} | tr -c '0-9a-z-' '\\n' | grep -qxF {quote(port)}")
            yield Expectation(f"firewall lets {text} in", script, YES)


def cacerts(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """Each authority in the file that programs read."""
    assert asked.cacerts is not None
    for number, text in enumerate(asked.cacerts.pem_certs, start=1):
        body = "".join(line.strip() for line in text.splitlines() if "-----" not in line)
        script = holds(f"tr -d '\\n' </etc/ssl/certs/ca-certificates.crt | grep -qF {quote(body)}")
        yield Expectation(f"authority {number} is trusted", script, YES)


RUNS = """
unit={unit}
state=$(systemctl show -P ActiveState "$unit")
if [ "$state" = active ] || [ "$state" = reloading ]; then echo {yes}
elif [ "$state" = failed ]; then echo failed
elif [ "$(systemctl show -P Type "$unit")" = oneshot ] && [ "$(systemctl show -P Result "$unit")" = success ]; then echo {yes}
elif [ "$(systemctl show -P ConditionResult "$unit")" = no ] &&
  [ "$(systemctl show -P ConditionTimestampMonotonic "$unit")" != 0 ]; then echo {yes}
elif [ -n "$(systemctl show -P TriggeredBy "$unit")" ]; then echo {yes}
else echo "$state"; fi
"""
"""Prints yes for a unit that runs, or has a reason of its own not to."""


def services(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """Each unit's state on disk; those that are enabled also run."""
    if asked.services is None:
        return
    for word, names in (("disabled", asked.services.disabled), ("masked", asked.services.masked)):
        for name in names:
            unit = unit_name(name)
            yield Expectation(f"{unit} is {word}", f"systemctl is-enabled {quote(unit)}", word)
    for name in asked.services.enabled:
        unit = unit_name(name)
        linked = "enabled|enabled-runtime|alias|static|indirect|generated"
        script = f"case $(systemctl is-enabled {quote(unit)}) in {linked}) echo enabled ;; *) echo no ;; esac"
        yield Expectation(f"{unit} is enabled", script, "enabled")
        yield Expectation(f"{unit} runs", RUNS.format(unit=quote(unit), yes=YES), YES)


def kernel(asked: Customizations, _directory: Path) -> Iterator[Expectation]:
    """Each word on the running kernel's command line."""
    if asked.kernel is None:
        return
    for word in asked.kernel.append.split():
        script = holds(f"tr ' ' '\\n' </proc/cmdline | grep -qxF -- {quote(word)}")
        yield Expectation(f"kernel argument {word}", script, YES)
