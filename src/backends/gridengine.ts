// Grid Engine: its command lines, and what its answers mean. Known to hold for Son of Grid Engine 8.1.9; its relatives (Univa, Altair) say the same words.
import type { GridEngineSite } from '../domain/calibration.ts';
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
import { type Complaints, firstLines, MIB, optional, signalled, submitAnswer, surveyOfQueues } from './engine-text.ts';
import type { CommandResult } from './exec.ts';

/** Names of jobs may not begin with a digit. */
const PREFIX = 'j.';
const named = (name: string): string => `${PREFIX}${name}`;
const bare = (name: string): string | null => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : null);

export const gridengine: BatchEngine<GridEngineSite> = {
  name: 'gridengine',
  version: ['qstat', '-help'],
  limits: { argv: ['qconf', '-sconf'], read: readLimits, fallback: { maxArray: 1000 } },
  survey: { argv: ['qstat', '-g', 'c'], read: readSurvey },
  // Tasks of an array are counted from 1.
  taskNumber: '$((SGE_TASK_ID - 1))',
  signalsScriptOnly: false,
  passes: ['SGE_*', 'JOB_ID', 'JOB_NAME', 'NSLOTS', 'QUEUE', 'PE', 'PE_HOSTFILE', 'CUDA_VISIBLE_DEVICES'],
  needs: ['SGE_*', 'KRB5CCNAME', 'LD_LIBRARY_PATH'],
  submit,
  readSubmit,
  taskId: (array, number) => `${array}.${number + 1}`,
  arrayOf: (task) => task.split('.')[0] ?? task,
  // Plain qstat cuts names to ten letters.
  queue: (user) => ['qstat', '-xml', '-g', 'd', '-u', user],
  readQueue,
  // It takes one job or one pattern, and reads the whole accounting file for it: one question for all of them.
  history: (wanted) => {
    const all = 'arrays' in wanted ? wanted.arrays : wanted.names.map(named);
    const days = 'arrays' in wanted ? 30 : wanted.sinceDays;
    return ['qacct', '-E', '-d', String(days), '-j', all.length === 1 ? (all[0] ?? '') : `${PREFIX}*`];
  },
  readHistory,
  cancel: (tasks) => ['qdel', ...folded(tasks)],
  readCancel: ({ ended, stdout, stderr }) =>
    ended === 'ok' || (ended === 'exit' && /does not exist/.test(stdout + stderr) && !COMPLAINTS.unreachable.test(stdout + stderr)),
  avoid: (node) => `resources: { hostname: '!${node}' }`,
  endInLog: () => null,
};

// ------------------------------------------------------------------------------------------------------------- submitting

function submit({ name, size, resources, site, script, log }: ArrayRequest<GridEngineSite>): SubmitText {
  const { cores } = resources;
  // Most sites count memory per slot.
  const memory = `${Math.ceil(resources.memoryBytes / MIB / cores)}M`;
  const requests = [
    `h_rt=${Math.ceil(resources.timeMs / 1000)}`,
    ...(site.memoryResource === null || !resources.memoryIsSet ? [] : [`${site.memoryResource}=${memory}`]),
    ...Object.entries(site.resources).map(([key, value]) => `${key}=${value}`),
  ];
  const options: Argv = [
    ...['-N', named(name)],
    ...['-t', `1-${size}`],
    // A lost job is never started again in its directory, where the first one may still write: caf makes a new attempt.
    ...['-r', 'n'],
    ...['-wd', '/'],
    ...['-o', '/dev/null', '-j', 'y'],
    ...['-l', requests.join(',')],
    ...(cores === 1 ? [] : ['-pe', site.parallelEnvironment, String(cores)]),
    ...optional('-q', site.queue),
    ...optional('-P', site.project),
    ...site.options,
    // As a program: a script would be searched for options.
    ...['-b', 'y', '-shell', 'n'],
  ];
  return { argv: ['qsub', '-terse', ...options, script], header: [`exec >> ${quoted(log)} 2>&1`], description: null };
}

