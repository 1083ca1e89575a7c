#!/usr/bin/env bash
# Records fixtures from a fresh Grid Engine (test/engines/gridengine.sh in ENGINE_ROOT), which is purged first.
# Each job is named after its situation. Takes about three minutes.
# Grid Engine keeps the submitter's environment in the job: it begins with a clean one.
[ -n "${RECORD_CLEAN:-}" ] || exec env -i RECORD_CLEAN=1 ENGINE_ROOT="${ENGINE_ROOT:-/var/lib/engines}" HOME=/root LOGNAME=root USER=root PATH="$PATH" bash "$0"
ENGINE=gridengine
source "$(dirname "$0")/lib.sh"
engine() { bash "$RECORDERS/../gridengine.sh" "$@" >/dev/null; }
PATH=$ENGINE_ROOT/gridengine/bin:/usr/bin:/bin:/usr/sbin:/sbin
cd "$WORK"

declare -A ID
# submit SITUATION 'SHELL TEXT' QSUB-OPTIONS...: remembers the id in ID[SITUATION].
submit() {
  local name=$1 text=$2 place=(-cwd -o "$WORK")
  shift 2
  case " $* " in # an option given twice counts once: the first
    *' -wd '*) place=(-o "$WORK") ;;
    *' -o '*) place=(-cwd) ;;
  esac
  printf '#!/bin/sh\n%s\n' "$text" >"$name.sh"
  ID[$name]=$(qsub -terse -N "$name" "${place[@]}" -j y "$@" "$name.sh") || echo "record: $name was not accepted" >&2
  ID[$name]=${ID[$name]%%.*}
}
letters() { qstat -u '*' | awk -v id="${ID[$1]}" '$1 == id {print $5; exit}'; }
is() { [[ $(letters "$1") == "$2" ]]; }
ended() { qacct -j "${ID[$1]}"; }
account() { record "qacct-$1" "accounting of the job $1" qacct -j "${ID[$1]}"; }
detail() {
  record "qstat-j-$1" "the job $1" qstat -j "${ID[$1]}"
}

engine purge
engine start
record qstat-empty 'no job at all' qstat -u '*'
record qstat-xml-empty 'no job at all' qstat -xml -u '*'

