// LSF: its command lines, and what its answers mean. Written after the manuals of 9.1 and 10.1; tried on fakes only.
import type { LsfSite } from '../domain/calibration.ts';
import { signalName } from '../host/signal-name.ts';
import { quoted } from './batch-script.ts';
import type {
  Argv,
  ArrayRequest,
  BatchEngine,
  EngineAnswer,
  EngineEnd,
  EngineState,
  EngineTask,
  SubmitAnswer,
  SubmitText,
  Survey,
} from './engine.ts';
import { type Complaints, firstLines, optional, submitAnswer, surveyOfQueues } from './engine-text.ts';
import type { CommandResult } from './exec.ts';

/** Free text stands last: it may hold a `|`. */
const FORMAT = "jobid jobindex stat exit_code exec_host job_name exit_reason pend_reason delimiter='|'";

export const lsf: BatchEngine<LsfSite> = {
  name: 'lsf',
  version: ['bsub', '-V'],
  limits: { argv: ['bparams', '-a'], read: readLimits, fallback: { maxArray: 1000 } },
  survey: { argv: ['bqueues', '-o', "queue_name status njobs delimiter='|'"], read: readSurvey },
  // Tasks of an array are counted from 1.
  taskNumber: '$((LSB_JOBINDEX - 1))',
  signalsScriptOnly: false,
  passes: ['LSB_*', 'LS_*', 'CUDA_VISIBLE_DEVICES'],
  needs: ['LSF_*', 'LSB_*', 'KRB5CCNAME', 'LD_LIBRARY_PATH', 'XLSF_UIDDIR', 'EGO_*'],
  submit,
  readSubmit,
  taskId: (array, number) => `${array}[${number + 1}]`,
  arrayOf: (task) => task.split('[')[0] ?? task,
  // -a: also what has ended within the hour or so that LSF keeps it (CLEAN_PERIOD).
  queue: (user) => ['bjobs', '-noheader', '-a', '-u', user, '-o', FORMAT],
  readQueue,
  // What has ended is in the answer of the queue, for as long as LSF keeps it.
  history: null,
  readHistory: () => null,
  cancel: (tasks) => ['bkill', ...folded(tasks)],
  readCancel: ({ ended, stderr }) =>
    ended === 'ok' || (ended === 'exit' && /already finished|No matching job found/i.test(stderr) && !COMPLAINTS.unreachable.test(stderr)),
  avoid: (node) => `requirements: 'select[hname!=${node}]'`,
  endInLog: () => null,
};

function submit({ name, size, resources, site, script, log }: ArrayRequest<LsfSite>): SubmitText {
  const memory = Math.ceil(resources.memoryBytes / site.memoryUnitBytes);
  const requirement = ['span[hosts=1]', `rusage[mem=${memory}]`, ...(site.requirements === null ? [] : [site.requirements])].join(' ');
  const options: Argv = [
    ...['-J', `${name}[1-${size}]`],
    ...['-n', String(resources.cores)],
    ...['-R', requirement],
    ...['-M', String(memory)],
    ...['-W', String(Math.ceil(resources.timeMs / 60_000))],
    // A lost job is never started again in its directory, where the first one may still write: caf makes a new attempt.
    '-rn',
    ...['-cwd', '/'],
    ...['-o', '/dev/null'],
    ...optional('-q', site.queue),
    ...optional('-P', site.project),
    ...optional('-app', site.application),
    ...optional('-gpu', site.gpus),
    ...site.options,
  ];
  return { argv: ['bsub', ...options, script], header: [`exec >> ${quoted(log)} 2>&1`], description: null };
}

const COMPLAINTS: Complaints = {
  unreachable:
    /LSF is down|LIM is down|Cannot connect|Connection refused|Failed in an LSF library call|batch (?:system|daemon).*(?:not|down)|Master LIM/i,
  full: /(?:job|pending).*(?:limit|threshold).*(?:reached|exceeded)|Too many jobs|User job limit|MAX_PEND_JOBS/i,
  unclear: /timed? ?out|Communication time out/i,
};

function readSubmit(result: CommandResult): SubmitAnswer {
  const { stdout, stderr } = result;
  const id = /^Job <(\d+)> is submitted/m.exec(stdout)?.[1] ?? null;
  return submitAnswer('bsub', result, id, firstLines(stderr) || firstLines(stdout), COMPLAINTS);
}

function readLimits({ ended, stdout }: CommandResult): { readonly maxArray: number } | null {
  const size = Number(/MAX_JOB_ARRAY_SIZE\s*=\s*(\d+)/.exec(stdout)?.[1] ?? 0);
  return ended !== 'ok' || size === 0 ? null : { maxArray: size };
}

function readSurvey({ ended, stdout }: CommandResult): Survey | null {
  if (ended !== 'ok') return null;
  const rows = stdout.matchAll(/^(\S+)\|(\w+:\w+)\|(\d+)$/gm);
  return surveyOfQueues([...rows].map(([, name, status, jobs]) => `${name} (${status}, jobs: ${jobs})`));
}

