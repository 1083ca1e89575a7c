# What the engine scripts share: where state lives, processes by pid file, packages, waiting. Sourced; not run by itself.
#
#   ENGINE_ROOT   /var/lib/engines   everything lies below it: unpacked packages, configuration, state, logs
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
# a caller may leave PATH without sbin
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ROOT=${ENGINE_ROOT:-/var/lib/engines}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SELF=${0##*/}

die() {
  echo "$SELF: $*" >&2
  exit 1
}

as_root() { [[ $(id -u) == 0 ]] || die "must be root"; }

# alive PIDFILE NAME: the process in the file runs and is that program. A bare pid is never trusted: pids are reused,
# and a zombie (PID 1 of a container may reap late) still exists but has no executable any more.
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [[ $pid =~ ^[0-9]+$ && $(cat "/proc/$pid/comm" 2>/dev/null) == "$2"* && -n $(readlink "/proc/$pid/exe" 2>/dev/null) ]]
}
gone() { ! alive "$@"; }

# wait_for SECONDS COMMAND...: asks ten times a second until it succeeds or the time is over.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  while ! "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# kill_pidfile PIDFILE NAME [SIGNAL]: ends that program, after 15 s with SIGKILL.
kill_pidfile() {
  if alive "$1" "$2"; then
    kill "-${3:-TERM}" "$(cat "$1")" 2>/dev/null || true
    wait_for 15 gone "$1" "$2" || {
      kill -9 "$(cat "$1")" 2>/dev/null || true
      wait_for 5 gone "$1" "$2" || true
    }
  fi
  rm -f "$1"
}

# pids_of GLOB: processes whose executable matches.
pids_of() {
  local process
  for process in /proc/[0-9]*; do
    # shellcheck disable=SC2053
    [[ $(readlink "$process/exe" 2>/dev/null) == $1 ]] && echo "${process#/proc/}"
  done
  true
}

# pids_with TEXT...: processes whose environment (one variable per line) holds every TEXT.
pids_with() {
  local process variables environment text IFS=$'\n'
  for process in /proc/[0-9]*; do
    { mapfile -d '' -t variables <"$process/environ"; } 2>/dev/null || continue
    environment="${variables[*]}"$'\n'
    for text in "$@"; do [[ $environment == *"$text"* ]] || continue 2; done
    echo "${process#/proc/}"
  done
}

# signal NAME PID...: tells each, whether it still lives or not.
signal() {
  local name=$1 pid
  shift
  for pid in "$@"; do kill "-$name" "$pid" 2>/dev/null || true; done
}

# install_packages PACKAGE...: from this machine's Debian archive, without starting any service of theirs.
install_packages() {
  local package missing=() policy=/usr/sbin/policy-rc.d made= log
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || die "needs apt-get to install ${missing[*]}"
  log=$(mktemp)
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=1
  fi
  local status=0
  { apt-get -qq update && apt-get -qq -y --no-install-recommends install "${missing[@]}"; } >"$log" 2>&1 || status=$?
  [[ -z $made ]] || rm -f "$policy"
  ((status == 0)) || {
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${missing[*]}"
  }
  rm -f "$log"
}

# busybox_tree FOLDER: a root file system of busybox alone, the image of the container tests.
busybox_tree() {
  [[ ! -e $1/bin/busybox ]] || return 0
  rm -rf -- "$1"
  mkdir -p "$1"/{bin,tmp,var/tmp,proc,sys,dev,etc,root,home,mnt,usr/bin}
  chmod 1777 "$1/tmp" "$1/var/tmp"
  cp /bin/busybox "$1/bin/"
  local command
  for command in $(/bin/busybox --list); do [[ $command == busybox ]] || ln -s busybox "$1/bin/$command"; done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$1/etc/group"
  : >"$1/etc/hosts"
  : >"$1/etc/resolv.conf"
  : >"$1/etc/localtime"
}
