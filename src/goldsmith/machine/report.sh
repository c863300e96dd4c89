# Runs inside the guest, as root, from the first seconds of userland; `nonce`, `patience` and `slow` are set above this line.
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
[ ! -e /run/systemd/first-boot ] || say first-boot

# Jobs that run and have no limit of their own: what they wait for may never come. Those in `slow` may take their time.
endless() {
  systemctl list-jobs --plain --no-legend --full --no-pager | while read -r _ unit kind progress _; do
    case " $slow " in *" $unit "* | *" ${unit%.service} "*) continue ;; esac
    [ "$kind $progress" = "start running" ] && [ "$(systemctl show -P TimeoutStartUSec "$unit")" = infinity ] && echo "$unit"
  done
}

spent() {
  read -r _ user nice system _ iowait irq softirq _ </proc/stat
  echo $((user + nice + system + iowait + irq + softirq))
}

# A boot is hung when three times in a row it has hardly used the processor for 15 s while a job without a limit ran.
window=15
began=0
used=0
idle=0
is_hung() {
  [ $((up - began)) -ge "$window" ] || return 1
  # /proc/stat counts hundredths of seconds: a tenth of the time is still rest.
  rest=$(($(spent) - used - (up - began) * 10))
  if [ "$rest" -lt 0 ] && [ -n "$(endless)" ]; then idle=$((idle + 1)); else idle=0; fi
  read -r up _ </proc/uptime
  up=${up%%.*}
  used=$(spent)
  began=$up
  [ "$idle" -ge 3 ]
}

# --wait returns when the job queue is empty, or at once while the manager cannot be asked yet: hence the loop.
while :; do
  read -r up _ </proc/uptime
  up=${up%%.*}
  left=$((patience - up))
  [ "$left" -gt 0 ] || break
  is_hung && break
  [ "$left" -le "$window" ] || left=$window
  state=$(timeout "$left" systemctl is-system-running --wait 2>/dev/null)
  case "$state" in
    running | degraded | maintenance | stopping) break ;;
  esac
  sleep 1
done

# Units that failed, and those that failed and are started again and again: these are "activating", and say nothing bad.
units() {
  systemctl list-units --state="$1" --plain --no-legend --full --no-pager
}
broken() {
  units failed
  units activating | while read -r unit rest; do
    restarts=$(systemctl show -P NRestarts "$unit")
    [ "${restarts:-0}" -eq 0 ] || echo "$unit $rest"
  done
}
tries=10
while [ "$state" = running ] && [ "$tries" -gt 0 ] && [ -n "$(units activating)" ]; do
  tries=$((tries - 1))
  sleep 1
  state=$(systemctl is-system-running)
done
say "state ${state:-$(systemctl is-system-running)}"

broken | while read -r unit _; do
  say "failed $unit $(systemctl show --property=Result --value "$unit")"
  journalctl --boot --unit="$unit" --lines=12 --output=cat --quiet --no-pager | say_lines "log $unit"
done
# A mount that fails for want of its device is not itself "failed": only the manager's own complaints name it.
journalctl --boot --priority=warning --lines=12 --output=cat --quiet --no-pager _PID=1 | say_lines complaint
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
