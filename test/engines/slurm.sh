#!/usr/bin/env bash
# A private Slurm cluster on loopback, from Debian packages, for tests.
#
#   slurm.sh start|stop|status   the whole engine; start installs what is missing and is idempotent
#   slurm.sh purge               stop, then delete all state
#   slurm.sh down DAEMON         ctld, dbd, munge or a node: that daemon ends (a node: kill -9 of its slurmd, jobs go on)
#   slurm.sh crash NODE          power loss of a node: slurmd, steps and tasks are killed
#   slurm.sh cut NODE            the network to a node is lost: slurmd is gone, jobs go on
#   slurm.sh up DAEMON           mends any of these
#
# Clients: $ENGINE_ROOT/slurm/bin first in PATH (they carry SLURM_CONF); with the host's own packages the plain
# commands work too.
#
# Knobs (environment, all optional; a running cluster keeps its own: stop, then start):
#   ENGINE_ROOT          /var/lib/engines   state lives in $ENGINE_ROOT/slurm
#   SLURM_SUITE          (none)             none: the host's own Debian packages (bookworm: 22.05); a suite (trixie: 24.11) is
#                                           unpacked beside the system by debroot.sh. Purge the state between two versions.
#   SLURM_NODES          2                  virtual nodes n1..nN on this host
#   SLURM_NODE_CPUS      8                  CPUs each node advertises
#   SLURM_NODE_MEM       16000              MB each node advertises
#   SLURM_ACCOUNTING     dbd                dbd (sacct works, needs MariaDB) | none
#   SLURM_MIN_JOB_AGE    300                seconds a finished job stays in squeue and scontrol
#   SLURM_MEMORY         poll               poll (works everywhere; a job over memory ends FAILED 0:9) | cgroup1 (needs the v1
#                                           memory controller at /sys/fs/cgroup/memory; it ends OUT_OF_MEMORY 0:125)
#   SLURM_REQUEUE_DELAY  10                 seconds a requeued job waits (Slurm's default is 120)
#   SLURM_CTLD_PORT      6817               slurmctld; slurmdbd is +2, node N is +100+N. Two clusters on one machine need two
#                                           ENGINE_ROOTs and two ports.
#   SLURM_SCHED          quick settings     SchedulerParameters; empty = Slurm's own defaults
#   SLURM_EXTRA_CONF                        text appended to slurm.conf (\n separated)
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

S=$ROOT/slurm
NODES=${SLURM_NODES:-2}
CPUS=${SLURM_NODE_CPUS:-8}
MEM=${SLURM_NODE_MEM:-16000}
ACCT=${SLURM_ACCOUNTING:-dbd}
MINAGE=${SLURM_MIN_JOB_AGE:-300}
MEMORY=${SLURM_MEMORY:-poll}
SCHED=${SLURM_SCHED-batch_sched_delay=0,sched_interval=2,sched_min_interval=100000,bf_interval=1,bf_continue,bf_max_job_test=1000,default_queue_depth=1000}
PORT=${SLURM_CTLD_PORT:-6817}
SUITE=${SLURM_SUITE:-}
T=$ROOT/slurm-$SUITE
DBPORT=$((PORT + 2))
RUN=$S/run LOG=$S/log ETC=$S/etc
export SLURM_CONF=$ETC/slurm.conf
[[ -z $SUITE ]] || PATH=$S/prog:$PATH

detached() { setsid "$@" </dev/null >>"$LOG/daemons.out" 2>&1; }

