#!/usr/bin/env bash
# Rootful podman from Debian packages with an image made here, for tests: no registry is needed.
#
#   podman.sh start|stop|status|purge
#
# start installs podman and runc, writes a configuration of its own and imports the image tiny:1 (busybox; the libraries
# of the host are not in it). Clients: $ENGINE_ROOT/podman/bin/podman, a wrapper with that configuration.
# There is no daemon: stop ends the containers that still run.
#
# Why the settings (all needed on a bare machine without systemd, with cgroups v1 or hybrid, without CAP_SYS_RESOURCE):
#   runtime runc          crun refuses hybrid cgroups ("drop all controllers from cgroupv2")
#   default_ulimits       podman asks for nofile=1048576, which needs CAP_SYS_RESOURCE ("setrlimit RLIMIT_NOFILE")
#   cgroup_manager        cgroupfs, as there is no systemd
#   netns none            no bridge, no firewall rules, no DNS
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
S=$ROOT/podman
P=$S/bin/podman

write_config() {
  install -d -m 755 "$S" "$S/bin" "$S/run"
  local files
  files=$(ulimit -Hn)
  [[ $files != unlimited && $files -le 1024 ]] || files=1024
  cat >"$S/containers.conf" <<C
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=1024:1024"]
netns = "none"
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
C
  cat >"$S/storage.conf" <<C
[storage]
driver = "${PODMAN_STORAGE:-overlay}"
graphroot = "$S/storage"
runroot = "$S/run/storage"
C
  if [[ ! -e /etc/containers/policy.json ]]; then
    mkdir -p /etc/containers
    echo '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json
  fi
  printf '#!/bin/sh\nexport CONTAINERS_CONF=%s CONTAINERS_STORAGE_CONF=%s\nexec /usr/bin/podman "$@"\n' "$S/containers.conf" "$S/storage.conf" >"$P"
  chmod 755 "$P"
}

make_image() {
  "$P" image exists tiny:1 && return 0
  busybox_tree "$S/tiny"
  tar -C "$S/tiny" -cf "$S/tiny.tar" .
  "$P" import -q "$S/tiny.tar" tiny:1 >/dev/null
}

runs() { [[ -x $P ]] && "$P" image exists tiny:1 && "$P" run --rm tiny:1 /bin/true; }
end_containers() { [[ ! -x $P ]] || "$P" rm -f -a -t 2 >/dev/null 2>&1 || true; }

case "${1:-}" in
  start)
    as_root
    install_packages podman runc busybox-static
    write_config
    make_image
    runs || die "a container does not run here"
    echo "PATH=$S/bin:\$PATH image=tiny:1 tar=$S/tiny.tar"
    echo ready
    ;;
  stop)
    end_containers
    echo stopped
    ;;
  status)
    runs || {
      echo "not ready"
      exit 1
    }
    echo ready
    ;;
  purge)
    end_containers
    [[ ! -x $P ]] || "$P" rmi -f -a >/dev/null 2>&1 || true
    ! grep -q " $S/storage/overlay " /proc/mounts || umount "$S/storage/overlay"
    rm -rf -- "$S"
    echo purged
    ;;
  *)
    echo "usage: $SELF start|stop|status|purge" >&2
    exit 2
    ;;
esac
