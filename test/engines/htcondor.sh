#!/usr/bin/env bash
# A private HTCondor pool (every daemon) on loopback, from Debian packages, for tests.
# Debian 12 has no HTCondor: the packages of a later suite are unpacked beside the system by debroot.sh and run on the
# host itself, so jobs see the host's files and programs.
#
#   htcondor.sh start|stop|status   the whole engine; start fetches what is missing and is idempotent
#   htcondor.sh purge               stop, then delete all state (not the unpacked packages)
#   htcondor.sh down DAEMON         SCHEDD, STARTD, COLLECTOR or NEGOTIATOR: an administrator switches it off (STARTD: jobs are evicted)
#   htcondor.sh crash STARTD        power loss of the node: startd, starters and jobs are killed
#   htcondor.sh cut STARTD          the network to the node is lost: startd and starters are gone, jobs go on
#   htcondor.sh up DAEMON           mends any of these
#
# Clients: put $ENGINE_ROOT/condor/bin first in PATH. HTCondor refuses jobs of root, so when root calls one of the
# commands there, it runs as $HTCONDOR_USER, and so do the jobs: give that user the right to write where jobs write.
#
# Knobs (environment, all optional):
#   ENGINE_ROOT             /var/lib/engines   state lives in $ENGINE_ROOT/condor
#   CONDOR_SUITE            trixie             Debian suite to take it from (trixie: 23.9, sid: 25.x)
#   HTCONDOR_USER           physicist          made if it does not exist
#   HTCONDOR_CPUS           16                 cores of the one partitionable slot
#   HTCONDOR_MEMORY         32000              MB of it
#   HTCONDOR_MEMORY_POLICY  poll               poll (over request_memory: held within some seconds, HoldReasonCode 26; a pool
#                                              with cgroups gives 34) | none
#   HTCONDOR_PORT           9618               the one port of all daemons
#   HTCONDOR_LEASE          30                 seconds after which a job of a lost node is given up (HTCondor's default: 2400)
#   HTCONDOR_EXTRA                             extra configuration (\n separated)
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SUITE=${CONDOR_SUITE:-trixie}
T=$ROOT/condor-$SUITE
S=$ROOT/condor
JOBUSER=${HTCONDOR_USER:-physicist}
PORT=${HTCONDOR_PORT:-9618}
export CONDOR_CONFIG=$S/condor_config
PIDF=$S/run/master.pid

write_config() {
  local memory
  case ${HTCONDOR_MEMORY_POLICY:-poll} in
    poll) memory='BASE_CGROUP =
CGROUP_MEMORY_LIMIT_POLICY = none
SYSTEM_PERIODIC_HOLD_NAMES = Memory
SYSTEM_PERIODIC_HOLD_Memory = MemoryUsage > RequestMemory
SYSTEM_PERIODIC_HOLD_Memory_REASON = strcat("memory usage ", MemoryUsage, " MB exceeded request_memory ", RequestMemory, " MB")
SYSTEM_PERIODIC_HOLD_Memory_SUBCODE = 102' ;;
    none) memory='BASE_CGROUP =
