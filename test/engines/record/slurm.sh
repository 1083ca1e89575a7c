#!/usr/bin/env bash
# Records fixtures from a fresh Slurm: ENGINE_ROOT and SLURM_* choose the cluster (test/engines/slurm.sh), which is purged first.
# Each job is named after its situation, so a fixture that lists many jobs explains itself. Takes about four minutes.
# the fixtures of another version lie in a directory of their own, for example slurm-24.11
ENGINE=${RECORD_AS:-slurm}
RECORDER=slurm
source "$(dirname "$0")/lib.sh"
engine() { bash "$RECORDERS/../slurm.sh" "$@" >/dev/null; }
PATH=${ENGINE_ROOT:-/var/lib/engines}/slurm/bin:$PATH
cd "$WORK"

SQUEUE='%i|%A|%F|%K|%T|%r|%N|%S|%e|%u|%j|%k'
SACCT=JobID,JobIDRaw,JobName,State,ExitCode,DerivedExitCode,Reason,NodeList,Start,End,ElapsedRaw,MaxRSS,Restarts,Comment
[ -z "${SLURM_SUITE:-}" ] && SACCT=${SACCT/Restarts,/} # sacct has no such field before 23.11

declare -A ID
# submit SITUATION SBATCH-OPTIONS...: remembers the id in ID[SITUATION].
submit() {
  local name=$1
  shift
  ID[$name]=$(sbatch --parsable --job-name="$name" --comment="token-$name" --output="$WORK/%x-%j.log" "$@") || echo "record: $name was not accepted" >&2
}
state() { squeue -h -t all -j "$1" -o %T 2>/dev/null | head -n 1; }
is() { [[ $(state "${ID[$1]}") == "$2" ]]; }
ended() { [[ $(sacct -n -P -X -j "${ID[$1]}" -o State,End | grep -vc '^\(PENDING\|RUNNING\|COMPLETING\|REQUEUED\|RESIZING\|SUSPENDED\)\|Unknown') -ge 1 ]]; }
queue() { record "squeue-$1" "$2" squeue --noheader --array --states=all --format="$SQUEUE" "${@:3}"; }
history() { record "sacct-$1" "$2" sacct --noheader --parsable2 --allocations --format="$SACCT" "${@:3}"; }
steps() { record "sacct-steps-$1" "$2" sacct --noheader --parsable2 --format="$SACCT" "${@:3}"; }
detail() { record "scontrol-job-$1" "$2" scontrol --oneliner show job "${ID[$1]}"; }

grow='python3 -c "import time; b = bytearray(300_000_000); time.sleep(20)"'

engine purge
engine start

# -- a small cluster life in JSON, while few jobs exist
submit completed --wrap 'true'
submit exit-3 --wrap 'exit 3'
submit held --hold --wrap 'true'
submit running --wrap 'sleep 600'
submit small-array --array=0-4%2 --wrap '[ $SLURM_ARRAY_TASK_ID != 0 ] && sleep 600; exit 0'
wait_until 30 ended completed && wait_until 30 ended exit-3 && wait_until 30 is running RUNNING
record squeue-json 'one job completed, one failed, one held, one running, an array with one task done, two running, two waiting' squeue --json
record squeue-json-all 'the same, all states asked for' squeue --json --states=all
record sacct-json 'the same in sacct' sacct --json --allocations
record squeue-folded 'pending tasks of an array are folded without --array' squeue --noheader --states=all --format="$SQUEUE"
scancel "${ID[small-array]}"

# -- how jobs end
submit signal --wrap 'kill -SEGV $$'
submit killed --wrap 'kill -KILL $$'
submit no-such-command --wrap 'no-such-command'
submit memory --mem=100M --wrap "$grow"
submit memory-step --mem=100M --wrap "srun $grow; true"
submit time-limit --time=00:00:10 --wrap 'sleep 300'
submit time-limit-trapped --time=00:00:10 --wrap 'trap "exit 0" TERM; sleep 300 & wait'
submit cancelled-running --wrap 'sleep 600'
submit cancelled-pending --hold --wrap 'true'
submit cancelled-term-trapped --wrap 'trap "exit 7" TERM; sleep 600 & wait'
submit array --array=0-9%3 --wrap 'exit $((SLURM_ARRAY_TASK_ID % 3))'
submit bad-directory --chdir="$WORK/missing" --wrap 'pwd'
submit bad-output --output="$WORK/missing/x.log" --wrap 'true'

