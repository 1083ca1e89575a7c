#!/usr/bin/env bash
# Records fixtures from a fresh HTCondor: ENGINE_ROOT and HTCONDOR_PORT choose the pool (test/engines/htcondor.sh), which is purged first.
# Each job carries its situation as the attribute CafToken, and its user log is NAME.log. Takes about three minutes.
ENGINE=htcondor
source "$(dirname "$0")/lib.sh"
engine() { bash "$RECORDERS/../htcondor.sh" "$@" >/dev/null; }
PATH=${ENGINE_ROOT:-/var/lib/engines}/condor/bin:$PATH
chmod 1777 "$WORK"
cd "$WORK"

ATTRIBUTES=ClusterId,ProcId,JobStatus,CafToken,Owner,HoldReason,HoldReasonCode,HoldReasonSubCode,RemoveReason,ExitBySignal,ExitCode,ExitSignal,NumJobStarts,NumShadowStarts,RemoteHost,LastRemoteHost,QDate,JobStartDate,JobCurrentStartDate,EnteredCurrentStatus,CompletionDate,RemoteWallClockTime,ResidentSetSize_RAW,MemoryUsage,RequestMemory,RequestCpus,UserLog

declare -A ID
# submit SITUATION 'SHELL TEXT' ['SUBMIT LINE' ...]: remembers the id in ID[SITUATION].
submit() {
  local name=$1 text=$2 queue=queue line
  shift 2
  printf '#!/bin/sh\n%s\n' "$text" >"$name.sh"
  chmod 755 "$name.sh"
  {
    printf '%s\n' "executable = $WORK/$name.sh" "output = $WORK/$name.\$(Process).stdout" "error = $WORK/$name.\$(Process).stderr" "log = $WORK/$name.log" 'request_memory = 100MB' "+CafToken = \"$name\""
    for line in "$@"; do case $line in queue*) queue=$line ;; *) printf '%s\n' "$line" ;; esac; done
    printf '%s\n' "$queue"
  } >"$name.sub"
  ID[$name]=$(condor_submit -terse "$name.sub" | sed 's/ .*//')
  [ -n "${ID[$name]}" ] || echo "record: $name was not accepted" >&2
}
status() { condor_q "${ID[$1]}" -af JobStatus; }
is() { [[ $(status "$1") == "$2" ]]; }
ended() { grep -q '^\(005\|009\) ' "$1.log"; }
queue() { record "condor_q-$1" "$2" condor_q -json -attributes "$ATTRIBUTES" "${@:3}"; }
history() { record "condor_history-$1" "$2" condor_history -json -attributes "$ATTRIBUTES" "${@:3}"; }

grow='exec python3 -c "import time; b = bytearray(300_000_000); time.sleep(60)"'

engine purge
engine start

queue empty 'no job at all: nothing is printed'
history empty 'no job has ended yet'
submit completed 'sleep 1'
submit exit-3 'exit 3'
submit signal 'kill -SEGV $$'
submit running 'sleep 600'
submit array 'exit $1' 'arguments = $(Process)' 'queue 4'
submit idle 'true' 'requirements = (Machine == "nosuch")'
submit memory "$grow"
submit held-at-submit 'true' 'hold = true'
submit held-exit 'exit 5' 'on_exit_hold = ExitCode =?= 5' 'on_exit_hold_reason = "exit 5 is held for a look"'
submit held-executable 'true' "transfer_executable = false" "executable = /nonexistent/program"
submit held-output 'true' "output = $WORK/missing/out"
# without file transfer HTCondor 23.9 mostly forgets allowed_execute_duration
submit held-run-time 'sleep 600' 'allowed_execute_duration = 5' 'should_transfer_files = YES'
submit held-periodic 'sleep 600' 'periodic_hold = (JobStatus == 2) && (time() - EnteredCurrentStatus > 2)' 'periodic_hold_reason = "ran longer than 2 s"' 'periodic_hold_subcode = 42'
submit held-input 'true' 'should_transfer_files = YES' 'transfer_input_files = /nonexistent/input'
submit held-by-user 'sleep 600'
submit released 'sleep 2'
submit removed-running 'sleep 600'
submit removed-idle 'true' 'requirements = (Machine == "nosuch")'
submit removed-periodic 'sleep 600' 'periodic_remove = (JobStatus == 2) && (time() - EnteredCurrentStatus > 2)'
submit retried 'exit 9' 'max_retries = 2'
submit kept-in-queue 'exit 0' 'leave_in_queue = true'
submit suspended 'sleep 600'
submit vacated 'sleep 600'
mkdir "$WORK/vanishing"; chmod 1777 "$WORK/vanishing"
submit directory-vanished 'true' "initialdir = $WORK/vanishing" 'hold = true'
rmdir "$WORK/vanishing"; condor_release "${ID[directory-vanished]}" >/dev/null
for job in held-by-user released removed-running suspended vacated running; do wait_until 60 is $job 2; done
record condor_status-slots 'slots that are not parts of others' \
  condor_status -constraint 'SlotType =!= "Dynamic"' -af TotalSlotCpus TotalSlotMemory OpSysAndVer
