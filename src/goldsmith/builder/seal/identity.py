"""Families of traces: what makes a machine this machine."""

from goldsmith.builder.match import Sight
from goldsmith.builder.seal.operation import Operation, has_content, rows

ANYBODY = frozenset({b"", b"localhost", b"localhost.localdomain"})
"""Host names that are nobody's."""


def _names_a_host(tree: Sight, path: str) -> bool:
    return has_content(tree, path) and tree.read(path).strip() not in ANYBODY


_ROWS = rows(
    ("machine-info", "The pretty host name, location and chassis.", ("/etc/machine-info",)),
    (
        "ssh-host-keys",
        "Keys by which clients know this host; with them in an image, every clone can pose as every other.",
        ("/etc/ssh/ssh_host_*", "/etc/ssh/*_host_*", "/etc/dropbear/dropbear_*_host_key", "/etc/dropbear-initramfs/*_host_key"),
    ),
    (
        "random-seed",
        "Seeds of the kernel's random numbers, also the boot loader's.",
        (
            "/var/lib/systemd/random-seed",
            "/var/lib/urandom/random-seed",
            "/var/lib/random-seed",
            "/boot/loader/random-seed",
            "/boot/efi/loader/random-seed",
            "/efi/loader/random-seed",
        ),
    ),
    ("credential-secret", "The key that systemd encrypts credentials with.", ("/var/lib/systemd/credential.secret",)),
    ("iscsi-initiator", "The name by which iSCSI storage knows this host.", ("/etc/iscsi/initiatorname.iscsi",)),
    ("nvme-host", "The ids by which NVMe storage knows this host.", ("/etc/nvme/hostnqn", "/etc/nvme/hostid")),
    ("multipath", "Bindings to the storage of another host.", ("/etc/multipath/bindings", "/etc/multipath/wwids")),
    (
        "lvm-devices",
        "The list of LVM's devices, by serial numbers of another host.",
        ("/etc/lvm/devices/**", "/etc/lvm/archive/*", "/etc/lvm/backup/*", "/etc/lvm/cache/.cache"),
    ),
    (
        "blkid-tab",
        "Caches of block devices.",
        (
            "/etc/blkid.tab*",
            "/etc/blkid/blkid.tab*",
            "/var/run/blkid.tab*",
            "/var/lib/blkid/blkid.tab*",
        ),
    ),
    (
        "udev-rules",
        "Names bound to network cards and drives of another host.",
        ("/etc/udev/rules.d/70-persistent-*.rules", "/etc/udev/rules.d/75-*-generator.rules"),
    ),
    ("snakeoil", "The self-signed key that ssl-cert makes at installation.",
        ("/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/ssl/certs/ssl-cert-snakeoil.pem")),
    ("kerberos-keytab", "The host's key in a Kerberos realm.", ("/etc/krb5.keytab",)),
    (
        "domain-membership",
        "Membership in a directory or domain.",
        (
            "/var/lib/sss/db/*",
            "/var/lib/sss/mc/*",
            "/var/lib/sss/secrets/*",
            "/var/lib/samba/**/*.tdb",
            "/var/lib/samba/private/*",
            "/etc/ipa/default.conf",
            "/var/lib/ipa-client/**",
        ),
    ),
    ("fwupd", "Device ids and reports.", ("/var/lib/fwupd/pending.db", "/var/lib/fwupd/gnupg/**", "/var/lib/fwupd/pki/**")),
    ("vm-tools", "Ids of a hypervisor's guest tools.", ("/etc/vmware-tools/vgauth/*", "/var/lib/vmware/**")),
)  # fmt: skip

IDENTITY = (
    *rows(("dbus-machine-id", "The older copy of the machine's identity.", ("/var/lib/dbus/machine-id",))),
    Operation(
        "hostname", "A host name that the recipe does not ask for.", ("/etc/hostname",), is_leak=_names_a_host
    ),
    *_ROWS,
    Operation(
        "mail-name",
        "The domain of the machine's mail; off, because postfix does not start without it.",
        ("/etc/mailname",),
        default=False,
    ),
)
