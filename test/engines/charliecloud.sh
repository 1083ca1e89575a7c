#!/usr/bin/env bash
# Charliecloud (unprivileged containers, an image is a folder) from Debian packages, for tests.
#
#   charliecloud.sh start|stop|status|purge
#
# start installs it and makes the image $ENGINE_ROOT/charliecloud/tiny (busybox). There is no daemon.
# ch-run needs $USER, which a bare machine often lacks: the wrapper $ENGINE_ROOT/charliecloud/bin/ch-run sets it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
S=$ROOT/charliecloud
R=$S/bin/ch-run

runs() { [[ -x $R ]] && "$R" "$S/tiny" -- /bin/true; }

case "${1:-}" in
  start)
    as_root
    install_packages charliecloud-runtime busybox-static
    install -d -m 755 "$S" "$S/bin"
    printf '#!/bin/sh\nexport USER="${USER:-$(id -un)}"\nexec /usr/bin/ch-run "$@"\n' >"$R"
    chmod 755 "$R"
    busybox_tree "$S/tiny"
    runs || die "a container does not run here"
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