record condor_hold 'a running job is held' condor_hold "${ID[held-by-user]}" -reason 'the disk is full'
condor_hold "${ID[released]}" >/dev/null && wait_until 10 is released 5 && record condor_release 'a held job is released' condor_release "${ID[released]}"
record condor_rm 'a running job is removed' condor_rm "${ID[removed-running]}" -reason 'cancelled by caf'
condor_rm "${ID[removed-idle]}" >/dev/null
record condor_suspend 'a running job is suspended' condor_suspend "${ID[suspended]}"
condor_vacate_job "${ID[vacated]}" >/dev/null
for job in memory held-exit held-executable held-output held-run-time held-periodic held-input held-by-user directory-vanished; do wait_until 60 is $job 5; done
wait_until 20 is suspended 7
for job in completed exit-3 signal removed-running removed-idle removed-periodic retried released; do wait_until 180 ended $job; done
wait_until 30 is kept-in-queue 4
# last: while other jobs come and go, such a job can crash the schedd of 23.9
submit held-arguments 'true' 'arguments = "$$(NoSuchAttribute)"'
wait_until 60 is held-arguments 5
queue all 'every job of the situation in its CafToken that has not left the queue'
history all 'every job of the situation in its CafToken that left the queue'
record condor_q-af 'the same jobs, one line each' condor_q -allusers -af:jt JobStatus HoldReasonCode HoldReasonSubCode CafToken
record condor_history-af 'the same, one line each' condor_history -af:jt JobStatus ExitBySignal ExitCode ExitSignal CafToken
record condor_q-full-json 'all attributes of one running job' condor_q -json "${ID[running]}"
queue token 'search by token' -constraint 'CafToken == "running"'
queue token-unknown 'search by a token nobody has: nothing is printed' -constraint 'CafToken == "nosuch"'
queue unknown 'an unknown id: nothing is printed' 99999
history token 'search by token' -constraint 'CafToken == "exit-3"'
history unknown 'search by a token nobody has' -constraint 'CafToken == "nosuch"'
history limited 'the newest two' -limit 2
record condor_rm-unknown 'an unknown id' condor_rm 99999
record condor_rm-ended 'a job that has left the queue' condor_rm "${ID[exit-3]}"
record condor_rm-constraint 'by token' condor_rm -constraint 'CafToken == "idle"'
record condor_rm-constraint-unknown 'by a token nobody has' condor_rm -constraint 'CafToken == "nosuch"'
record condor_rm-kept 'a completed job that stays in the queue' condor_rm "${ID[kept-in-queue]}"
queue kept-removed 'the same afterwards' "${ID[kept-in-queue]%.*}"
record condor_rm-forcex 'the same by force' condor_rm -forcex "${ID[kept-in-queue]}"

