#!/usr/bin/env bash
# A private (Son of) Grid Engine cluster from Debian packages, for tests.
#
#   gridengine.sh start|stop|status   the whole engine; start fetches what is missing and is idempotent
#   gridengine.sh purge               stop, then delete all state (not the unpacked packages)
#   gridengine.sh down DAEMON         qmaster or execd: kill -9 (jobs go on)
#   gridengine.sh crash execd         power loss of the node: execd, shepherds and jobs are killed
#   gridengine.sh cut execd           the network to the node is lost: execd is gone, jobs go on
#   gridengine.sh up DAEMON           mends any of these
#
# Grid Engine listens on every interface and trusts host names, so its daemons live in a network and host name
# space of their own: a machine called 'localhost' that has a loopback only. Jobs live there too: they share the
# files of the host, not its network. Clients: $ENGINE_ROOT/gridengine/bin (wrappers that enter that space, which
# takes root; with GE_AS_USER=name in their environment they act as that user).
#
# Knobs (environment, all optional):
#   ENGINE_ROOT   /var/lib/engines   state lives in $ENGINE_ROOT/gridengine
#   GE_SUITE      bookworm           Debian suite to take it from
#   GE_SLOTS      16                 slots of main.q; short.q has as many and a run time limit of one minute
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SUITE=${GE_SUITE:-bookworm}
T=$ROOT/gridengine-$SUITE
S=$ROOT/gridengine
B=$T/usr/lib/gridengine
SLOTS=${GE_SLOTS:-16}
export SGE_ROOT=$S/root SGE_CELL=default SGE_QMASTER_PORT=${GE_PORT:-6444} SGE_EXECD_PORT=$(( ${GE_PORT:-6444} + 1 )) SGE_CLUSTER_NAME=engines
HOLD=$S/run/space.pid
inside() { nsenter -t "$(cat "$HOLD")" -n -u -- "$@"; }
qconf() { inside "$B/qconf" "$@"; }

space_up() {
  alive "$HOLD" sleep && return 0
  install -d -m 755 "$S" "$S/run"
  setsid unshare --net --uts sh -c 'hostname localhost; ip link set lo up; echo $$ >"$0"; exec sleep infinity' "$HOLD" </dev/null >/dev/null 2>&1 &
  wait_for 5 alive "$HOLD" sleep || die "cannot make a network namespace"
}

init_cluster() {
  [[ -e $S/.initialised ]] && return 0
  getent passwd sgeadmin >/dev/null || useradd -r -M -d "$S" -s /usr/sbin/nologin sgeadmin
  rm -rf -- "$S/root" "$S/spool"
  install -d -m 755 "$S/root" "$S/root/bin" "$S/root/lib" "$S/root/utilbin" "$S/bin"
  local a d; a=$(sh "$T/usr/share/gridengine/util/arch")
  for d in bin lib utilbin; do ln -sfn "$B" "$S/root/$d/$a"; done
  ln -sfn "$T/usr/share/gridengine/util" "$S/root/util"
  install -d -m 755 -o sgeadmin "$S/root/default" "$S/root/default/common" "$S/spool" "$S/spool/qmaster" "$S/spool/qmaster/job_scripts" "$S/spool/db" "$S/spool/execd"
  echo localhost >"$S/root/default/common/act_qmaster"
  echo engines >"$S/root/default/common/cluster_name"
  cat >"$S/root/default/common/bootstrap" <<C
admin_user              sgeadmin
default_domain          none
ignore_fqdn             true
spooling_method         berkeleydb
spooling_lib            libspoolb
spooling_params         $S/spool/db
binary_path             $S/root/bin
qmaster_spool_dir       $S/spool/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
jvm_threads             0
C
  chown sgeadmin "$S"/root/default/common/*
  # jobs of root are allowed; quick load reports, failure detection and accounting
  sed -e "s#^execd_spool_dir .*#execd_spool_dir $S/spool/execd#" -e 's#^min_uid .*#min_uid 0#' -e 's#^min_gid .*#min_gid 0#' \
    -e 's#^mailer .*#mailer /bin/true#' -e 's#^load_report_time .*#load_report_time 00:00:02#' -e 's#^max_unheard .*#max_unheard 00:00:15#' \
    -e 's#^reschedule_unknown .*#reschedule_unknown 00:00:20#' -e 's#flush_time=00:00:15#flush_time=00:00:00 accounting_flush_time=00:00:00#' \
    -e 's#^execd_params .*#execd_params ENABLE_ADDGRP_KILL=TRUE#' -e 's#^shell_start_mode .*#shell_start_mode unix_behavior#' \
    "$T/usr/share/gridengine/default-configuration" >"$S/run/configuration"
  export LD_LIBRARY_PATH=$B
  local run=(setpriv --reuid sgeadmin --regid sgeadmin --clear-groups)
  { inside "${run[@]}" "$B/spoolinit" berkeleydb libspoolb "$S/spool/db" init
    inside "${run[@]}" "$B/spooldefaults.bin" configuration "$S/run/configuration"
    inside "${run[@]}" "$B/spooldefaults.bin" complexes "$T/usr/share/gridengine/util/resources/centry"
    inside "${run[@]}" "$B/spooldefaults.bin" usersets "$T/usr/share/gridengine/util/resources/usersets"
    inside "${run[@]}" "$B/spooldefaults.bin" managers sgeadmin
    inside "${run[@]}" "$B/spooldefaults.bin" managers root
  } >"$S/run/init.log" 2>&1 || { tail -5 "$S/run/init.log" >&2; die "the cluster could not be initialised"; }
  unset LD_LIBRARY_PATH
  touch "$S/.fresh" "$S/.initialised"
}

qmaster_up() {
  alive "$S/spool/qmaster/qmaster.pid" sge_qmaster && return 0
  inside setsid "$B/sge_qmaster" </dev/null >>"$S/run/daemons.out" 2>&1 || die "sge_qmaster did not start, see $S/spool/qmaster/messages"
  wait_for 20 qconf -sconf || die "sge_qmaster does not answer, see $S/spool/qmaster/messages"
}
execd_pid() { ls "$S"/spool/execd/*/execd.pid 2>/dev/null | head -1; }
execd_up() {
  alive "$(execd_pid)" sge_execd && return 0
  inside setsid "$B/sge_execd" </dev/null >>"$S/run/daemons.out" 2>&1 || die "sge_execd did not start, see /tmp/execd_messages.* and $S/spool/execd"
}

