"""Families of traces: what a network told the machine."""

from goldsmith.builder.seal.operation import rows

NETWORK = rows(
    (
        "dhcp-client",
        "Leases and client ids; with them, two clones ask for the same address.",
        (
            "/var/lib/dhcp/*",
            "/var/lib/dhclient/*",
            "/var/lib/dhcpcd/*",
            "/var/lib/dhcpcd5/*",
            "/etc/dhcpcd.duid",
            "/var/db/dhcpcd*",
            "/var/lib/wicked/*",
        ),
    ),
    ("dhcp-server", "Leases that were handed out.", ("/var/lib/dhcpd/*", "/var/lib/kea/*", "/var/lib/misc/dnsmasq.leases")),
    ("networkd", "Leases and state of systemd-networkd.", ("/var/lib/systemd/network/*", "/var/lib/systemd/netif/**")),
    (
        "network-manager",
        "Leases, keys and seen networks of NetworkManager.",
        (
            "/var/lib/NetworkManager/*.lease",
            "/var/lib/NetworkManager/secret_key",
            "/var/lib/NetworkManager/seen-bssids",
            "/var/lib/NetworkManager/timestamps",
            "/var/lib/NetworkManager/*.state",
        ),
    ),
    (
        "cloud-network",
        "Network settings that cloud-init wrote on its first boot.",
        (
            "/etc/netplan/50-cloud-init.yaml",
            "/etc/network/interfaces.d/50-cloud-init*",
            "/etc/systemd/network/10-cloud-init-*.network",
            "/etc/NetworkManager/system-connections/cloud-init-*.nmconnection",
            "/etc/NetworkManager/conf.d/30-cloud-init-*.conf",
        ),
    ),
    ("bluetooth", "Adapters and paired devices.", ("/var/lib/bluetooth/*",)),
    (
        "vpn-state",
        "The machine's identity in a private network.",
        ("/var/lib/tailscale/*", "/var/lib/zerotier-one/identity.*", "/var/lib/zerotier-one/authtoken.secret"),
    ),
)  # fmt: skip