fetch() {
  local want=(munge) slurm=(slurmctld slurmd slurm-client) program name
  if [[ $ACCT == dbd ]]; then
    slurm+=(slurmdbd)
    want+=(mariadb-server-core mariadb-client-core) # the -core ones have no service and no data of their own
  fi
  if [[ -z $SUITE ]]; then
    want+=("${slurm[@]}")
  else
    DEBROOT_SKIP='perl.*|libperl.*|python3.*|.*-doc|debconf.*|systemd.*|udev.*|dbus.*|fonts-.*' \
      bash "$HERE/debroot.sh" "$SUITE" "$T" "${slurm[@]}" slurm-wlm-mysql-plugin
    mkdir -p "$S/prog"
    for program in "$T"/usr/bin/s* "$T"/usr/sbin/slurm*; do
      name=${program##*/}
      ln -sfn "$program" "$S/prog/${name%-wlm}"
    done
    getent passwd slurm >/dev/null || useradd -r -M -d "$S" -s /usr/sbin/nologin slurm
  fi
  install_packages "${want[@]}"
}

write_config() {
  install -d -m 755 "$ETC" "$RUN" "$LOG"
  chmod 1777 "$LOG" # slurmdbd and slurmctld run as slurm and chdir here
  install -d -m 755 -o slurm -g slurm "$S/ctld" "$RUN/slurm"
  install -d -m 755 "$S/slurmd"
  # no cgroups unless asked for: CI machines mount them in many ways
  local ram=no task=task/none
  if [[ $MEMORY == cgroup1 ]]; then
    [[ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]] || die "no cgroup v1 memory controller here"
    ram=yes task=task/cgroup
  fi
  cat >"$ETC/cgroup.conf" <<C
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=$ram
ConstrainSwapSpace=no
MinRAMSpace=16
C
  {
    cat <<C
# written by slurm.sh
ClusterName=engines
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$RUN/munge/socket,cred_expire=${SLURM_REQUEUE_DELAY:-10}
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$S/ctld
SlurmdSpoolDir=$S/slurmd/%n
${SUITE:+PluginDir=$(echo "$T"/usr/lib/*/slurm-wlm)}
SlurmctldPidFile=$RUN/slurm/slurmctld.pid
SlurmdPidFile=$RUN/slurmd-%n.pid
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd-%n.log
SlurmctldDebug=info
SlurmdDebug=info
LogTimeFormat=iso8601_ms
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=$task
ReturnToService=2
# quick failure detection and quick cleaning-up: a test should not wait minutes
SlurmctldTimeout=10
SlurmdTimeout=10
MessageTimeout=5
KillWait=2
CompleteWait=0
InactiveLimit=0
Waittime=0
UnkillableStepTimeout=30
MinJobAge=$MINAGE
MaxJobCount=50000
MaxArraySize=10001
JobRequeue=1
# scheduling
SchedulerType=sched/backfill
${SCHED:+SchedulerParameters=$SCHED}
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=512
SlurmdParameters=config_overrides
PriorityType=priority/basic
# memory is policed by polling, as there is no cgroup
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
$([[ $MEMORY == cgroup1 ]] || echo JobAcctGatherParams=OverMemoryKill)
JobCompType=jobcomp/filetxt
JobCompLoc=$S/ctld/jobcomp.log
C
    if [[ $ACCT == dbd ]]; then
      cat <<C
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$DBPORT
AccountingStoragePass=$RUN/munge/socket
AccountingStoreFlags=job_comment
C
    else
      echo "AccountingStorageType=accounting_storage/none"
    fi
    local i
    for ((i = 1; i <= NODES; i++)); do
      echo "NodeName=n$i NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((PORT + 100 + i)) CPUs=$CPUS RealMemory=$MEM State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=ALL Default=YES MaxTime=7-00:00:00 DefaultTime=01:00:00 State=UP OverSubscribe=NO"
    echo "PartitionName=short Nodes=ALL Default=NO MaxTime=00:01:00 DefaultTime=00:01:00 State=UP OverSubscribe=NO"
    [[ -z ${SLURM_EXTRA_CONF:-} ]] || printf '%b\n' "$SLURM_EXTRA_CONF"
  } >"$ETC/slurm.conf.new"
  mv "$ETC/slurm.conf.new" "$ETC/slurm.conf"
  if [[ $ACCT == dbd ]]; then
    ( umask 077
      cat >"$ETC/slurmdbd.conf" <<C
AuthType=auth/munge
AuthInfo=socket=$RUN/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$DBPORT
SlurmUser=slurm
LogFile=$LOG/slurmdbd.log
PidFile=$RUN/slurm/slurmdbd.pid
CommunicationParameters=NoInAddrAny
DebugLevel=info
MessageTimeout=5
${SUITE:+PluginDir=$(echo "$T"/usr/lib/*/slurm-wlm)}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=slurm_acct_db
C
    )
    chown slurm:slurm "$ETC/slurmdbd.conf"
  fi
  touch "$LOG/slurmctld.log" "$LOG/slurmdbd.log"; chown slurm:slurm "$LOG/slurmctld.log" "$LOG/slurmdbd.log"
  # commands that carry the configuration
  install -d -m 755 "$S/bin"
  printf '#!/bin/sh\nexport SLURM_CONF=%s\nexec %s/${0##*/} "$@"\n' "$SLURM_CONF" "$([[ -n $SUITE ]] && echo "$S/prog" || echo /usr/bin)" >"$S/bin/.run"
  chmod 755 "$S/bin/.run"
  local c; for c in sacct sacctmgr salloc sattach sbatch sbcast scancel scontrol sdiag sinfo sprio squeue sreport srun sstat; do ln -sfn .run "$S/bin/$c"; done
  # clients find the cluster without SLURM_CONF, unless another configuration is there (-e: a dangling link is none)
  mkdir -p /etc/slurm
  [[ -e /etc/slurm/slurm.conf ]] || ln -sfn "$ETC/slurm.conf" /etc/slurm/slurm.conf
}

munge_up() {
  alive "$RUN/munge/munged.pid" munged && return 0
  install -d -m 755 -o munge -g munge "$RUN/munge"
  install -d -m 700 -o munge -g munge "$S/munge"
  if [[ ! -s $S/munge/key ]]; then
    ( umask 077; head -c 128 /dev/urandom >"$S/munge/key" ); chown munge:munge "$S/munge/key"
  fi
  rm -f "$RUN"/munge/socket*
  detached setpriv --reuid munge --regid munge --init-groups munged --socket="$RUN/munge/socket" \
    --key-file="$S/munge/key" --pid-file="$RUN/munge/munged.pid" --log-file="$S/munge/log" --seed-file="$S/munge/seed" \
    || die "munged did not start, see $S/munge/log"
  wait_for 10 munge -S "$RUN/munge/socket" -n || die "munged does not answer"
}

sql() { mariadb --no-defaults -uroot --socket="$RUN/mysql/sock" -e "$1"; }
db_up() {
  alive "$RUN/mysql/mariadbd.pid" mariadbd && return 0
  install -d -m 755 -o slurm -g slurm "$RUN/mysql"
  local small=(--innodb-log-file-size=16M --innodb-buffer-pool-size=64M)
  if [[ ! -e $S/mysql/.installed ]]; then
    rm -rf -- "$S/mysql"; install -d -m 700 -o slurm -g slurm "$S/mysql"
    mariadb-install-db --no-defaults --user=slurm --datadir="$S/mysql" --skip-test-db "${small[@]}" \
      >"$LOG/mariadb-install.log" 2>&1 || { tail -5 "$LOG/mariadb-install.log" >&2; die "mariadb-install-db failed"; }
    touch "$S/mysql/.installed"
  fi
  setsid mariadbd --no-defaults --user=slurm --datadir="$S/mysql" --socket="$RUN/mysql/sock" --skip-networking \
    --pid-file="$RUN/mysql/mariadbd.pid" --log-error="$S/mysql/error.log" "${small[@]}" \
    --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 \
    --skip-name-resolve --max-connections=50 </dev/null >>"$LOG/daemons.out" 2>&1 &
  wait_for 30 sql "select 1" || die "mariadbd does not answer, see $S/mysql/error.log"
  sql "create database if not exists slurm_acct_db; create user if not exists slurm@localhost identified via unix_socket; grant all on slurm_acct_db.* to slurm@localhost;"
}

dbd_up() {
  alive "$RUN/slurm/slurmdbd.pid" slurmdbd && return 0
  wait_for 5 port_free "$(sed -n 's/^DbdPort=//p' "$ETC/slurmdbd.conf")" || die "the port of slurmdbd is taken (set SLURM_CTLD_PORT)"
  # no StorageSocket in slurmdbd.conf: libmariadb takes the socket of host 'localhost' from this variable
  # and slurmdbd.conf is looked for beside slurm.conf ($SLURM_CONF)
  MYSQL_UNIX_PORT="$RUN/mysql/sock" detached setpriv --reuid slurm --regid slurm --init-groups slurmdbd \
    || die "slurmdbd did not start, see $LOG/slurmdbd.log"
  wait_for 30 timeout 5 sacctmgr -n -Q show cluster || die "slurmdbd does not answer, see $LOG/slurmdbd.log"
}

ctld_up() {
  alive "$RUN/slurm/slurmctld.pid" slurmctld && return 0
  local p; p=$(sed -n 's/^SlurmctldPort=//p' "$SLURM_CONF")
  wait_for 5 port_free "$p" || die "port $p is taken (set SLURM_CTLD_PORT)"
  detached slurmctld -f "$SLURM_CONF" || die "slurmctld did not start, see $LOG/slurmctld.log"
  wait_for 30 scontrol show partition main || die "slurmctld does not answer, see $LOG/slurmctld.log"
}

node_up() {
  alive "$RUN/slurmd-$1.pid" slurmd && return 0
  mkdir -p "$S/slurmd/$1"
  detached slurmd -N "$1" -f "$SLURM_CONF" ${SUITE:+-d "$S/prog/slurmstepd"} || die "slurmd $1 did not start, see $LOG/slurmd-$1.log"
}

nodes_of_config() { sed -n 's/^NodeName=\([^ ]*\) .*/\1/p' "$SLURM_CONF" 2>/dev/null || true; }
nodes_ready() {
  [[ $(sinfo -h -N -p main -o '%N %T' | awk '$2 ~ /^(idle|mixed|allocated|completing)$/' | wc -l) == "$NODES" ]]
}
# Job steps outlive their slurmd. orphans [NODE]: pids of step managers and of all that jobs started, of one
# node or of all nodes. A manager holds its node's log open; a task has the environment Slurm gave it.
orphans() {
  local pid file
  for pid in $(pids_of '*/slurmstepd*'); do
    for file in "/proc/$pid"/fd/*; do
      [[ $(readlink "$file" 2>/dev/null) != "$LOG"/slurmd-${1:-*}.log ]] || {
        echo "$pid"
        break
      }
    done
  done
  pids_with "SLURM_CONF=$SLURM_CONF"$'\n' "SLURMD_NODENAME=${1:+$1$'\n'}"
}
# shellcheck disable=SC2046
kill_orphans() { signal KILL $(orphans "$@"); }

registered() { [[ $(sacctmgr -n -P show cluster format=controlhost) == 127.0.0.1 ]]; }

cmd_start() {
  as_root
  install -d -m 755 "$ROOT" "$S"; mkdir -p "$LOG" "$RUN"
  fetch
  # a running cluster keeps its configuration: change knobs with stop, then start
  alive "$RUN/slurm/slurmctld.pid" slurmctld || write_config
  munge_up
  if [[ $ACCT == dbd ]]; then
    db_up; dbd_up
    # slurmctld registers a new cluster by itself; doing it first keeps its log clean
    sacctmgr -n -P show cluster format=cluster | grep -qx engines || sacctmgr -i -Q add cluster engines >/dev/null
  fi
  ctld_up
  local n
  for n in $(nodes_of_config); do node_up "$n"; done
  NODES=$(nodes_of_config | wc -l)
  # ready means that sacct knows the cluster too
  [[ $ACCT != dbd ]] || wait_for 30 registered || die "the cluster is not known to slurmdbd, see $LOG/slurmdbd.log"
  # after a crash nodes can come back DOWN: ReturnToService=2 resumes them at registration
  wait_for 30 nodes_ready || { sinfo -N -l >&2; die "nodes are not idle"; }
  echo "SLURM_CONF=$SLURM_CONF PATH=$S/bin:\$PATH"
  echo ready
}

cmd_stop() {
  local n p
  if alive "$RUN/slurm/slurmctld.pid" slurmctld; then
    timeout 10 scancel -Q -s KILL --full -u root >/dev/null 2>&1 || true
    timeout 10 squeue -h -o %A 2>/dev/null | sort -u | head -1000 | timeout 10 xargs -r scancel -Q >/dev/null 2>&1 || true
    # let the nodes end what they run, two seconds at most
    for _ in $(seq 20); do [[ -z $(orphans) ]] && break; sleep 0.1; done
  fi
  kill_pidfile "$RUN/slurm/slurmctld.pid" slurmctld
  for p in "$RUN"/slurmd-*.pid; do [[ -e $p ]] && kill_pidfile "$p" slurmd; done
  kill_orphans
  kill_pidfile "$RUN/slurm/slurmdbd.pid" slurmdbd
  kill_pidfile "$RUN/mysql/mariadbd.pid" mariadbd
  kill_pidfile "$RUN/munge/munged.pid" munged
  # with SLURM_MEMORY=cgroup1 the nodes leave empty groups behind
  if grep -qs '^ConstrainRAMSpace=yes' "$ETC/cgroup.conf"; then
    for n in $(nodes_of_config); do find "/sys/fs/cgroup/memory/slurm_$n" -depth -type d -exec rmdir {} \; 2>/dev/null || true; done
  fi
  echo stopped
}

cmd_status() {
  local status=0 node
  up_or_down() {
    if alive "$1" "$2"; then
      echo "$3 up pid=$(cat "$1")"
    else
      echo "$3 down"
      status=1
    fi
  }
  up_or_down "$RUN/munge/munged.pid" munged munged
  if [[ -e $ETC/slurmdbd.conf && $ACCT == dbd ]]; then
    up_or_down "$RUN/mysql/mariadbd.pid" mariadbd mariadbd
    up_or_down "$RUN/slurm/slurmdbd.pid" slurmdbd slurmdbd
  fi
  up_or_down "$RUN/slurm/slurmctld.pid" slurmctld slurmctld
  for node in $(nodes_of_config); do up_or_down "$RUN/slurmd-$node.pid" slurmd "slurmd $node"; done
  ((status == 0)) && echo ready || echo "not ready"
  return $status
}

cmd_purge() {
  cmd_stop >/dev/null
  rm -rf -- "$S"
  # the link that write_config made points nowhere now
  [[ ! -L /etc/slurm/slurm.conf || -e /etc/slurm/slurm.conf ]] || rm -f /etc/slurm/slurm.conf
  echo purged
}

cmd_down() {
  case $1 in
    ctld) kill_pidfile "$RUN/slurm/slurmctld.pid" slurmctld ;;
    dbd) kill_pidfile "$RUN/slurm/slurmdbd.pid" slurmdbd ;;
    munge) kill_pidfile "$RUN/munge/munged.pid" munged ;;
    *) kill_pidfile "$RUN/slurmd-$1.pid" slurmd KILL ;;
  esac
  echo down
}

cmd_up() {
  case $1 in
    ctld) ctld_up ;;
    dbd) dbd_up ;;
    munge) munge_up ;;
    *) node_up "$1" ;;
  esac
  echo ready
}

case "${1:-}" in
  start) cmd_start ;;
  stop) cmd_stop ;;
  status) cmd_status ;;
  purge) cmd_purge ;;
  down) cmd_down "${2:?daemon or node}" ;;
  up) cmd_up "${2:?daemon or node}" ;;
  cut) cmd_down "${2:?node}" ;;
  crash)
    cmd_down "${2:?node}" >/dev/null
    kill_orphans "$2"
    echo down
    ;;
  *)
    echo "usage: $SELF start|stop|status|purge | down|up ctld|dbd|munge|NODE | crash|cut NODE" >&2
    exit 2
    ;;
esac
