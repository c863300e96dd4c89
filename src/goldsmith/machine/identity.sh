# Runs inside the guest: what makes this machine itself, one "NAME VALUE" a line. Files that are not there say nothing.
say() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
first() { [ -r "$1" ] && head -n 1 "$1"; }
hash() { [ -s "$1" ] && sha256sum <"$1" | cut -d ' ' -f 1; }
say machine-id "$(first /etc/machine-id)"
[ -L /var/lib/dbus/machine-id ] || say dbus-id "$(first /var/lib/dbus/machine-id)"
say boot-id "$(first /proc/sys/kernel/random/boot_id)"
say hostname "$(first /proc/sys/kernel/hostname)"
say random-seed "$(hash /var/lib/systemd/random-seed)"
say credential-secret "$(hash /var/lib/systemd/credential.secret)"
for key in /etc/ssh/ssh_host_*_key.pub; do
  [ -r "$key" ] || continue
  kind=${key#/etc/ssh/ssh_host_} && kind=${kind%_key.pub}
  say "host-key-$kind" "$(cut -d ' ' -f 2 "$key")"
  command -v ssh-keygen >/dev/null && say "fingerprint-$kind" "$(ssh-keygen -l -f "$key" | cut -d ' ' -f 2)"
done
for lease in /run/systemd/netif/leases/*; do
  [ -r "$lease" ] && say dhcp-duid "$(sed -n 's/^CLIENTID=//p' "$lease")" && break
done
say dhcp-duid-dhclient "$(sed -n 's/^default-duid //p' /var/lib/dhcp/*.leases 2>/dev/null | head -n 1)"
say dhcp-duid-dhcpcd "$(first /var/lib/dhcpcd/duid)"
say network-manager-key "$(hash /var/lib/NetworkManager/secret_key)"
say instance-id "$(first /var/lib/cloud/data/instance-id)"
say iscsi-initiator "$(sed -n 's/^InitiatorName=//p' /etc/iscsi/initiatorname.iscsi 2>/dev/null | head -n 1)"
say nvme-hostnqn "$(first /etc/nvme/hostnqn)"
say nvme-hostid "$(first /etc/nvme/hostid)"
exit 0
