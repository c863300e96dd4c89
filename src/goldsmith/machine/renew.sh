# Runs inside a clone at its first start: what makes the machine itself is forgotten, and made anew by the start that
# follows. An empty machine-id, not "uninitialized": this is no first boot, and presets must not be applied again.
set -e
until systemctl --quiet is-active local-fs.target; do sleep 0.5; done
: >/etc/machine-id
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
rm -f /var/lib/systemd/network/* /var/lib/dhcp/*.lease* /var/lib/dhcpcd/* /var/lib/NetworkManager/secret_key \
  /var/lib/NetworkManager/*.lease /boot/efi/loader/random-seed /efi/loader/random-seed 2>/dev/null || true
if ls /etc/ssh/ssh_host_*_key >/dev/null 2>&1; then
  rm -f /etc/ssh/ssh_host_*
  ssh-keygen -A >/dev/null
fi
if [ -f /etc/iscsi/initiatorname.iscsi ] && command -v iscsi-iname >/dev/null; then
  echo "InitiatorName=$(iscsi-iname)" >/etc/iscsi/initiatorname.iscsi
fi
rm -f /etc/nvme/hostnqn /etc/nvme/hostid
rm -rf /var/log/journal/*
sync