submit completed true
submit exit-3 'exit 3'
submit signal 'kill -SEGV $$'
submit running 'sleep 600'
submit array 'exit $((SGE_TASK_ID % 3))' -t 1-5
submit array-waiting 'sleep 600' -t 1-9 -tc 2
submit held true -h
submit dependency true -hold_jid held
submit later true -a "$(date -d '+2 hours' +%Y%m%d%H%M)"
submit too-many-slots true -pe smp 500
submit bad-directory true -wd "$WORK/missing"
submit bad-output true -o "$WORK/missing/out"
submit error-100 'exit 100'
submit reschedule-99 'sleep 3; exit 99'
submit deleted-running 'sleep 600'
submit deleted-waiting true -h
submit time-limit 'sleep 600' -q short.q -l h_rt=5
submit soft-time-limit 'trap "exit 9" USR1; sleep 600 & wait' -l s_rt=5
submit memory 'python3 -c "b = bytearray(600_000_000)"' -l h_vmem=300M
submit suspended 'sleep 600'
submit rescheduled 'sleep 600' -r y
submit shell-missing true -S /nonexistent/sh
for job in running deleted-running suspended rescheduled; do wait_until 30 is $job r; done
record qmod-suspend 'a running job is suspended' qmod -sj "${ID[suspended]}"
record qmod-reschedule 'a running job is put back' qmod -rj "${ID[rescheduled]}"
record qstat-rescheduling 'a job is being put back' qstat -u '*'
record qdel-running 'a running job' qdel "${ID[deleted-running]}"
record qdel-waiting 'a waiting job' qdel "${ID[deleted-waiting]}"
for job in completed exit-3 signal array deleted-running time-limit soft-time-limit memory; do wait_until 90 ended $job; done
for job in bad-directory bad-output error-100; do wait_until 30 is $job Eqw; done
record qstat-many 'every job of the situation in its name that has not ended' qstat -u '*'
record qstat-xml-many 'the same' qstat -xml -u '*'
record qstat-xml-tasks 'the same, tasks unfolded' qstat -xml -g d -u '*'
record qstat-xml-reasons 'the same with resources' qstat -xml -r -u '*'
record qstat-finished 'finished jobs' qstat -s z -u '*'
record qstat-user 'a user that has no job' qstat -xml -u nobody
for job in bad-directory bad-output error-100 too-many-slots running array-waiting held; do detail $job; done
record qstat-xml-j 'two jobs' qstat -xml -j "${ID[running]},${ID[bad-output]}"
record qstat-j-unknown 'an unknown id' qstat -j 99999
record qstat-xml-j-unknown 'an unknown id' qstat -xml -j 99999
record qstat-j-ended 'a job that ended' qstat -j "${ID[exit-3]}"
for job in completed exit-3 signal array deleted-running time-limit soft-time-limit memory; do account $job; done
record qacct-unknown 'an unknown id' qacct -j 99999
record qacct-deleted-waiting 'a job that was deleted before it ran' qacct -j "${ID[deleted-waiting]}"
record qacct-running 'a job that runs' qacct -j "${ID[running]}"
record qacct-by-name 'search by job name' qacct -j exit-3
record qdel-unknown 'an unknown id' qdel 99999
record qdel-ended 'a job that ended' qdel "${ID[exit-3]}"
record qdel-many 'a waiting job and an unknown one' qdel "${ID[later]}" 99999
record qmod-clear-error 'an error state is cleared: exit code 1 is success' qmod -cj "${ID[error-100]}"
record qdel-error 'a job in error state' qdel "${ID[bad-directory]}"
record qhold 'a waiting job' qhold "${ID[too-many-slots]}"
record qrls 'a held job' qrls "${ID[too-many-slots]}"
record qsub-terse 'accepted' qsub -terse -h -b y -N accepted /bin/true
record qsub-terse-array 'an array accepted' qsub -terse -h -b y -t 1-10 -N accepted-array /bin/true
record qsub-plain 'accepted, without -terse' qsub -h -b y -N accepted-plain /bin/true
record qsub-no-queue 'unknown queue' qsub -terse -q nosuch.q -b y /bin/true
record qsub-no-resource 'unknown resource' qsub -terse -l nosuch=1 -b y /bin/true
record qsub-no-environment 'unknown parallel environment' qsub -terse -pe nope 2 -b y /bin/true
record qsub-no-project 'unknown project' qsub -terse -P nosuch -b y /bin/true
record qsub-no-file 'script that does not exist' qsub -terse /no/such/file
record qsub-bad-option 'unknown option' qsub -terse -nosuch -b y /bin/true
record qsub-verify 'can never run: asked for with -w v' qsub -terse -w v -pe smp 500 -b y /bin/true
record qsub-refused 'can never run: asked for with -w e' qsub -terse -w e -pe smp 500 -b y /bin/true
record qhost 'hosts' qhost
record qstat-queues 'queues' qstat -f
record qstat-clusters 'queues, a line each' qstat -g c
record qconf-config 'limits' qconf -sconf

# -- the master is down
engine down qmaster
record qsub-master-down 'qmaster down' qsub -terse -b y /bin/true
record qstat-master-down 'qmaster down' qstat -u '*'
record qstat-xml-master-down 'qmaster down' qstat -xml -u '*'
record qstat-j-master-down 'qmaster down' qstat -j "${ID[running]}"
record qdel-master-down 'qmaster down' qdel "${ID[running]}"
record qacct-master-down 'qmaster down: accounting is a file' qacct -j "${ID[exit-3]}"
engine up qmaster

# -- the node is lost: a job that may be rerun, one that may not
submit node-lost 'sleep 600' -r n
submit node-lost-rerun 'sleep 600' -r y
for job in node-lost node-lost-rerun; do wait_until 90 is $job r; done
engine crash execd
record qstat-node-lost-early 'the node was lost a moment ago' qstat -u '*'
wait_until 90 is node-lost-rerun Rq
record qstat-node-lost 'the node is unreachable: one job waits again' qstat -u '*'
record qstat-xml-node-lost 'the same' qstat -xml -u '*'
record qstat-queues-node-lost 'the queue is unreachable' qstat -f
engine up execd
wait_until 60 ended node-lost
record qstat-node-back 'the node is back' qstat -u '*'
account node-lost
account node-lost-rerun
keep accounting 'the accounting file' "$ENGINE_ROOT/gridengine/root/default/common/accounting"
engine stop
finish 'Son of Grid Engine 8.1.9'
