#!/bin/sh
# systemctl in a tree that is not running: units are enabled and masked as usual, what needs a running system
# is recorded and reported as done. The real systemctl and the record are where goldsmith's sandbox shows them;
# the two variables are for tests.
real=${GOLDSMITH_SYSTEMCTL:-/run/goldsmith/systemctl}
record=${GOLDSMITH_RECORDED:-/run/goldsmith/recorded}

note() {
    printf 'systemctl %s\n' "$*" >>"$record" 2>/dev/null
    return 0
}

# These names are links to systemctl.
case ${0##*/} in
reboot | poweroff | halt | shutdown | telinit)
    printf '%s\n' "${0##*/}${*:+ $*}" >>"$record" 2>/dev/null
    exit 0
    ;;
esac

# The verb is the first word that is neither an option nor the value of one.
verb=
units=
now=
skip=
quiet=
direct=
for word do
    shift
    if [ -n "$skip" ]; then
        skip=
        set -- "$@" "$word"
        continue
    fi
    case $word in
    --now)
        now=yes
        continue
        ;;
    --root=* | --image=* | --host=* | --machine=* | -H* | -M*) direct=yes ;;
    -t | -p | -P | -s | -n | -o | --type | --property | --state | --signal | --lines | --output | --job-mode | \
        --kill-whom | --preset-mode | --root | --image | --what | --message) skip=yes ;;
    -q | --quiet) quiet=yes ;;
    -*) ;;
    *)
        if [ -z "$verb" ]; then
            verb=$word
        else
            units="$units $word"
        fi
        ;;
    esac
    set -- "$@" "$word"
done

if [ -n "$direct" ]; then
    exec "$real" "$@"
fi

SYSTEMD_OFFLINE=1
export SYSTEMD_OFFLINE

case $verb in
enable | reenable)
    "$real" "$@" || exit
    [ -z "$now" ] || note start "${units# }"
    ;;
disable | mask)
    "$real" "$@" || exit
    [ -z "$now" ] || note stop "${units# }"
    ;;
start | stop | restart | reload | try-restart | condrestart | reload-or-restart | try-reload-or-restart | force-reload | \
    daemon-reload | daemon-reexec | reset-failed | isolate | kill | clean | freeze | thaw | set-property | \
    set-environment | unset-environment | import-environment | rescue | emergency | default | \
    reboot | poweroff | halt | kexec | soft-reboot | suspend | hibernate)
    note "$verb$units"
    ;;
is-active)
    [ -n "$quiet" ] || for unit in $units; do echo inactive; done
    exit 3
    ;;
is-failed)
    [ -n "$quiet" ] || for unit in $units; do echo inactive; done
    exit 1
    ;;
is-system-running)
    echo offline
    exit 1
    ;;
status)
    echo "systemctl: the system is not running, so there is no status of$units" >&2
    exit 3
    ;;
*)
    exec "$real" "$@"
    ;;
esac