// --------------------------------------------------------------------------------------------------------------- answers

function readQueue({ ended, stdout, stderr }: CommandResult): EngineAnswer {
  if (ended === 'exit' && /No (?:unfinished )?job found/i.test(stderr)) return [];
  if (ended !== 'ok') return null;
  const tasks: EngineTask[] = [];
  for (const line of stdout.split('\n')) {
    if (line.trim() === '') continue;
    const [id = '', index = '', word = '', exit = '', host = '', name = '', why = '', ...pending] = line
      .split('|')
      .map((each) => each.trim());
    // Words of a daemon between the lines of the answer.
    if (!/^\d+$/.test(id) || word === '') return null;
    const state = stateOf(word, { exit, host, why, pending: pending.join('|') });
    tasks.push({ id: index === '0' || index === '-' ? id : `${id}[${index}]`, name: name.replace(/\[\d+\]$/, ''), inLog: null, state });
  }
  return tasks;
}

interface Circumstances {
  readonly exit: string;
  readonly host: string;
  readonly why: string;
  readonly pending: string;
}

const orNull = (text: string): string | null => (text === '' || text === '-' ? null : text);

function stateOf(word: string, { exit, host, why, pending }: Circumstances): EngineState {
  switch (word) {
    case 'PEND':
    case 'PROV':
    case 'WAIT':
      return { state: 'queued', reason: orNull(pending), advice: null };
    case 'PSUSP':
      return {
        state: 'held',
        reason: orNull(pending) ?? 'suspended before it began',
        advice: 'release it with bresume, or end it with bkill',
      };
    case 'RUN':
      // `4*node7` where it has four slots there.
      return {
        state: 'running',
        node:
          orNull(host)
            ?.split(':')[0]
            ?.replace(/^\d+\*/, '') ?? null,
      };
    case 'USUSP':
    case 'SSUSP':
      return { state: 'suspended', reason: orNull(pending) };
    case 'DONE':
      return { state: 'ended', end: { how: 'exited', code: 0 } };
    case 'EXIT':
      return { state: 'ended', end: endOf(exit, why) };
    // Its node does not answer; ZOMBI: it was ended meanwhile. Both can come back.
    case 'UNKWN':
      return { state: 'suspended', reason: 'LSF has lost the connection to its node' };
    case 'ZOMBI':
      return { state: 'ending' };
    default:
      return { state: 'unknown', word };
  }
}

/** By the reason, then by the code: that is 130 or 140 for many of them. */
function endOf(exit: string, why: string): EngineEnd {
  const reason = /\bTERM_[A-Z_]+/.exec(why)?.[0] ?? '';
  switch (reason) {
    case 'TERM_RUNLIMIT':
    case 'TERM_CPULIMIT':
    case 'TERM_DEADLINE':
      return { how: 'time-limit' };
    case 'TERM_MEMLIMIT':
    case 'TERM_SWAP':
      return { how: 'out-of-memory' };
    case 'TERM_OWNER':
    case 'TERM_FORCE_OWNER':
    case 'TERM_BUCKET_KILL':
      return { how: 'cancelled', by: 'its owner' };
    case 'TERM_ADMIN':
    case 'TERM_FORCE_ADMIN':
      return { how: 'cancelled', by: 'an administrator' };
    case 'TERM_PREEMPT':
    case 'TERM_LOAD':
    case 'TERM_WINDOW':
    case 'TERM_RC_RECLAIM':
    case 'TERM_REQUEUE_OWNER':
    case 'TERM_REQUEUE_ADMIN':
    case 'TERM_REQUEUE_RC':
      return { how: 'preempted' };
    case 'TERM_REMOVE_HUNG_JOB':
    case 'TERM_ZOMBIE_JOB':
      return { how: 'node-lost', detail: `its node was lost (${reason})` };
    case 'TERM_CWD_NOTEXIST':
    case 'TERM_PRE_EXEC_FAIL':
      return { how: 'not-started', detail: `LSF could not start it (${why})` };
    default: {
      const code = exit === '-' || exit === '' ? Number.NaN : Number(exit);
      if (Number.isNaN(code)) return { how: 'exited', code: null };
      const signal = signalName(code - 128);
      return signal === null ? { how: 'exited', code } : { how: 'signalled', signal };
    }
  }
}

/** Command lines have an end: `7[1] 7[2]` becomes `7[1,2]`. */
function folded(tasks: readonly string[]): readonly string[] {
  const single: string[] = [];
  const indices = new Map<string, string[]>();
  for (const id of tasks) {
    const [, array, index] = /^(\d+)\[(\d+)\]$/.exec(id) ?? [];
    if (array === undefined || index === undefined) single.push(id);
    else indices.set(array, [...(indices.get(array) ?? []), index]);
  }
  return [...single, ...[...indices].map(([array, list]) => `${array}[${list.join(',')}]`)];
}