submit step-signal --wrap 'srun sh -c "kill -SEGV \$\$"; exit 4'
# -- how jobs wait
submit begin-later --begin=now+1hour --wrap 'true'
submit dependency --dependency=afterok:"${ID[held]}" --wrap 'true'
submit dependency-never --dependency=afterok:"${ID[exit-3]}" --wrap 'true'
submit dependency-kill --dependency=afterok:"${ID[exit-3]}" --kill-on-invalid-dep=yes --wrap 'true'
submit partition-time --partition=short --time=10 --wrap 'true'
submit too-many-tasks --ntasks=999 --wrap 'true'
submit held-by-admin --wrap 'true' --begin=now+1hour
scontrol hold "${ID[held-by-admin]}"
submit suspended --wrap 'sleep 600'
wait_until 30 is suspended RUNNING && scontrol suspend "${ID[suspended]}"
wait_until 30 is cancelled-running RUNNING && scancel "${ID[cancelled-running]}"
wait_until 30 is cancelled-term-trapped RUNNING && scancel "${ID[cancelled-term-trapped]}"
scancel "${ID[cancelled-pending]}"
submit requeued --wrap 'sleep 600'
submit requeued-held --wrap 'sleep 600'
submit special-exit --wrap 'sleep 600'
for job in requeued requeued-held special-exit; do wait_until 30 is $job RUNNING; done
scontrol requeue "${ID[requeued]}"
scontrol requeuehold "${ID[requeued-held]}"
scontrol requeuehold State=SpecialExit "${ID[special-exit]}"
submit completing --wrap 'trap "" TERM; sleep 600; sleep 600'
wait_until 30 is completing RUNNING && scancel "${ID[completing]}"
queue completing 'cancelled a moment ago, its processes are being ended' --jobs="${ID[completing]}"
for job in signal killed no-such-command memory memory-step array bad-directory bad-output step-signal; do wait_until 60 ended $job; done
submit whole-cluster --nodes=2 --exclusive --wrap 'true'
submit deadline --nodes=2 --exclusive --deadline=now+90seconds --time=1 --wrap 'true'
submit behind --ntasks=8 --nodes=1 --wrap 'true' --nice=1000
wait_until 20 eval '[[ $(squeue -h -j ${ID[whole-cluster]} -o %r) == Resources ]]'
for job in held begin-later dependency dependency-never held-by-admin suspended requeued requeued-held special-exit whole-cluster running signal memory bad-output cancelled-running array; do
  detail $job "scontrol of the job $job"