CGROUP_MEMORY_LIMIT_POLICY = none' ;;
    *) die "HTCONDOR_MEMORY_POLICY is poll or none" ;;
  esac
  getent passwd condor >/dev/null || useradd -r -M -d "$S" -s /usr/sbin/nologin condor
  getent passwd "$JOBUSER" >/dev/null || useradd -m -s /bin/bash "$JOBUSER"
  install -d -m 755 "$S" "$S/bin"
  install -d -m 755 -o condor -g condor "$S/log" "$S/spool" "$S/lock" "$S/run"
  install -d -m 755 -o condor -g condor "$S/execute"
  {
    cat <<C
# written by htcondor.sh
RELEASE_DIR = $T/usr
LOCAL_DIR = $S
BIN = \$(RELEASE_DIR)/bin
SBIN = \$(RELEASE_DIR)/sbin
LIB = \$(RELEASE_DIR)/lib/condor
LIBEXEC = \$(RELEASE_DIR)/libexec/condor
SHARE = \$(RELEASE_DIR)/share/condor
ETC = $S
LOG = $S/log
SPOOL = $S/spool
LOCK = $S/lock
RUN = $S/run
EXECUTE = $S/execute
LOCAL_CONFIG_FILE =
REQUIRE_LOCAL_CONFIG_FILE = False
CONDOR_IDS = $(id -u condor).$(id -g condor)
# loopback only, one port, no DNS
CONDOR_HOST = 127.0.0.1
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
NO_DNS = True
DEFAULT_DOMAIN_NAME = engines
NETWORK_HOSTNAME = localhost.engines
COLLECTOR_HOST = 127.0.0.1:$PORT
USE_SHARED_PORT = True
SHARED_PORT_PORT = $PORT
DAEMON_SOCKET_DIR = $S/lock/daemon_sock
UID_DOMAIN = engines
FILESYSTEM_DOMAIN = engines
TRUST_UID_DOMAIN = True
STARTER_ALLOW_RUNAS_OWNER = True
DAEMON_LIST = MASTER SHARED_PORT COLLECTOR NEGOTIATOR SCHEDD STARTD
# who may do what: whoever can prove on this file system who he is
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
SEC_CLIENT_AUTHENTICATION_METHODS = FS
SEC_DEFAULT_ENCRYPTION = OPTIONAL
SEC_DEFAULT_INTEGRITY = OPTIONAL
ALLOW_READ = *
ALLOW_WRITE = *
ALLOW_DAEMON = root@engines, condor@engines
ALLOW_NEGOTIATOR = root@engines, condor@engines
ALLOW_ADVERTISE_STARTD = root@engines, condor@engines
ALLOW_ADVERTISE_SCHEDD = root@engines, condor@engines
ALLOW_ADVERTISE_MASTER = root@engines, condor@engines
ALLOW_ADMINISTRATOR = root@engines, condor@engines
ALLOW_CONFIG = root@engines
ALLOW_CLIENT = *
ALLOW_OWNER = root@engines, condor@engines
QUEUE_SUPER_USERS = root, condor
# one machine that is always free
NUM_CPUS = ${HTCONDOR_CPUS:-16}
MEMORY = ${HTCONDOR_MEMORY:-32000}
RESERVED_DISK = 0
NUM_SLOTS = 1
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
START = True
SUSPEND = False
CONTINUE = True
PREEMPT = False
KILL = False
WANT_SUSPEND = False
WANT_VACATE = False
RUNBENCHMARKS = False
CONSOLE_DEVICES =
JOB_DEFAULT_REQUESTMEMORY = 128
JOB_DEFAULT_REQUESTDISK = 1024
PROCD_MAX_SNAPSHOT_INTERVAL = 2
STARTER_INITIAL_UPDATE_INTERVAL = 1
STARTER_UPDATE_INTERVAL = 2
SHADOW_QUEUE_UPDATE_INTERVAL = 2
$memory
PERIODIC_EXPR_INTERVAL = 2
MAX_PERIODIC_EXPR_INTERVAL = 5
# quick scheduling: a test should not wait a minute for a match
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 2
SCHEDD_MIN_INTERVAL = 1
SCHEDD_INTERVAL_TIMESLICE = 0.9
JOB_START_DELAY = 0
JOB_START_COUNT = 50
UPDATE_INTERVAL = 5
MASTER_UPDATE_INTERVAL = 10
CLAIM_WORKLIFE = 3600
POLLING_INTERVAL = 2
ALIVE_INTERVAL = 10
SHADOW_LAZY_QUEUE_UPDATE = False
CONDOR_FSYNC = False
SHUTDOWN_FAST_TIMEOUT = 10
SHUTDOWN_GRACEFUL_TIMEOUT = 10
MASTER_BACKOFF_CONSTANT = 2
KILLING_TIMEOUT = 3
MachineMaxVacateTime = 2
JOB_IS_FINISHED_INTERVAL = 0
JOB_IS_FINISHED_COUNT = 50
# a job whose execute side vanished is given up after this (default 40 minutes) and goes back to idle
JOB_DEFAULT_LEASE_DURATION = ${HTCONDOR_LEASE:-30}
DAGMAN_USER_LOG_SCAN_INTERVAL = 1
# the default refuses node logs in /tmp
DAGMAN_USE_STRICT = 0
DAGMAN_SUBMIT_DELAY = 0
HISTORY = $S/spool/history
EVENT_LOG = $S/log/EventLog
EVENT_LOG_JOB_AD_INFORMATION_ATTRS =
MAX_DEFAULT_LOG = 10 Mb
AUTO_INCLUDE_SHARED_PORT_IN_DAEMON_LIST = True
MAIL = /bin/true
SINGULARITY =
# by default jobs get a private /tmp; here they share the files of the host
MOUNT_UNDER_SCRATCH =
DOCKER =
C
    [[ -z ${HTCONDOR_EXTRA:-} ]] || printf '%b\n' "$HTCONDOR_EXTRA"
  } >"$CONDOR_CONFIG.new"
  mv "$CONDOR_CONFIG.new" "$CONDOR_CONFIG"
  # commands for the host
  cat >"$S/bin/.run" <<C
#!/bin/sh
# runs the HTCondor command of this name against the pool of htcondor.sh
export CONDOR_CONFIG=$CONDOR_CONFIG
n=\${0##*/}
c=$T/usr/bin/\$n; [ -x "\$c" ] || c=$T/usr/sbin/\$n
case \$n in condor_off|condor_on|condor_reconfig|condor_restart|condor_userprio|condor_set_shutdown) exec "\$c" "\$@" ;; esac
if [ "\$(id -u)" = 0 ]; then
  HOME=\$(getent passwd $JOBUSER | cut -d: -f6) USER=$JOBUSER LOGNAME=$JOBUSER exec setpriv --reuid $JOBUSER --regid $(id -gn "$JOBUSER") --init-groups "\$c" "\$@"