const COMPLAINTS: Complaints = {
  unreachable: /commlib error|unable to send message|can't connect|Connection refused|unable to contact qmaster|got read error/i,
  full: /only allows \d+ jobs|max_u_jobs|max_jobs|job limit/i,
  unclear: /timeout|timed out/i,
};

function readSubmit(result: CommandResult): SubmitAnswer {
  const { stdout, stderr } = result;
  // `24.1-10:1`; without -terse: `Your job-array 24.1-10:1 ("name") has been submitted`.
  const id = /^(\d+)(?:\.\d+-\d+:\d+)?\s*$/m.exec(stdout)?.[1] ?? /^Your job(?:-array)? (\d+)/m.exec(stdout)?.[1] ?? null;
  return submitAnswer('qsub', result, id, said(stderr) || said(stdout), COMPLAINTS);
}

const said = (text: string): string =>
  firstLines(text, (line) => line.replace(/^(?:error|qsub|Unable to run job): |^\s*Exiting\.\s*$/, ''));

function readLimits({ ended, stdout }: CommandResult): { readonly maxArray: number } | null {
  const tasks = Number(/^max_aj_tasks\s+(\d+)/m.exec(stdout)?.[1] ?? 0);
  return ended !== 'ok' || tasks === 0 ? null : { maxArray: tasks };
}

/** Name, load, used, reserved, available, total, and those that have trouble of two kinds. */
function readSurvey({ ended, stdout }: CommandResult): Survey | null {
  if (ended !== 'ok') return null;
  const rows = stdout.matchAll(/^(\S+) +\S+ +\d+ +\d+ +(\d+) +(\d+) +\d+ +\d+ *$/gm);
  return surveyOfQueues([...rows].map(([, name, free, slots]) => `${name} (${free} of ${slots} slots free)`));
}

// ------------------------------------------------------------------------------------------------------------------ queue

function readQueue({ ended, stdout }: CommandResult): EngineAnswer {
  // The last tag: an answer that is cut off is none.
  if (ended !== 'ok' || !/<\/job_info>\s*$/.test(stdout)) return null;
  const tasks: EngineTask[] = [];
  for (const [, entry = ''] of stdout.matchAll(/<job_list[^>]*>([\s\S]*?)<\/job_list>/g)) {
    const field = (name: string): string | null => new RegExp(`<${name}>([^<]*)</${name}>`).exec(entry)?.[1] ?? null;
    const [id, word] = [field('JB_job_number'), field('state')];
    if (id === null || word === null) return null;
    const node = field('queue_name')?.split('@')[1] ?? null;
    const state = stateOf(word, id, node);
    for (const number of numbersOf(field('tasks') ?? ''))
      tasks.push({ id: `${id}.${number}`, name: bare(field('JB_name') ?? ''), inLog: null, state });
  }
  return tasks;
}

/** A number, or `3-9:1,12`; none: not an array, and none of caf's. */
const numbersOf = (text: string): readonly number[] =>
  text.split(',').flatMap((range) => {
    const [, first = '', last = first, step = '1'] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(range.trim()) ?? [];
    if (first === '') return [];
    const count = Math.floor((Number(last) - Number(first)) / Math.max(1, Number(step))) + 1;
    return Array.from({ length: count }, (_, i) => Number(first) + i * Number(step));
  });

/** Some letters together: `hqw`, `Eqw`, `Rr`, `dr`. */
function stateOf(word: string, id: string, node: string | null): EngineState {
  if (!/^[EhRdqwrtsSTNP]+$/.test(word)) return { state: 'unknown', word };
  if (word.includes('d')) return { state: 'ending' };
  // It stays there until somebody does something; why, only qstat -j says.
  if (word.includes('E'))
    return {
      state: 'held',
      reason: `it could not be started (${word}): qstat -j ${id} says why`,
      advice: `mend the cause and try again with qmod -cj ${id}, or release it from the queue with qdel ${id}`,
    };
  if (word.includes('h'))
    return { state: 'held', reason: `on hold (${word})`, advice: `release it with qrls ${id}, or end it with qdel ${id}` };
  if (/[sSTNP]/.test(word)) return { state: 'suspended', reason: word };
  if (/[rt]/.test(word)) return { state: 'running', node };
  return { state: 'queued', reason: word === 'qw' ? null : word, advice: null };
}