configure() { # objects of a fresh cluster
  [[ -e $S/.fresh ]] || return 0
  local f=$S/run/obj q
  qconf -as localhost >/dev/null 2>&1 || true
  qconf -ah localhost >/dev/null 2>&1 || true
  printf 'hostname localhost\nload_scaling NONE\ncomplex_values NONE\nuser_lists NONE\nxuser_lists NONE\nprojects NONE\nxprojects NONE\nusage_scaling NONE\nreport_variables NONE\n' >"$f"
  qconf -Ae "$f" >/dev/null 2>&1 || true
  printf 'group_name @allhosts\nhostlist localhost\n' >"$f"; qconf -Ahgrp "$f" >/dev/null 2>&1 || true
  printf 'pe_name smp\nslots 999\nuser_lists NONE\nxuser_lists NONE\nstart_proc_args NONE\nstop_proc_args NONE\nallocation_rule $pe_slots\ncontrol_slaves TRUE\njob_is_first_task TRUE\nurgency_slots min\naccounting_summary TRUE\nqsort_args NONE\n' >"$f"
  qconf -Ap "$f" >/dev/null 2>&1
  # what a fresh scheduler configuration has, with a short interval and scheduling at once on submit and finish
  qconf -ssconf | sed -e 's#^schedule_interval .*#schedule_interval 0:0:1#' -e 's#^flush_submit_sec .*#flush_submit_sec 1#' \
    -e 's#^flush_finish_sec .*#flush_finish_sec 1#' -e 's#^schedd_job_info .*#schedd_job_info true#' \
    -e 's#^load_adjustment_decay_time .*#load_adjustment_decay_time 0:0:0#' -e 's#^job_load_adjustments .*#job_load_adjustments NONE#' >"$f"
  qconf -Msconf "$f" >/dev/null 2>&1
  for q in main.q:INFINITY short.q:00:01:00; do
    cat >"$f" <<C
qname ${q%%:*}
hostlist @allhosts
seq_no 0
load_thresholds NONE
suspend_thresholds NONE
nsuspend 1
suspend_interval 00:05:00
priority 0
min_cpu_interval 00:05:00
processors UNDEFINED
qtype BATCH INTERACTIVE
ckpt_list NONE
pe_list smp
rerun FALSE
slots $SLOTS
tmpdir /tmp
shell /bin/bash
prolog NONE
epilog NONE
shell_start_mode unix_behavior
starter_method NONE
suspend_method NONE
resume_method NONE
terminate_method NONE
notify 00:00:02
owner_list NONE
user_lists NONE
xuser_lists NONE
subordinate_list NONE
complex_values NONE
projects NONE
xprojects NONE
calendar NONE
initial_state default
s_rt INFINITY
h_rt ${q#*:}
s_cpu INFINITY
h_cpu INFINITY
s_fsize INFINITY
h_fsize INFINITY
s_data INFINITY
h_data INFINITY
s_stack INFINITY
h_stack INFINITY
s_core INFINITY
h_core INFINITY
s_rss INFINITY
h_rss INFINITY
s_vmem INFINITY
h_vmem INFINITY
C
    qconf -Aq "$f" >/dev/null 2>&1 || die "queue ${q%%:*} could not be made"
  done
  rm -f "$S/.fresh"
}

wrappers() {
  cat >"$S/bin/.run" <<C
#!/bin/sh
# runs the Grid Engine command of this name in the space of gridengine.sh
export SGE_ROOT=$SGE_ROOT SGE_CELL=$SGE_CELL SGE_QMASTER_PORT=$SGE_QMASTER_PORT SGE_EXECD_PORT=$SGE_EXECD_PORT SGE_CLUSTER_NAME=$SGE_CLUSTER_NAME
p=\$(cat $HOLD 2>/dev/null) && [ -d "/proc/\$p" ] || { echo "\${0##*/}: the engine is not running" >&2; exit 1; }
# entering needs root; GE_AS_USER=name runs the command, and so the jobs, as that user
[ -z "\${GE_AS_USER:-}" ] || set -- setpriv --reuid "\$GE_AS_USER" --regid "\$(id -g "\$GE_AS_USER")" --init-groups $B/\${0##*/} "\$@"
[ -n "\${GE_AS_USER:-}" ] || set -- $B/\${0##*/} "\$@"
exec nsenter -t "\$p" -n -u -- "\$@"
C
  chmod 755 "$S/bin/.run"
  local c
  for c in qsub qstat qdel qacct qalter qhold qrls qresub qmod qhost qconf qselect qquota qrsh qping; do ln -sfn .run "$S/bin/$c"; done
}

ready_q() { [[ $("$S/bin/qstat" -f -q main.q 2>/dev/null | awk '/^main.q@/ {print NF}') == 5 ]]; } # a sixth column would be a state: au, E, d

cmd_start() {
  as_root
  command -v ip >/dev/null || install_packages iproute2
  install -d -m 755 "$ROOT"
  DEBROOT_SKIP='exim4.*|bsd-mailx|liblockfile.*|perl.*|libperl.*|python3.*|.*-doc|tcsh|debconf.*' \
    bash "$HERE/debroot.sh" "$SUITE" "$T" gridengine-master gridengine-exec gridengine-client
  # Debian's build looks for its spooling library by this path
  [[ -e /usr/lib/gridengine ]] || ln -sfn "$B" /usr/lib/gridengine
  space_up
  init_cluster
  wrappers
  qmaster_up
  configure
  execd_up
  wait_for 40 ready_q || {
    "$S/bin/qstat" -f >&2 || true
    die "the queue is not ready"
  }
  echo "SGE_ROOT=$SGE_ROOT SGE_CELL=$SGE_CELL PATH=$S/bin:\$PATH"
  echo ready
}

daemons() { pids_of "$T/usr/lib/gridengine/$1"; }
jobs_of_node() { pids_with "SGE_JOB_SPOOL_DIR=$S/spool/execd/" | grep -vxF -e "$(daemons '*')" || true; }
in_space() { # all that lives in the space but the holder
  local process holder space
  holder=$(cat "$HOLD" 2>/dev/null) || return 0
  space=$(readlink "/proc/$holder/ns/net") || return 0
  for process in /proc/[0-9]*; do
    [[ ${process#/proc/} == "$holder" || $(readlink "$process/ns/net" 2>/dev/null) != "$space" ]] || echo "${process#/proc/}"
  done
}
all_ended() { [[ -z $(daemons '*') ]]; }

cmd_stop() {
  if alive "$HOLD" sleep; then
    timeout 10 "$S/bin/qdel" -u '*' >/dev/null 2>&1 || true
    timeout 10 "$S/bin/qconf" -kej >/dev/null 2>&1 || true
    timeout 10 "$S/bin/qconf" -km >/dev/null 2>&1 || true
    wait_for 3 all_ended || true
    # shellcheck disable=SC2046
    signal KILL $(daemons '*') $(in_space) "$(cat "$HOLD")"
  fi
  rm -f "$HOLD" "$S"/spool/qmaster/qmaster.pid "$S"/spool/execd/*/execd.pid
  echo stopped
}

cmd_status() {
  local status=0
  alive "$S/spool/qmaster/qmaster.pid" sge_qmaster && echo "sge_qmaster up" || { echo "sge_qmaster down"; status=1; }
  alive "$(execd_pid)" sge_execd && echo "sge_execd up" || { echo "sge_execd down"; status=1; }
  if ((status == 0)) && ready_q; then
    echo ready
    return 0
  fi
  echo "not ready"
  return 1
}

cmd_down() {
  case $1 in
    qmaster) kill_pidfile "$S/spool/qmaster/qmaster.pid" sge_qmaster KILL ;;
    execd) kill_pidfile "$(execd_pid)" sge_execd KILL ;;
    *) die "a daemon is qmaster or execd" ;;
  esac
  echo down
}

cmd_up() {
  case $1 in
    qmaster) qmaster_up ;;
    execd) execd_up ;;
    *) die "a daemon is qmaster or execd" ;;
  esac
  echo ready
}

cmd_crash() {
  local jobs
  jobs=$(jobs_of_node)
  cmd_down execd >/dev/null
  # shellcheck disable=SC2046
  signal KILL $(daemons sge_shepherd) $jobs
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
  cut) cmd_down execd ;;
  crash) cmd_crash ;;
  *)
    echo "usage: $SELF start|stop|status|purge | down|up qmaster|execd | crash|cut execd" >&2
    exit 2
    ;;
esac