done
queue many 'every job of the situations in its name (time limits not yet over)'
record squeue-user-wrong 'a user that has no job' squeue --noheader --array --states=all --format="$SQUEUE" --user=nobody
record squeue-one-unknown 'two ids, one unknown' squeue --noheader --jobs="999999,${ID[held]}" --format="$SQUEUE"
record squeue-unknown 'an unknown id' squeue --noheader --jobs=999999 --format="$SQUEUE"
record sacct-unknown 'an unknown id' sacct --noheader --parsable2 --jobs=999999 --format="$SACCT"
record scontrol-unknown 'an unknown id' scontrol --oneliner show job 999999
record scancel-unknown 'an unknown id: silent success' scancel 999999
record scancel-unknown-verbose 'an unknown id' scancel --verbose 999999
record scancel-finished 'a finished job' scancel "${ID[exit-3]}"
record sbatch-parsable 'accepted' sbatch --parsable --hold --job-name=accepted --output=/dev/null --wrap true
record sbatch-array 'an array accepted' sbatch --parsable --hold --array=0-9 --job-name=accepted-array --output=/dev/null --wrap true
record sbatch-plain 'accepted, without --parsable' sbatch --hold --job-name=accepted-plain --output=/dev/null --wrap true
record sbatch-no-partition 'unknown partition' sbatch --parsable --partition=nosuch --wrap true
record sbatch-memory 'more memory than any node has' sbatch --parsable --mem=999999M --wrap true
record sbatch-array-too-large 'array index over MaxArraySize' sbatch --parsable --array=0-20000 --wrap true
record sbatch-no-feature 'unknown feature' sbatch --parsable --constraint=nosuch --wrap true
record sbatch-no-reservation 'unknown reservation' sbatch --parsable --reservation=nosuch --wrap true
record sbatch-no-gpu 'GPUs where none are' sbatch --parsable --gres=gpu:1 --wrap true
record sbatch-bad-time 'time limit that cannot be read' sbatch --parsable --time=soon --wrap true
record sbatch-bad-option 'unknown option' sbatch --parsable --nosuch --wrap true
record sbatch-no-file 'script that does not exist' sbatch --parsable /no/such/file
record sbatch-dependency-unknown 'depends on an unknown job' sbatch --parsable --dependency=afterok:999999 --hold --wrap true
record scontrol-config 'limits of the cluster' scontrol show config
record scontrol-partition 'partitions' scontrol --oneliner show partition
record scontrol-ping 'controller up' scontrol ping
record sinfo 'partitions and nodes' sinfo --noheader --format='%P|%a|%l|%D|%T|%c|%m|%f|%G'
record sdiag 'statistics of the controller' sdiag
record version 'version' sbatch --version
record squeue-by-name 'search by job name' squeue --noheader --array --states=all --name=held --format="$SQUEUE"
record sacct-by-name 'search by job name' sacct --noheader --parsable2 --allocations --name=held,exit-3 --starttime=now-1hour --format="$SACCT"

# -- time limits are noticed every 30 s
wait_until 120 ended time-limit
wait_until 120 ended time-limit-trapped
detail time-limit 'over its time limit'
wait_until 120 is deadline DEADLINE
# -- a node is lost: a job that may be requeued, one that may not
submit node-lost --no-requeue --nodelist=n1 --wrap 'sleep 600'
submit node-lost-requeued --nodelist=n1 --wrap 'sleep 600'
scancel "${ID[whole-cluster]}" "${ID[behind]}"
wait_until 30 is node-lost RUNNING && wait_until 30 is node-lost-requeued RUNNING
engine crash n1
queue node-lost-before 'node crashed a moment ago, not noticed yet' --jobs="${ID[node-lost]},${ID[node-lost-requeued]}"
wait_until 60 is node-lost NODE_FAIL
queue node-lost 'node down: lost job, and a job that waits again' --jobs="${ID[node-lost]},${ID[node-lost-requeued]}"
record sinfo-node-down 'a node is down' sinfo --noheader --format='%P|%a|%l|%D|%T|%c|%m|%f|%G'
detail node-lost 'node lost, not requeued'
detail node-lost-requeued 'node lost, requeued'
submit needs-dead-node --nodelist=n1 --wrap true
wait_until 20 eval '[[ $(squeue -h -j ${ID[needs-dead-node]} -o %r) == *Avail* ]]'
queue needs-dead-node 'asks for a node that is down' --jobs="${ID[needs-dead-node]}"
engine up n1
wait_until 60 is needs-dead-node COMPLETED
# -- partition closed by an administrator
scontrol update partitionname=short state=down
submit partition-down --partition=short --time=1 --wrap true
wait_until 20 eval '[[ $(squeue -h -j ${ID[partition-down]} -o %r) == Partition* ]]'
queue partition-down 'partition is down' --jobs="${ID[partition-down]}"
scontrol update partitionname=short state=drain
record sbatch-partition-drain 'partition takes no jobs' sbatch --parsable --partition=short --time=1 --wrap true
scontrol update partitionname=short state=up