fi
exec "\$c" "\$@"
C
  chmod 755 "$S/bin/.run"
  local f
  for f in "$T"/usr/bin/condor_* "$T"/usr/sbin/condor_{off,on,reconfig,restart}; do ln -sfn .run "$S/bin/${f##*/}"; done
}

pids() { pids_of "$T/usr/sbin/condor_$1"; }
jobs_of_node() { pids_with "_CONDOR_SCRATCH_DIR=$S/execute/" | grep -vxF -e "$(pids starter)" -e "$(pids startd)" || true; }
none_of() { [[ -z $(pids "$1") ]]; }

slot_known() { [[ -n $("$T/usr/bin/condor_status" -af Name 2>/dev/null) ]]; }
schedd_known() { [[ -n $("$T/usr/bin/condor_status" -schedd -af Name 2>/dev/null) ]]; }
schedd_answers() { "$T/usr/bin/condor_q" -allusers -totals; }
# both have to be known before a job can be matched
pool_ready() { slot_known && schedd_known && schedd_answers; }

cmd_start() {
  as_root
  install -d -m 755 "$ROOT"
  # python, perl and their libraries are for tools that tests do not need
  DEBROOT_SKIP=${DEBROOT_SKIP:-'python3-.*|perl.*|libperl.*|fonts-.*|libjs-.*|.*-doc'} bash "$HERE/debroot.sh" "$SUITE" "$T" condor
  if ! alive "$PIDF" condor_master; then
    wait_for 5 port_free "$PORT" || die "port $PORT is taken (set HTCONDOR_PORT)"
    write_config
    rm -rf -- "$S/lock/daemon_sock"
    (cd "$S" && setsid "$T/usr/sbin/condor_master" -pidfile "$PIDF" </dev/null >>"$S/log/master.out" 2>&1) ||
      die "condor_master did not start, see $S/log/MasterLog"
  fi
  wait_for 60 pool_ready || {
    tail -n 20 "$S/log/MasterLog" >&2
    die "the pool does not answer, see $S/log"
  }
  echo "CONDOR_CONFIG=$CONDOR_CONFIG PATH=$S/bin:\$PATH"
  echo ready
}

ours() { pids_of "$T/usr/*"; }
none_left() { [[ -z $(ours) ]]; }
cmd_stop() {
  local jobs
  jobs=$(jobs_of_node)
  # shellcheck disable=SC2046
  signal CONT $(ours)
  if alive "$PIDF" condor_master; then
    kill -QUIT "$(cat "$PIDF")" # fast shutdown: jobs are evicted and stay in the queue
    wait_for 20 none_left || true
  fi
  # shellcheck disable=SC2046
  signal KILL $(ours) $jobs
  rm -f "$PIDF"
  echo stopped
}

cmd_status() {
  if alive "$PIDF" condor_master; then
    echo "condor_master up pid=$(cat "$PIDF")"
    "$T/usr/bin/condor_status" -af:h Name State Activity Cpus Memory 2>/dev/null || true
    if pool_ready >/dev/null 2>&1; then
      echo ready
      return 0
    fi
  else
    echo "condor_master down"
  fi
  echo "not ready"
  return 1
}

cmd_down() {
  "$T/usr/sbin/condor_off" -fast -daemon "$1" >/dev/null
  wait_for 30 none_of "${1,,}" || die "$1 does not end"
  echo down
}

cmd_up() {
  # shellcheck disable=SC2046
  signal CONT $(pids master)
  "$T/usr/sbin/condor_on" -daemon "$1" >/dev/null
  case $1 in
    SCHEDD) wait_for 60 schedd_answers && wait_for 60 schedd_known ;;
    STARTD) wait_for 60 slot_known ;;
    COLLECTOR) wait_for 60 pool_ready ;;
    *) wait_for 60 eval '! none_of negotiator' ;;
  esac || die "$1 does not come back, see $S/log"
  echo ready
}

# lose_node [PID...]: kills the node's daemons and these processes. The master is frozen until `up`: it would start the
# node again within seconds. (Freezing the node instead is no fault to HTCondor: its connections stay open.)
lose_node() {
  # shellcheck disable=SC2046
  signal STOP $(pids master)
  # shellcheck disable=SC2046
  signal KILL $(pids startd) $(pids starter) "$@"
  echo down
}

case "${1:-}" in
  start) cmd_start ;;
  stop) cmd_stop ;;
  status) cmd_status ;;
  purge)
    cmd_stop >/dev/null
    rm -rf -- "$S"
    echo purged
    ;;
  down) cmd_down "${2:?daemon}" ;;
  up) cmd_up "${2:?daemon}" ;;
  # shellcheck disable=SC2046
  crash) lose_node $(jobs_of_node) ;;
  cut) lose_node ;;
  *)
    echo "usage: $SELF start|stop|status|purge | down|up DAEMON | crash|cut STARTD" >&2
    exit 2
    ;;
esac
