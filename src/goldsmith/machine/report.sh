# Runs inside the guest, as root, from the first seconds of userland; `nonce` and `patience` are set above this line.
# Every line it writes to the second serial port starts with the nonce, which no image can know beforehand.
# It must not depend on anything but systemd and coreutils, and must survive emergency mode.
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
port=/dev/ttyS1
[ -c "$port" ] || exit 0
exec 3>"$port"

say() {
  printf '%s %s\n' "$nonce" "$*" >&3
}

say_lines() {
  while IFS= read -r line; do
    say "$1 $line"
  done
}

say "kernel $(uname -r)"

# --wait returns when the job queue is empty, or at once while the manager cannot be asked yet: hence the loop.
while :; do
  read -r up _ </proc/uptime
  left=$((patience - ${up%%.*}))
  [ "$left" -gt 0 ] || break
  state=$(timeout "$left" systemctl is-system-running --wait 2>/dev/null)
  case "$state" in
    running | degraded | maintenance | stopping) break ;;
  esac
  sleep 1
done
say "state ${state:-$(systemctl is-system-running)}"

systemctl list-units --state=failed --plain --no-legend --full --no-pager | while read -r unit _; do
  say "failed $unit $(systemctl show --property=Result --value "$unit")"
  journalctl --boot --unit="$unit" --lines=12 --output=cat --quiet --no-pager | say_lines "log $unit"
done
# A mount that fails for want of its device is not itself "failed": only the manager's own complaints name it.
journalctl --boot --priority=err --lines=12 --output=cat --quiet --no-pager _PID=1 | say_lines complaint
case "$state" in
  starting | initializing | '')
    systemctl list-jobs --plain --no-legend --full --no-pager | while read -r _ unit kind progress _; do
      say "job $unit $kind $progress"
    done
    ;;
  running | degraded) systemd-analyze time | say_lines time ;;
esac
df -B1 --output=size,used / | tail -n 1 | say_lines root
[ -r /etc/machine-id ] && say_lines machine-id </etc/machine-id
command -v cloud-init >/dev/null 2>&1 && cloud-init status --long 2>/dev/null | say_lines cloud-init
say end