# -- the whole history
history all 'every job of the situation in its name' --starttime=now-1hour --user="$(id -un)"
history all-duplicates 'the same with the runs before a requeue' --duplicates --starttime=now-1hour --user="$(id -un)"
steps ends 'jobs with their steps' --jobs="${ID[exit-3]},${ID[signal]},${ID[memory]},${ID[memory-step]},${ID[time-limit]},${ID[time-limit-trapped]},${ID[step-signal]},${ID[cancelled-running]},${ID[bad-output]}"
queue all 'every job of the situation in its name, at the end'
keep log-memory.log 'what a job over its memory finds in its log' "$WORK/memory-${ID[memory]}.log"
keep log-time-limit.log 'what a job over its time limit finds in its log' "$WORK/time-limit-${ID[time-limit]}.log"
keep log-cancelled.log 'what a cancelled job finds in its log' "$WORK/cancelled-running-${ID[cancelled-running]}.log"
keep log-bad-directory.log 'a working directory that does not exist' "$WORK/bad-directory-${ID[bad-directory]}.log"

# -- a daemon is down
submit survivor --wrap 'sleep 600'
wait_until 30 is survivor RUNNING
# down SUFFIX DAEMON: everything a backend might ask meanwhile
down() {
  engine down "$2"
  queue "$1" "$2 down"
  [ "$2" = dbd ] || record "squeue-json-$1" "$2 down" squeue --json
  record "sbatch-$1" "$2 down" sbatch --parsable --job-name="during-$1" --output=/dev/null --wrap true
  history "$1" "$2 down" --jobs="${ID[survivor]}"
  record "sacct-json-$1" "$2 down" sacct --json --jobs="${ID[survivor]}"
  record "scancel-$1" "$2 down" scancel "${ID[held-by-admin]}"
  record "scontrol-job-$1" "$2 down" scontrol --oneliner show job "${ID[survivor]}"
  record "scontrol-ping-$1" "$2 down" scontrol ping
  record "sinfo-$1" "$2 down" sinfo --noheader
  record "sdiag-$1" "$2 down" sdiag
  engine up "$2"
}
down controller-down ctld
down database-down dbd
# half a minute without munge: the nodes cannot answer and count as lost
down munge-down munge
wait_until 60 eval '! is survivor RUNNING'
queue after-munge 'munge was down for half a minute: the nodes counted as lost' --jobs="${ID[survivor]}"
engine stop

