#!/usr/bin/env bash
# Apptainer from Debian (sid only), run on this host from a folder, for tests.
#
#   apptainer.sh start|stop|status|purge
#
# start unpacks the package with debroot.sh and makes the sandbox image $ENGINE_ROOT/apptainer/tiny (busybox) and, where a
# SIF can be built, tiny.sif of it. Clients: $ENGINE_ROOT/apptainer/bin/apptainer. There is no daemon.
# Root without all capabilities (no CAP_SYS_RESOURCE) needs a user namespace ("Requesting capability set ... while
# permitted capability set is ..."): the wrapper sets APPTAINER_USERNS=1.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SUITE=${APPTAINER_SUITE:-sid}
T=$ROOT/apptainer-$SUITE
S=$ROOT/apptainer
A=$S/bin/apptainer

runs() { [[ -x $A ]] && "$A" -q exec "$S/tiny" /bin/true; }

case "${1:-}" in
  start)
    as_root
    install_packages busybox-static
    install -d -m 755 "$ROOT" "$S" "$S/bin"
    DEBROOT_SKIP='perl.*|libperl.*|python3.*|.*-doc|debconf.*|systemd.*|udev.*|dbus.*|ca-certificates|openssl' \
      bash "$HERE/debroot.sh" "$SUITE" "$T" apptainer squashfuse fuse3
    # it looks for its configuration and session folders relative to where its two programs lie
    ln -sfn ../etc "$T/usr/etc"
    ln -sfn ../var "$T/usr/var"
    ln -sfn ../../etc "$T/usr/lib/etc"
    ln -sfn ../../var "$T/usr/lib/var"
    mkdir -p "$T/var/lib/apptainer/mnt/session"
    printf '#!/bin/sh\nexport APPTAINER_USERNS=1 PATH="$PATH:%s"\nexec %s "$@"\n' "$T/usr/bin:$T/usr/sbin" "$T/usr/bin/apptainer" >"$A"
    chmod 755 "$A"
    busybox_tree "$S/tiny"
    runs || die "a container does not run here"
    [[ -e $S/tiny.sif ]] || "$A" -q build "$S/tiny.sif" "$S/tiny" >/dev/null 2>&1 || echo "$SELF: a SIF could not be built, there is no tiny.sif" >&2
    echo "PATH=$S/bin:\$PATH image=$S/tiny"
    echo ready
    ;;
  stop) echo stopped ;;
  status)
    runs || {
      echo "not ready"
      exit 1
    }
    echo ready
    ;;
  purge)
    rm -rf -- "$S"
    echo purged
    ;;
  *)
    echo "usage: $SELF start|stop|status|purge" >&2
    exit 2
    ;;
esac
