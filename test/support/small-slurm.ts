// A stand-in for Slurm on this machine, for what is not about Slurm: sbatch, squeue and scancel as shell scripts that run jobs at once, or keep them.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SmallSlurm {
  /** To be put first on PATH. */
  readonly bin: string;
  /** From now on jobs wait, as if all nodes were in use. */
  hold(): void;
  /** Those that wait begin, and all that come. */
  release(): void;
  /** What sbatch says instead of taking a job, and its exit status; null = it takes jobs again. */
  answer(text: string | null, exitCode?: number): void;
  /** What sbatch says beside taking a job. */
  warn(text: string): void;
  /** All commands fail, as when the controller is down. */
  goDown(): void;
}

const COMMANDS: Readonly<Record<string, string>> = {
  sbatch: `
[ "$1" != --version ] || { echo slurm 22.05.8; exit; }
if [ -e "$state/answer" ]; then cat "$state/answer" >&2; exit "$(cat "$state/code")"; fi
[ ! -e "$state/warning" ] || cat "$state/warning" >&2
id=1; while ! mkdir "$state/$id" 2>/dev/null; do id=$((id + 1)); done
for word; do case "$word" in --job-name=*) echo "\${word#*=}" >"$state/$id/name";; --output=*) echo "\${word#*=}" >"$state/$id/log";; esac; script="$word"; done
echo "$script" >"$state/$id/script"
[ -e "$state/hold" ] || "$bin/start" "$id"
echo "$id"`,
  start: `
setsid sh -c 'SLURM_JOB_ID=$1 SLURM_ARRAY_TASK_ID=0 sh "$2" >>"$3" 2>&1; touch "$4"' job "$1" "$(cat "$state/$1/script")" "$(cat "$state/$1/log")" "$state/$1/over" </dev/null >/dev/null 2>&1 &
echo $! >"$state/$1/pid"`,
  squeue: `
for job in "$state"/[0-9]*; do
  id="\${job##*/}"; [ -d "$job" ] || continue
  if [ -e "$job/over" ]; then word=COMPLETED; elif [ -e "$job/pid" ]; then word=RUNNING; else word=PENDING; fi
  echo "\${id}_0|$id|$id|0|$word|None|n1|||root|$(cat "$job/name")|"
done`,
  scancel: `
id="\${1%%_*}"
[ -e "$state/$id/pid" ] && kill -TERM -- "-$(cat "$state/$id/pid")" 2>/dev/null
touch "$state/$id/over"`,
};

export function createSmallSlurm(directory: string): SmallSlurm {
  const bin = join(directory, 'slurm-bin');
  const state = join(directory, 'slurm-state');
  mkdirSync(bin);
  mkdirSync(state);
  const down = `[ -e "$state/down" ] && { echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1; }`;
  for (const [name, body] of Object.entries(COMMANDS)) {
    writeFileSync(join(bin, name), `#!/bin/sh\nbin='${bin}'; state='${state}'\n${name === 'start' ? '' : down}\n${body.trimStart()}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return {
    bin,
    hold: () => writeFileSync(join(state, 'hold'), ''),
    release() {
      rmSync(join(state, 'hold'), { force: true });
      for (const id of readdirSync(state).filter((name) => /^\d+$/.test(name)))
        if (!existsSync(join(state, id, 'pid')) && !existsSync(join(state, id, 'over'))) spawnSync(join(bin, 'start'), [id]);
    },
    answer(text, exitCode = 1) {
      if (text === null) rmSync(join(state, 'answer'), { force: true });
      else {
        writeFileSync(join(state, 'answer'), text);
        writeFileSync(join(state, 'code'), String(exitCode));
      }
    },
    warn: (text) => writeFileSync(join(state, 'warning'), text),
    goDown: () => writeFileSync(join(state, 'down'), ''),
  };
}