# -- a site with accounts, limits, preemption and a prolog that fails in one partition
printf '#!/bin/sh\n[ "$SLURM_JOB_PARTITION" != broken ]\n' >prolog
chmod 755 prolog
chmod 1777 .
SLURM_EXTRA_CONF="AccountingStorageEnforce=associations,limits,qos
Prolog=$WORK/prolog
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL PriorityTier=100 MaxTime=1-0
PartitionName=scavenge Nodes=ALL PriorityTier=0 MaxTime=1-0 PreemptMode=CANCEL
PartitionName=broken Nodes=ALL MaxTime=1-0" engine start
sacctmgr -i -Q add account physics,small,group >/dev/null
sacctmgr -i -Q add qos one,brief >/dev/null
sacctmgr -i -Q modify qos one set MaxJobsPerUser=1 >/dev/null
sacctmgr -i -Q modify qos brief set MaxWall=00:01:00 >/dev/null
sacctmgr -i -Q add user nobody account=physics,small,group defaultaccount=physics qos=normal,one,brief >/dev/null
sacctmgr -i -Q modify user nobody where account=small set MaxJobs=1 MaxSubmitJobs=3 >/dev/null
sacctmgr -i -Q modify account group set GrpTRES=cpu=1 >/dev/null
sbatch_as_user() { setpriv --reuid nobody --regid nogroup --clear-groups sbatch "$@"; }
sbatch() { sbatch_as_user "$@"; }
sbatch_known() { sbatch --account=physics --hold --wrap true; }
wait_until 30 sbatch_known
refused() { record "$1" "$2" setpriv --reuid nobody --regid nogroup --clear-groups sbatch --parsable "${@:3}" --wrap true; }
for job in limit-account limit-account-waits limit-account-third; do submit $job --account=small --wrap 'sleep 600'; done
refused sbatch-submit-limit 'one job more than the account may have in the queue' --account=small
refused sbatch-no-account 'unknown account' --account=nosuch
refused sbatch-no-qos 'unknown quality of service' --qos=nosuch
for job in limit-qos limit-qos-waits; do submit $job --qos=one --wrap 'sleep 600'; done
for job in limit-group limit-group-waits; do submit $job --account=group --wrap 'sleep 600'; done
submit limit-wall --qos=brief --time=10 --wrap true
scontrol create reservation=calibration starttime=now+2hours duration=60 users=nobody nodes=n1 >/dev/null
submit reservation --reservation=calibration --wrap true
submit prolog-fails --partition=broken --nodelist=n2 --wrap true
wait_until 30 eval '[[ $(squeue -h -j ${ID[prolog-fails]} -o %r) == *held* ]]'
for pair in limit-account-waits:AssocMaxJobsLimit limit-qos-waits:QOSMaxJobsPerUserLimit limit-group-waits:AssocGrpCpuLimit reservation:Reservation; do
  wait_until 20 eval '[[ $(squeue -h -j ${ID['"${pair%:*}"']} -o %r) == '"${pair#*:}"' ]]'
done
queue limits 'what waits for a limit of the site, a reservation, or an administrator' --user=nobody
detail prolog-fails 'the prolog of the node failed: held'
record sinfo-node-drained 'a prolog failed on n2' sinfo --noheader --format='%P|%a|%l|%D|%T|%c|%m|%f|%G'
scontrol update nodename=n2 state=resume
scancel --user=nobody
scancel "${ID[survivor]}"
scontrol delete reservationname=calibration
wait_until 60 eval '[[ -z $(squeue -h --user=nobody) ]]'
for job in preempted-cancelled:scavenge preempted-requeued:main; do submit "${job%:*}" --partition="${job#*:}" --nodes=1 --ntasks=8 --wrap 'sleep 600'; done
wait_until 30 is preempted-cancelled RUNNING && wait_until 30 is preempted-requeued RUNNING
submit preemptor --partition=urgent --nodes=2 --exclusive --wrap 'sleep 600'
wait_until 60 is preemptor RUNNING
queue preempted 'preempted by the job preemptor: one cancelled, one put back into the queue' --jobs="${ID[preempted-cancelled]},${ID[preempted-requeued]},${ID[preemptor]}"
wait_until 30 ended preempted-cancelled
history preempted 'the same' --duplicates --jobs="${ID[preempted-cancelled]},${ID[preempted-requeued]}"
unset -f sbatch
engine stop

# -- memory limits by cgroup
if [[ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]]; then
  SLURM_MEMORY=cgroup1 engine start
  submit memory-cgroup --mem=100M --wrap "$grow"
  submit memory-cgroup-step --mem=100M --wrap "srun $grow; true"
  wait_until 60 ended memory-cgroup && wait_until 60 ended memory-cgroup-step
  queue memory-cgroup 'over its memory: the batch script, a step of it' --jobs="${ID[memory-cgroup]},${ID[memory-cgroup-step]}"
  history memory-cgroup 'the same' --jobs="${ID[memory-cgroup]},${ID[memory-cgroup-step]}"
  steps memory-cgroup 'the same with steps' --jobs="${ID[memory-cgroup]},${ID[memory-cgroup-step]}"
  detail memory-cgroup 'over its memory'
  keep log-memory-cgroup.log 'what it finds in its log' "$WORK/memory-cgroup-${ID[memory-cgroup]}.log"
  engine stop
fi

finish "Slurm $(sed -n 's/^slurm[-a-z]* //p' "$OUT/version.out")"
