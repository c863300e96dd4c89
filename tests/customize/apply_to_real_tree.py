"""Run by ``test_real_tree.py`` in a process of its own: customize, check with the tree's own programs, seal.

Usage: apply_to_real_tree.py TREE; prints one JSON object.
"""

import json
import sys
from pathlib import Path

from goldsmith.builder.customize.declared import declared_paths
from goldsmith.builder.customize.system.apply import apply_system
from goldsmith.builder.customize.system.first_boot import keep_unit_states
from goldsmith.builder.customize.table import apply_all
from goldsmith.builder.seal.run import prove, seal
from goldsmith.effects import namespace
from goldsmith.effects.root import Root
from goldsmith.effects.sandbox import Sandbox
from goldsmith.model.recipe import (
    Customizations,
    Directory,
    File,
    Firewall,
    Group,
    Locale,
    Services,
    Sshd,
    SshKey,
    Timezone,
    User,
)

ASKED = Customizations(
    hostname="web.example.org",
    timezone=Timezone("Europe/Berlin", ("127.0.0.1",)),
    locale=Locale(("de_DE.UTF-8",), "de"),
    user=(User("alice", password="secret", key="ssh-ed25519 AAAA a", groups=("sudo", "deploy"), sudo=True),),
    group=(Group("deploy", 1500),),
    sshkey=(SshKey("root", "ssh-ed25519 BBBB b"),),
    services=Services(("nginx",), ("apt-daily.timer",), ("man-db.timer",)),
    directories=(Directory("/srv/www/data", ensure_parents=True),),
    files=(File("/srv/www/index.html", data="hello\n", user="alice", group="deploy"),),
    firewall=Firewall(("22:tcp", "8000-9000:udp", "http")),
    sshd=Sshd(password_authentication=False, permit_root_login="prohibit-password"),
    sysctl={"net.ipv4.ip_forward": "1"},
)
CHECKS = {
    "id": ["id", "alice"],
    "accounts": ["sh", "-c", "grpck -r && ! pwck -r | grep alice"],
    "sudo": ["sh", "-c", "visudo -c && sudo -l -U alice"],
    "sshd": ["sh", "-c", "mkdir -p /run/sshd && ssh-keygen -A && sshd -t && sshd -T"],
    "locale": ["sh", "-c", "LC_ALL=de_DE.UTF-8 locale -k LC_TIME"],
    "date": ["sh", "-c", "unset TZ; date -d @0 +%Z"],
    "enabled": [
        "systemctl",
        "is-enabled",
        "nginx.service",
        "nftables.service",
        "apt-daily.timer",
        "man-db.timer",
    ],
    "presets": ["systemctl", "preset-all", "--preset-mode=enable-only"],
    "wizard": ["/usr/bin/systemd-firstboot"],
}


def links(root: Root) -> list[str]:
    return [path for path, _ in root.walk("/etc/systemd/system")]


def main() -> None:
    namespace.enter()
    tree = Path(sys.argv[1])
    sandbox = Sandbox(tree)
    with Root(tree) as root:
        warnings = apply_system(root, name="web", version="1.2.0", sources={}, run=sandbox.run)
        apply_all(ASKED, root, run=sandbox.run, directory=tree, seed="plan", epoch=1_700_000_000)
        keep_unit_states(root)
        before = links(root)
        checks = {name: sandbox.run(command, check=False) for name, command in CHECKS.items()}
        unchanged = links(root) == before
        declared = declared_paths(ASKED, root)
        sealed = seal(root, declared=declared)
        verified = sandbox.run(["dpkg", "-V"], check=False).text
        seal(root, declared=declared)
        print(  # noqa: T201 - the answer to the test
            json.dumps(
                {
                    "warnings": warnings,
                    "checks": {name: [done.code, done.text] for name, done in checks.items()},
                    "first boot enables nothing": unchanged,
                    "sealed": {entry.operation: list(entry.removed) for entry in sealed if entry.removed},
                    "residues": [residue.path for residue in prove(root, declared=declared)],
                    "verified": verified.splitlines(),
                }
            )
        )


if __name__ == "__main__":
    main()
