# Runs inside the guest, as root, and does what the host asks over a virtio port; `nonce` is set above this line.
# A request is a line, "NONCE ID SIZE INPUT SECONDS", then a script of SIZE bytes, then its input of INPUT bytes.
# The answer is a line, "NONCE ID CODE OUT ERR", then what the script printed. Needs a shell and coreutils only.
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
export LC_ALL PATH HOME
umask 022
cd /
spool=${spool:-/run/goldsmith-agent}
mkdir -p -m 700 "$spool"
modprobe -q virtio_console 2>/dev/null

port=${port:-}
while [ -z "$port" ]; do
  for name in /sys/class/virtio-ports/*/name; do
    [ -r "$name" ] && [ "$(cat "$name")" = goldsmith.agent ] && port=${name%/name} && port=/dev/${port##*/}
  done
  [ -c "$port" ] || { port= && sleep 0.5; }
done
exec 3<>"$port"

while :; do
  # Reading ends at once while nobody is connected on the host.
  IFS=' ' read -r word id size input seconds <&3 || { sleep 1; continue; }
  [ "$word" = "$nonce" ] || continue
  head -c "$size" <&3 >"$spool/script"
  [ "$(stat -c %s "$spool/script")" = "$size" ] || continue
  head -c "$input" <&3 | {
    timeout -k 5 "$seconds" /bin/sh "$spool/script" >"$spool/out" 2>"$spool/err" 3<&-
    echo $? >"$spool/code"
    cat >/dev/null
  }
  printf '\n%s %s %s %s %s\n' "$nonce" "$id" "$(cat "$spool/code")" \
    "$(stat -c %s "$spool/out")" "$(stat -c %s "$spool/err")" >&3
  cat "$spool/out" "$spool/err" >&3
  rm -f "$spool/script" "$spool/out" "$spool/err"
done