# -- submission
printf 'executable = /bin/true\nhold = true\nqueue 3\n' >accepted.sub
record condor_submit-terse 'three jobs accepted' condor_submit -terse accepted.sub
record condor_submit-plain 'three jobs accepted, without -terse' condor_submit accepted.sub
printf 'executable = /bin/true\nhold = true\nrequst_memory = 3\nqueue\n' >typo.sub
record condor_submit-typo 'a key that HTCondor does not know: a warning' condor_submit -terse typo.sub
printf 'executable = /no/such/exe\nqueue\n' >no-executable.sub
record condor_submit-no-executable 'an executable that does not exist' condor_submit -terse no-executable.sub
printf 'executable = /bin/true\ninitialdir = /nonexistent\nqueue\n' >no-directory.sub
record condor_submit-no-directory 'an initial directory that does not exist' condor_submit -terse no-directory.sub
printf 'executable = /bin/true\nqueue x y z\n' >bad-queue.sub
record condor_submit-bad-queue 'a queue statement that cannot be read' condor_submit -terse bad-queue.sub
record condor_submit-no-file 'a submit file that does not exist' condor_submit -terse /no/such.sub
record condor_version 'version' condor_version
record condor_status 'slots' condor_status -json -attributes Name,State,Activity,Cpus,Memory,TotalSlotCpus,TotalSlotMemory
record condor_config_val-limits 'limits of the pool' condor_config_val -verbose MAX_JOBS_PER_OWNER MAX_JOBS_PER_SUBMISSION JOB_DEFAULT_LEASE_DURATION

# -- a daemon is down
down() {
  queue "$1-down" "$2 down"
  history "$1-down" "$2 down" -limit 1
  record "condor_q-totals-$1-down" "$2 down" condor_q -totals
  record "condor_submit-$1-down" "$2 down" condor_submit -terse accepted.sub
  record "condor_rm-$1-down" "$2 down" condor_rm "${ID[held-at-submit]}"
  record "condor_status-$1-down" "$2 down" condor_status -af Name
}
reachable() { condor_q -totals; }
submit survives 'sleep 12'
wait_until 30 is survives 2
engine down SCHEDD
wait_until 20 eval '! condor_q -totals'
down schedd SCHEDD
engine up SCHEDD
wait_until 60 reachable
wait_until 60 ended survives
engine down COLLECTOR
wait_until 20 eval '! condor_status -af Name'
down collector COLLECTOR
engine up COLLECTOR
wait_until 60 eval '[ -n "$(condor_status -af Name)" ]'
# power loss of the node: the job stays "running" until its lease is over, then runs again
submit node-lost 'sleep 600'
wait_until 60 is node-lost 2
engine crash STARTD
wait_until 30 grep -q '^022 ' node-lost.log
queue node-lost-early 'the node was lost a moment ago' "${ID[node-lost]}"
wait_until 120 is node-lost 1
queue node-lost 'the lease is over: idle again' "${ID[node-lost]}"
engine up STARTD
wait_until 120 is node-lost 2
queue node-lost-again 'it runs for the second time' "${ID[node-lost]}"
condor_rm "${ID[node-lost]}" >/dev/null
wait_until 30 ended node-lost
# an administrator switches the node off and on: jobs are evicted and run again
submit node-off 'sleep 600'
wait_until 60 is node-off 2
engine down STARTD
wait_until 60 is node-off 1
queue node-off 'evicted, idle again' "${ID[node-off]}"
engine up STARTD
condor_rm "${ID[node-off]}" >/dev/null
wait_until 30 ended node-off
# the network to the node is lost for longer than the lease: the job lives on there, and runs again as soon as there is a node
submit node-cut 'sleep 600'
wait_until 60 is node-cut 2
engine cut STARTD
wait_until 120 grep -q '^024 ' node-cut.log
wait_until 60 is node-cut 1
queue node-cut 'given up by the submit side; the old run is still alive' "${ID[node-cut]}"
engine up STARTD
wait_until 120 is node-cut 2
condor_rm "${ID[node-cut]}" >/dev/null
wait_until 30 ended node-cut

for log in completed exit-3 signal array memory held-exit held-executable held-output held-run-time held-periodic held-input held-arguments held-at-submit held-by-user directory-vanished released removed-running removed-idle removed-periodic retried suspended vacated survives node-lost node-off node-cut; do
  keep "userlog-$log.log" "user log of $log" "$WORK/$log.log"
done
engine stop
finish "HTCondor $(sed -n 's/^\$CondorVersion: \([^ ]*\).*/\1/p' "$OUT/condor_version.out")"