// ---------------------------------------------------------------------------------------------------------------- history

type Account = ReadonlyMap<string, string>;

/** Records of one job after the other, between lines of `=`. One that is run again has several. */
function readHistory({ ended, stdout, stderr }: CommandResult): EngineAnswer {
  if (ended === 'exit' && /not found/.test(stderr)) return [];
  if (ended !== 'ok') return null;
  const tasks = new Map<string, EngineTask>();
  for (const block of stdout.split(/^=+$/m)) {
    const account: Account = new Map(
      block.split('\n').flatMap((line) => {
        const [, key, value] = /^(\S+)\s+(.*?)\s*$/.exec(line) ?? [];
        return key === undefined || value === undefined ? [] : [[key, value] as const];
      }),
    );
    const id = account.get('jobnumber');
    const task = Number(account.get('taskid') ?? 'undefined');
    if (id === undefined || !Number.isInteger(task)) continue;
    tasks.set(`${id}.${task}`, {
      id: `${id}.${task}`,
      name: bare(account.get('jobname') ?? ''),
      inLog: null,
      state: { state: 'ended', end: endOf(account) },
    });
  }
  return [...tasks.values()];
}

/** `failed` goes before `exit_status`: that one is 0 for a job whose node was lost. */
function endOf(account: Account): EngineEnd {
  const [, code = '0', words = ''] = /^(\d+)\s*:?\s*(.*)$/.exec(account.get('failed') ?? '') ?? [];
  const failed = Number(code);
  const status = Number.parseInt(account.get('exit_status') ?? '', 10);
  const host = account.get('hostname') ?? 'its node';
  switch (failed) {
    case 0:
      return { how: 'exited', code: Number.isNaN(status) ? null : status };
    case 100: {
      // The script itself was ended by a signal. A plain kill is what qdel does; what a program is ended by, the script tells.
      const end = signalled(status - 128);
      const by = account.get('deleted_by');
      return end.how === 'signalled' && end.signal === 'SIGKILL'
        ? { how: 'cancelled', by: by === undefined || by === 'NONE' ? null : `the user ${by}` }
        : end;
    }
    case 37:
      return isOverTime(account) ? { how: 'time-limit' } : { how: 'out-of-memory' };
    case 19:
    case 21:
    case 22:
    case 24:
    case 25:
      return { how: 'node-lost', detail: `${host} was lost, or gave it up (failed ${failed}: ${words})` };
    default:
      return { how: 'not-started', detail: `Grid Engine could not start it on ${host} (failed ${failed}: ${words})` };
  }
}

/** 37 stands for limits of time and of memory alike. */
function isOverTime(account: Account): boolean {
  const limit = Number(/\bh_rt=(\d+)/.exec(account.get('category') ?? '')?.[1] ?? 0);
  const seconds = Number.parseFloat(account.get('ru_wallclock') ?? '');
  return !(seconds + 1 < limit);
}

/** Command lines have an end: `24.1 24.2 24.3` becomes `24.1-3`. */
function folded(tasks: readonly string[]): readonly string[] {
  const words: { array: string; first: number; last: number }[] = [];
  const sorted = tasks.map((id) => id.split('.').map(Number)).sort(([a = 0, i = 0], [b = 0, j = 0]) => a - b || i - j);
  for (const [array = 0, task = 0] of sorted) {
    const last = words.at(-1);
    if (last?.array === String(array) && last.last === task - 1) last.last = task;
    else words.push({ array: String(array), first: task, last: task });
  }
  return words.map(({ array, first, last }) => (first === last ? `${array}.${first}` : `${array}.${first}-${last}`));
}
