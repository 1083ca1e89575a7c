// HTCondor: its submit description, its commands, and what its answers and its user log mean. Known to hold for 23.9 (vanilla universe).
import type { HtcondorSite } from '../domain/calibration.ts';
import { quoted } from './batch-script.ts';
import type {
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
import { firstLines, MIB, signalled } from './engine-text.ts';
import type { CommandResult } from './exec.ts';

const KIB = 2 ** 10;

/** Tells a hold for the time limit, which caf itself has asked for, from every other one. */
const TIME_SUBCODE = 7301;

// Plain attributes only: expressions (MemoryUsage, Requirements) are printed as text that begins with `/Expr(`.
const ATTRIBUTES = [
  'ClusterId',
  'ProcId',
  'JobBatchName',
  'JobStatus',
  'HoldReason',
  'HoldReasonCode',
  'HoldReasonSubCode',
  'LastHoldReason',
  'LastHoldReasonCode',
  'LastHoldReasonSubCode',
  'RemoveReason',
  'VacateReason',
  'ExitBySignal',
  'ExitCode',
  'ExitSignal',
  'NumJobStarts',
  'RemoteHost',
  'LastRemoteHost',
].join(',');

export const htcondor: BatchEngine<HtcondorSite> = {
  name: 'htcondor',
  version: ['condor_version'],
  limits: { argv: ['condor_config_val', 'MAX_JOBS_PER_SUBMISSION'], read: readLimits, fallback: { maxArray: 10_000 } },
  survey: {
    argv: ['condor_status', '-constraint', 'SlotType =!= "Dynamic"', '-af', 'TotalSlotCpus', 'TotalSlotMemory', 'OpSysAndVer'],
    read: readSurvey,
  },
  // The argument of the script.
  taskNumber: '$1',
  // The starter signals the script first, and its whole family only later.
  signalsScriptOnly: true,
  passes: [
    '_CONDOR_*',
    'CUDA_VISIBLE_DEVICES',
    'GPU_DEVICE_ORDINAL',
    'NVIDIA_VISIBLE_DEVICES',
    // Set to the cores of the slot.
    'OMP_NUM_THREADS',
    'OMP_THREAD_LIMIT',
    'MKL_NUM_THREADS',
    'OPENBLAS_NUM_THREADS',
    'NUMEXPR_NUM_THREADS',
    'ROOT_MAX_THREADS',
    'GOMAXPROCS',
  ],
  needs: [
    'CONDOR_CONFIG',
    '_CONDOR_*',
    '_condor_*',
    'KRB5CCNAME',
    'X509_USER_PROXY',
    'BEARER_TOKEN_FILE',
    'XDG_RUNTIME_DIR',
    'LD_LIBRARY_PATH',
  ],
  submit,
  readSubmit,
  taskId: (array, number) => `${array}.${number}`,
  arrayOf: (task) => task.split('.')[0] ?? task,
  // Without a name condor_q tells of the jobs of whoever asks.
  queue: () => ['condor_q', '-json', '-attributes', ATTRIBUTES],
  readQueue,
  // `-since` ends the search: the history of a big site has many files. Only what ended lately is ever asked for.
  history: (wanted) => {
    const since = (days: number): string => `EnteredCurrentStatus < time() - ${days * 86_400}`;
    const ask = (days: number, ...which: readonly string[]) => [
      'condor_history',
      ...which,
      '-since',
      since(days),
      '-json',
      '-attributes',
      ATTRIBUTES,
    ];
    return 'arrays' in wanted
      ? ask(30, ...wanted.arrays)
      : ask(wanted.sinceDays, '-constraint', `member(JobBatchName, {${wanted.names.map((name) => `"${name}"`).join(',')}})`);
  },
  readHistory,
  cancel: (tasks) => ['condor_rm', ...tasks],
  // What it does not find has left the queue.
  readCancel: ({ ended, stderr }) =>
    ended === 'ok' || (ended === 'exit' && /not found|Couldn't find/.test(stderr) && !UNREACHABLE.test(stderr)),
  readLog,
  // Machines have their whole names there.
  avoid: (node) => `requirements: '!regexp("^${node.split('.')[0]}([.]|$)", Machine)'`,
  endInLog: (log, inLog) => {
    const states = readLog(log).tasks.filter(({ id }) => id === inLog);
    return states.flatMap(({ state }) => (state.state === 'ended' && state.end.how === 'out-of-memory' ? [state.end] : []))[0] ?? null;
  },
};

// ------------------------------------------------------------------------------------------------------------- submitting

/** What every job of caf asks of its end: see `policy`. */
const EVICTED = 'JobStatus == 1 && NumJobStarts > 0';

function submit({ name, size, resources, site, script, description, log }: ArrayRequest<HtcondorSite>): SubmitText {
  const timeSeconds = Math.ceil(resources.timeMs / 1000);
  const lines: readonly (readonly [string, string | number | null])[] = [
    ['universe', site.universe],
    ['executable', path(script)],
    ['transfer_executable', 'false'],
    ['arguments', '"$(ProcId)"'],
    // The script goes to its directory itself. With YES no node is ruled out for the name of its file system, and none has to see the initial directory.
    ['should_transfer_files', 'YES'],
    ['transfer_output_files', '""'],
    ['initialdir', '/'],
    ['output', '/dev/null'],
    ['error', '/dev/null'],
    ['log', path(log)],
    ['notification', 'Never'],
    ['+JobBatchName', text(name)],
    ['request_cpus', resources.cores],
    ['request_memory', Math.ceil(resources.memoryBytes / MIB)],
    ['request_disk', site.diskBytes === null ? null : Math.ceil(site.diskBytes / KIB)],
    ['request_gpus', site.gpus],
    ['accounting_group', site.accountingGroup],
    ['accounting_group_user', site.accountingUser],
    ['priority', site.priority],
    ['rank', site.rank],
    ['concurrency_limits', site.concurrencyLimits.length === 0 ? null : site.concurrencyLimits.join(', ')],
    // A job that was put off its node, or lost it, never runs again in its directory, where the first one may still write: caf makes a new attempt.
    ['requirements', `${site.requirements === null ? '' : `(${site.requirements}) && `}((MY.NumJobStarts > 0) =!= true)`],
    // allowed_execute_duration is ignored by some versions, so the limit is an expression. One that is undefined would hold the job.
    ['periodic_hold', `(JobStatus == 2 && time() - JobCurrentStartDate > ${timeSeconds}) =?= true`],
    ['periodic_hold_reason', `"it ran longer than ${timeSeconds} s"`],
    ['periodic_hold_subcode', TIME_SUBCODE],
    // What caf counts as ended leaves the queue, also when no caf runs any more.
    ['periodic_remove', `((${EVICTED}) || (JobStatus == 5 && ${heldForGood})) =?= true`],
    ['want_graceful_removal', 'true'],
    ['job_max_vacate_time', 30],
    ...Object.entries(site.attributes).map(([key, value]) => [`+${key}`, typeof value === 'string' ? text(value) : String(value)] as const),
  ];
  const body = lines.flatMap(([key, value]) => (value === null ? [] : [`${key} = ${value}`]));
  return {
    argv: ['condor_submit', '-terse', description],
    header: [
      // HTCondor sets no home, and keeps the output of a job only in a file of its own.
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is shell
      'user=$(id -un) && HOME=${HOME-$(getent passwd "$user" | cut -d: -f6)} USER=$user LOGNAME=$user && export HOME USER LOGNAME',
      `exec >> ${quoted(`${script}.out`)} 2>&1`,
    ],
    description: `${[...body, ...site.lines, `queue ${size}`].join('\n')}\n`,
  };
}

/** A string of a ClassAd. */
const text = (value: string): string => `"${value.replace(/["\\]/g, '\\$&').replaceAll('$', '$(DOLLAR)')}"`;

/** `$` begins a substitution. Two of them begin another one, at the start of the job, which nothing can prevent. */
function path(value: string): string {
  if (value.includes('$$'))
    throw new Error(`HTCondor takes $$ for a substitution, also in ${value}: choose a results directory without it`);
  if (value.includes('\n')) throw new Error(`HTCondor cannot be told of a path with a line break: ${JSON.stringify(value)}`);
  return value.replaceAll('$', '$(DOLLAR)');
}

const UNREACHABLE =
  /Can't find address|Failed to connect|Can't connect|Failed to contact|AUTHENTICATE:|Authentication was denied|SECMAN|CEDAR|Connection refused/i;
const FULL = /would exceed|MAX_JOBS_(?:SUBMITTED|PER_OWNER|PER_SUBMISSION|RUNNING)|too many jobs/i;
const UNCLEAR = /Failed to commit|timed out|timeout|disconnected|Lost connection/i;

function readSubmit({ ended, stdout, stderr }: CommandResult): SubmitAnswer {
  // `26.0 - 26.2`; without -terse: `submitted to cluster 27.`
  const id = /^(\d+)\.\d+ - \d+\.\d+\s*$/m.exec(stdout)?.[1] ?? /submitted to cluster (\d+)/.exec(stdout)?.[1];
  const said = complaint(stderr) || complaint(stdout);
  switch (ended) {
    case 'missing':
      return { how: 'refused', message: 'condor_submit was not found on PATH' };
    case 'ok':
      return id === undefined
        ? { how: 'unclear', message: `condor_submit says no cluster: ${said || 'nothing'}` }
        : { how: 'accepted', id };
    case 'exit':
      if (id !== undefined) return { how: 'accepted', id };
      if (FULL.test(stderr)) return { how: 'later', full: true, message: said };
      if (UNREACHABLE.test(stderr)) return { how: 'later', full: false, message: said };
      return UNCLEAR.test(stderr) || said === '' ? { how: 'unclear', message: said } : { how: 'refused', message: said };
    default:
      return id === undefined
        ? { how: 'unclear', message: `condor_submit did not end by itself (${ended})${said === '' ? '' : `: ${said}`}` }
        : { how: 'accepted', id };
  }
}

const complaint = (text: string): string => firstLines(text, (line) => line.replace(/^ERROR: /, ''));

function readLimits({ ended, stdout }: CommandResult): { readonly maxArray: number } | null {
  const size = /^\s*(\d+)\s*$/m.exec(stdout)?.[1];
  return ended !== 'ok' || size === undefined || Number(size) === 0 ? null : { maxArray: Number(size) };
}

/** Of each slot that is no part of another: cores, MB and system. */
function readSurvey({ ended, stdout }: CommandResult): Survey | null {
  if (ended !== 'ok') return null;
  const slots = [...stdout.matchAll(/^(\d+) (\d+) (\S+)$/gm)].map(([, cores, megabytes, system = '']) => ({
    cores: Number(cores),
    megabytes: Number(megabytes),
    system,
  }));
  if (slots.length === 0) return { text: 'no slots at the moment', options: '' };
  const cores = slots.reduce((sum, slot) => sum + slot.cores, 0);
  const most = (of: 'cores' | 'megabytes') => slots.reduce((largest, slot) => Math.max(largest, slot[of]), 0);
  const systems = [...new Set(slots.map(({ system }) => system))].join(', ');
  const text = `${cores} cores in ${slots.length} ${slots.length === 1 ? 'slot' : 'slots'} of at most ${most('cores')} cores and ${most('megabytes')} MB (${systems})`;
  return { text, options: '' };
}

// --------------------------------------------------------------------------------------------------------------- answers

type Ad = Readonly<Record<string, unknown>>;

const number = (ad: Ad, name: string): number | null => (typeof ad[name] === 'number' ? ad[name] : null);
const words = (ad: Ad, name: string): string | null => (typeof ad[name] === 'string' && ad[name] !== '' ? ad[name] : null);

/** condor_q prints nothing at all where there is no job. */
function readQueue(answer: CommandResult): EngineAnswer {
  return answer.ended === 'ok' && answer.stdout.trim() === '' ? [] : readAds(answer, stateInQueue);
}

function readHistory(answer: CommandResult): EngineAnswer {
  return readAds(answer, (ad) => ended(endInHistory(ad)));
}

function readAds({ ended, stdout }: CommandResult, stateOf: (ad: Ad) => EngineState): EngineAnswer {
  if (ended !== 'ok') return null;
  let ads: unknown;
  try {
    ads = JSON.parse(stdout);
  } catch {
    // Cut off, or not what was asked for.
    return null;
  }
  if (!Array.isArray(ads)) return null;
  const tasks: EngineTask[] = [];
  for (const ad of ads as readonly Ad[]) {
    const [cluster, task] = [number(ad, 'ClusterId'), number(ad, 'ProcId')];
    if (cluster === null || task === null) return null;
    tasks.push({ id: `${cluster}.${task}`, name: words(ad, 'JobBatchName'), inLog: null, state: stateOf(ad) });
  }
  return tasks;
}

const ended = (end: EngineEnd): EngineState => ({ state: 'ended', end });

/** By JobStatus, never by the exit code: that is left over from an earlier run in jobs that are held or run again. */
function stateInQueue(ad: Ad): EngineState {
  const status = number(ad, 'JobStatus');
  switch (status) {
    case 1:
      return (number(ad, 'NumJobStarts') ?? 0) > 0 ? ended(evicted(ad)) : { state: 'queued', reason: null, advice: null };
    case 2:
      return { state: 'running', node: nodeOf(words(ad, 'RemoteHost')) };
    case 3: // being removed: its processes may still run
    case 6: // its output is brought back
      return { state: 'ending' };
    case 4:
      return ended(exitOf(ad));
    case 5:
      return heldState({
        code: number(ad, 'HoldReasonCode'),
        subcode: number(ad, 'HoldReasonSubCode'),
        reason: words(ad, 'HoldReason') ?? 'no reason given',
      });
    case 7:
      return { state: 'suspended', reason: null };
    default:
      return { state: 'unknown', word: `JobStatus ${status ?? 'undefined'}` };
  }
}

function endInHistory(ad: Ad): EngineEnd {
  const status = number(ad, 'JobStatus');
  if (status === 4) return exitOf(ad);
  const reason = words(ad, 'RemoveReason') ?? '';
  // Removed by its own policy: what had happened to it before is what counts.
  if (reason.includes('PeriodicRemove')) {
    const hold = holdOf(ad, '') ?? holdOf(ad, 'Last');
    const end = hold === null ? null : endOfHold(hold);
    return end ?? evicted(ad);
  }
  return removed(reason);
}

function holdOf(ad: Ad, when: '' | 'Last'): Hold | null {
  const code = number(ad, `${when}HoldReasonCode`);
  return code === null
    ? null
    : { code, subcode: number(ad, `${when}HoldReasonSubCode`), reason: words(ad, `${when}HoldReason`) ?? 'no reason given' };
}

function exitOf(ad: Ad): EngineEnd {
  if (ad.ExitBySignal === true) return signalled(number(ad, 'ExitSignal') ?? 0);
  return { how: 'exited', code: number(ad, 'ExitCode') };
}

/** `slot1_2@node7.site` */
const nodeOf = (host: string | null): string | null => host?.replace(/^.*@/, '') ?? null;

function evicted(ad: Ad): EngineEnd {
  const node = nodeOf(words(ad, 'LastRemoteHost'));
  const why = words(ad, 'VacateReason');
  return {
    how: 'node-lost',
    detail: `it was put off its node${node === null ? '' : ` ${node}`}, or lost it, before it ended${why === null ? '' : ` (${why})`}`,
  };
}

function removed(reason: string): EngineEnd {
  const user = /\(by user ([^)]+)\)/.exec(reason)?.[1];
  if (user !== undefined) return { how: 'cancelled', by: `the user ${user}` };
  if (/SYSTEM_PERIODIC_REMOVE/.test(reason)) return { how: 'cancelled', by: 'a rule of the pool (SYSTEM_PERIODIC_REMOVE)' };
  return { how: 'cancelled', by: null };
}

// ------------------------------------------------------------------------------------------------------------------ holds

interface Hold {
  readonly code: number | null;
  readonly subcode: number | null;
  readonly reason: string;
}

/** Codes of holds that somebody wished, or where waiting for somebody may help: 1 user, 15 and 16 at submission, 21 and 26, 27 rules of the node and of the pool. */
const WISHED = [1, 3, 5, 15, 16, 21, 26, 27];
const OUT_OF_MEMORY = 34;
const TOO_LONG = [46, 47];

/** As an expression, what endOfHold counts as an end, for what it can see without reading the reason. */
const heldForGood = [
  `(HoldReasonCode == 3 && HoldReasonSubCode == ${TIME_SUBCODE})`,
  `((${[21, 26].map((code) => `HoldReasonCode == ${code}`).join(' || ')}) && regexp("memory", HoldReason, "i"))`,
  `(!member(HoldReasonCode, {${WISHED.join(',')}}))`,
]
  .join(' || ')
  .replace(/^.*$/, '($&)');

/** How a hold is the end of a job; null = it is not. https://htcondor.readthedocs.io/en/latest/classad-attributes/job-classad-attributes.html (HoldReasonCode) */
function endOfHold({ code, subcode, reason }: Hold): EngineEnd | null {
  if (code === 3 && subcode === TIME_SUBCODE) return { how: 'time-limit' };
  if (code === OUT_OF_MEMORY && !/disk|cpu/i.test(reason)) return { how: 'out-of-memory' };
  if (TOO_LONG.some((each) => each === code)) return { how: 'time-limit' };
  // Most pools hold by a rule of their own what uses too much memory.
  if ((code === 26 || code === 21) && /memory/i.test(reason)) return { how: 'out-of-memory' };
  if (code === null || WISHED.includes(code)) return null;
  return { how: 'not-started', detail: `HTCondor held it (code ${code}): ${reason}` };
}

function heldState(hold: Hold): EngineState {
  const end = endOfHold(hold);
  if (end !== null) return ended(end);
  const who = hold.code === 1 || hold.code === 15 ? '' : 'mend the cause, then ';
  return { state: 'held', reason: hold.reason, advice: `${who}release it with condor_release, or end it with condor_rm` };
}

// --------------------------------------------------------------------------------------------------------------- user log

/** `005 (027.003.000) 2026-11-22 03:06:01 Job terminated.`; years are missing in older versions. */
const EVENT = /^(\d{3}) \((\d+)\.(\d+)\.\d+\) \S+ \S+ (.*)$/;

/** The engine writes an event some milliseconds after what it tells: its quickest source. Each ends with a line of three dots; one that is not whole is left. */
function readLog(log: string): { readonly tasks: readonly EngineTask[]; readonly rest: string } {
  const tasks: EngineTask[] = [];
  const events = log.split(/^\.\.\.\n/m);
  for (const event of events.slice(0, -1)) {
    const [head = '', ...body] = event.split('\n');
    const [, code = '', cluster, task] = EVENT.exec(head) ?? [];
    if (cluster === undefined || task === undefined) continue;
    const state = stateOfEvent(
      code,
      body.map((line) => line.trim()),
    );
    if (state !== null) tasks.push({ id: `${Number(cluster)}.${Number(task)}`, name: null, inLog: null, state });
  }
  return { tasks, rest: events.at(-1) ?? '' };
}

function stateOfEvent(code: string, body: readonly string[]): EngineState | null {
  const first = body[0] ?? '';
  switch (code) {
    case '000':
    case '013': // released
      return { state: 'queued', reason: null, advice: null };
    case '001': {
      const slot = body.find((line) => line.startsWith('SlotName: '));
      return { state: 'running', node: nodeOf(slot?.slice('SlotName: '.length) ?? null) };
    }
    case '004': // evicted: what for, another event or the queue will tell
      return { state: 'ending' };
    case '005': {
      const [, exit, signal] = /\(return value (-?\d+)\)|\(signal (\d+)\)/.exec(first) ?? [];
      if (signal !== undefined) return ended(signalled(Number(signal)));
      return ended({ how: 'exited', code: exit === undefined ? null : Number(exit) });
    }
    case '009':
      // By its own policy: the queue and the history know more.
      return first.includes('PeriodicRemove') ? { state: 'ending' } : ended(removed(first));
    case '010':
      return { state: 'suspended', reason: null };
    case '011':
      return { state: 'running', node: null };
    case '012': {
      const [, hold, subcode] = /^Code (\d+) Subcode (-?\d+)$/.exec(body.find((line) => line.startsWith('Code ')) ?? '') ?? [];
      return heldState({
        code: hold === undefined ? null : Number(hold),
        subcode: subcode === undefined ? null : Number(subcode),
        reason: first,
      });
    }
    case '022':
      return { state: 'suspended', reason: 'HTCondor has lost the connection to its node, and tries to get it back' };
    case '023':
      return { state: 'running', node: null };
    case '024':
      return ended({ how: 'node-lost', detail: `its node was lost (${first})` });
    default:
      return null;
  }
}
