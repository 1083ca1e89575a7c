// Slurm: its command lines, and what its answers mean. Known to hold for 22.05 and 24.11; plain columns, because its JSON says less and means other things from version to version.
import type { SlurmSite } from '../domain/calibration.ts';
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
import { firstLines, MIB, signalled } from './engine-text.ts';
import type { CommandResult } from './exec.ts';

const MINUTE_MS = 60_000;

// Both lists are also what the recordings were made with (test/backends/fixtures/slurm). Free text (name, comment) stands last: it may hold a `|`.
const QUEUE_FORMAT = '%i|%A|%F|%K|%T|%r|%N|%S|%e|%u|%j|%k';
const HISTORY_FORMAT = 'JobID,JobIDRaw,JobName,State,ExitCode,DerivedExitCode,Reason,NodeList,Start,End,ElapsedRaw,MaxRSS,Comment';

export const slurm: BatchEngine<SlurmSite> = {
  name: 'slurm',
  version: ['sbatch', '--version'],
  limits: { argv: ['scontrol', 'show', 'config'], read: readLimits, fallback: { maxArray: 1000 } },
  survey: { argv: ['sinfo', '--noheader', '--format=%P|%a|%l|%D|%T|%c|%m|%f|%G'], read: readSurvey },
  taskNumber: '$SLURM_ARRAY_TASK_ID',
  signalsScriptOnly: false,
  passes: ['SLURM_*', 'CUDA_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'GPU_DEVICE_ORDINAL'],
  needs: ['SLURM_CONF', 'SLURM_CLUSTERS', 'SBATCH_*', 'LD_LIBRARY_PATH', 'KRB5CCNAME'],
  submit,
  readSubmit,
  taskId: (array, number) => `${array}_${number}`,
  arrayOf: (task) => task.split('_')[0] ?? task,
  // With a user the controller itself selects, and need not hand out the whole queue. States=all: also what ended within MinJobAge (usually 300 s).
  queue: (user) => ['squeue', '--noheader', '--array', '--states=all', `--user=${user}`, `--format=${QUEUE_FORMAT}`],
  readQueue,
  history: (wanted) => [
    'sacct',
    '--noheader',
    '--parsable2',
    '--allocations',
    `--format=${HISTORY_FORMAT}`,
    ...('arrays' in wanted
      ? [`--jobs=${wanted.arrays.join(',')}`]
      : [`--name=${wanted.names.join(',')}`, `--starttime=now-${wanted.sinceDays}days`]),
  ],
  readHistory,
  cancel: (tasks) => ['scancel', ...folded(tasks)],
  readCancel: ({ ended, stderr }) => ended === 'ok' || (ended === 'exit' && !isUnreachable(stderr)),
  avoid: (node) => `directives: ['--exclude=${node}']`,
  endInLog,
};

// ------------------------------------------------------------------------------------------------------------- submitting

function submit({ name, size, resources, site, script, log }: ArrayRequest<SlurmSite>): SubmitText {
  const options: Argv = [
    `--job-name=${name}`,
    `--array=0-${size - 1}`,
    '--nodes=1',
    '--ntasks=1',
    `--cpus-per-task=${resources.cores}`,
    `--mem=${Math.ceil(resources.memoryBytes / MIB)}M`,
    // Slurm counts in minutes, and rounds up itself.
    `--time=${Math.ceil(resources.timeMs / MINUTE_MS)}`,
    ...when('partition', site.partition),
    ...when('account', site.account),
    ...when('qos', site.qos),
    ...when('constraint', site.constraint),
    ...when('reservation', site.reservation),
    ...(site.gpus === null ? [] : [`--gres=gpu:${site.gpus}`]),
    ...(site.exclusive ? ['--exclusive'] : []),
    // A lost or preempted job is never started again in its directory, where the first one may still write: caf makes a new attempt.
    '--no-requeue',
    // The script goes to its directory itself: Slurm runs jobs in /tmp when a directory is missing.
    '--chdir=/',
    `--output=${log.replaceAll('%', '%%')}`,
    '--open-mode=append',
    // Of the few variables that its command gets (`needs`). With NONE or NIL each job would begin with a login of the user on its node.
    '--export=ALL',
  ];
  return { argv: ['sbatch', '--parsable', ...options, ...site.directives, script], header: [], description: null };
}

const when = (option: string, value: string | null): Argv => (value === null ? [] : [`--${option}=${value}`]);

/** What is said when the controller was not reached at all, or did not know who asks: nothing was accepted. */
const CLOSED = /Required partition not available|Job submission disabled/;
const UNREACHABLE =
  /connect failure|Connection refused|Protocol authentication error|Munge encode failed|Unable to contact slurm controller/;
/** What is said of limits that go away by themselves. */
const FULL =
  /job submit limit|SubmitJobsLimit|SubmitJobLimit|Slurm temporarily unable to accept job|Resource temporarily unavailable|maximum.*jobs/i;
const UNCLEAR = /timed out|Zero Bytes were transmitted|Unexpected message|Communication connection failure|Socket/i;

const isUnreachable = (text: string): boolean => UNREACHABLE.test(text) || UNCLEAR.test(text);

function readSubmit({ ended, stdout, stderr }: CommandResult): SubmitAnswer {
  const said = complaint(stderr) || complaint(stdout);
  // `id`, or `id;cluster`.
  const id = /^\s*(\d+)(?:;\S*)?\s*$/m.exec(stdout)?.[1];
  switch (ended) {
    case 'ok':
      return id === undefined ? { how: 'unclear', message: `sbatch says no job id: ${said || 'nothing'}` } : { how: 'accepted', id };
    case 'missing':
      return { how: 'refused', message: 'sbatch was not found on PATH' };
    case 'exit':
      if (id !== undefined) return { how: 'accepted', id };
      if (UNREACHABLE.test(stderr) || CLOSED.test(stderr)) return { how: 'later', full: false, message: said };
      if (UNCLEAR.test(stderr)) return { how: 'unclear', message: said };
      return FULL.test(stderr) ? { how: 'later', full: true, message: said } : { how: 'refused', message: said };
    default:
      return id === undefined
        ? { how: 'unclear', message: `sbatch did not end by itself (${ended})${said === '' ? '' : `: ${said}`}` }
        : { how: 'accepted', id };
  }
}

/** Errors of Slurm repeat the name of the command; the last one says why. */
const complaint = (text: string): string => firstLines(text, (line) => line.replace(/^\s*\w+: (?:error: )?/, ''));

function readLimits({ ended, stdout }: CommandResult): { readonly maxArray: number } | null {
  // MaxArraySize is one more than the highest number of a task.
  const size = /^MaxArraySize\s*=\s*(\d+)/m.exec(stdout)?.[1];
  return ended !== 'ok' || size === undefined ? null : { maxArray: Math.max(1, Number(size)) };
}

/** One line per partition and state of its nodes; the partition that is used when none is named has a star. */
function readSurvey({ ended, stdout }: CommandResult): Survey | null {
  if (ended !== 'ok') return null;
  const partitions = new Map<
    string,
    { readonly time: string; readonly isUp: boolean; nodes: number; readonly cpus: string; readonly megabytes: string }
  >();
  for (const line of stdout.split('\n')) {
    const [name = '', up, time = '', nodes = '0', , cpus = '', megabytes = ''] = line.split('|');
    if (name === '') continue;
    const known = partitions.get(name) ?? { time, isUp: up === 'up', nodes: 0, cpus, megabytes };
    known.nodes += Number(nodes);
    partitions.set(name, known);
  }
  if (partitions.size === 0) return null;
  const texts = [...partitions].map(
    ([name, { time, isUp, nodes, cpus, megabytes }]) =>
      `${name} (${isUp ? '' : 'down, '}${nodes} nodes of ${cpus} cores and ${megabytes} MB, at most ${time})`,
  );
  const usual = [...partitions.keys()].find((name) => name.endsWith('*')) ?? [...partitions.keys()][0] ?? '';
  return { text: `partitions ${texts.join(', ')}`, options: `{ partition: '${usual.replace('*', '')}' }` };
}

// --------------------------------------------------------------------------------------------------------------- answers

function readQueue({ ended, stdout }: CommandResult): EngineAnswer {
  if (ended !== 'ok') return null;
  const tasks: EngineTask[] = [];
  for (const line of stdout.split('\n')) {
    const [id = '', inLog = null, , , word = '', reason = '', nodes = '', , , , name = ''] = line.split('|');
    if (word === '') continue;
    const state = stateOf(word, { reason, node: nodes, exit: null });
    for (const each of unfolded(id)) tasks.push({ id: each, name, inLog, state });
  }
  return tasks;
}

function readHistory({ ended, stdout }: CommandResult): EngineAnswer {
  if (ended !== 'ok') return null;
  const tasks: EngineTask[] = [];
  for (const line of stdout.split('\n')) {
    const [id = '', inLog = null, name = '', word = '', exit = '', , reason = '', nodes = ''] = line.split('|');
    if (word === '') continue;
    const state = stateOf(word, { reason, node: nodes, exit });
    // Of a job that ended before its beginning was recorded, the name is not known.
    for (const each of unfolded(id)) tasks.push({ id: each, name: name === 'allocation' ? null : name, inLog, state });
  }
  return tasks;
}

interface Circumstances {
  readonly reason: string;
  readonly node: string;
  /** `code:signal`; null where the command does not say it. */
  readonly exit: string | null;
}

const ended = (end: EngineEnd): EngineState => ({ state: 'ended', end });

/** By the state, never by the exit code alone: that is 0:0 for time limits and cancelled jobs. `word` may go on: `CANCELLED by 1000`. */
function stateOf(word: string, { reason, node, exit }: Circumstances): EngineState {
  const [state = '', ...more] = word.replace(/\+$/, '').split(' ');
  const why = reason === 'None' || reason === '' ? null : reason;
  switch (state) {
    case 'PENDING':
      return waiting(why);
    case 'CONFIGURING':
    case 'POWER_UP_NODE':
      return { state: 'queued', reason: 'its node is being started', advice: null };
    case 'REQUEUED':
    case 'REQUEUE_FED':
    case 'EXPEDITING':
      return { state: 'queued', reason: why, advice: null };
    case 'REQUEUE_HOLD':
    case 'SPECIAL_EXIT':
    case 'RESV_DEL_HOLD':
      return held(why ?? state);
    case 'RUNNING':
    case 'RESIZING':
    case 'SIGNALING':
      return { state: 'running', node: node === '' ? null : node };
    case 'SUSPENDED':
    case 'STOPPED':
      return { state: 'suspended', reason: why };
    case 'COMPLETING':
    case 'STAGE_OUT':
      return { state: 'ending' };
    case 'COMPLETED':
      return ended({ how: 'exited', code: 0 });
    case 'FAILED':
      return ended(failureOf(reason, exit));
    case 'TIMEOUT':
      return ended({ how: 'time-limit' });
    case 'OUT_OF_MEMORY':
      return ended({ how: 'out-of-memory' });
    case 'PREEMPTED':
      return ended({ how: 'preempted' });
    case 'CANCELLED':
      return ended({ how: 'cancelled', by: more[0] === 'by' && more[1] !== undefined ? `the user with number ${more[1]}` : null });
    case 'DEADLINE':
      return ended({ how: 'cancelled', by: 'Slurm, because its deadline had passed' });
    case 'NODE_FAIL':
      return ended({ how: 'node-lost', detail: `the node ${node} failed` });
    case 'BOOT_FAIL':
      return ended({ how: 'node-lost', detail: `the node ${node} could not be started` });
    case 'LAUNCH_FAILED':
    case 'RECONFIG_FAIL':
      return ended({ how: 'not-started', detail: `Slurm could not start it (${state})` });
    default:
      // REVOKED among them: another cluster of a federation runs it, and its files will tell.
      return { state: 'unknown', word };
  }
}

/** `code:signal`. What Slurm itself does on the node before the script starts has numbers of its own. */
function failureOf(reason: string, exit: string | null): EngineEnd {
  if (exit === null) return { how: 'exited', code: null };
  const [code = NaN, signal = NaN] = exit.split(':').map(Number);
  if (Number.isNaN(code) || Number.isNaN(signal)) return { how: 'exited', code: null };
  if (signal === 53) return { how: 'not-started', detail: 'Slurm could not open the file for its output on the node' };
  // Never given a node: refused after it was accepted.
  if (reason === 'BadConstraints') return { how: 'not-started', detail: 'no node has what it asks for (BadConstraints)' };
  // 128 is added where a core was dumped.
  return signal === 0 ? { how: 'exited', code } : signalled(signal & 127);
}

// ---------------------------------------------------------------------------------------------------------------- reasons

const HELD = /^JobHeld|requeued.held|requeued in held state|^JobHoldMaxRequeue|held/i;

/** What waits for this waits until somebody changes something. */
const NEVER: readonly (readonly [RegExp, string])[] = [
  [
    /^PartitionTimeLimit$|MaxWallDurationPerJobLimit$/,
    'its time is above what the site allows: lower resources.time, or choose another partition or qos',
  ],
  [
    /^PartitionNodeLimit$|^PartitionConfig$|^BadConstraints$/,
    'no node of the partition has what it asks for: lower resources, or choose another partition',
  ],
  [/^(?:AccountNotAllowed|InvalidAccount)$/, 'the account may not be used here: set another one'],
  [/^(?:QOSNotAllowed|InvalidQOS)$/, 'the qos may not be used here: set another one'],
  [/^(?:Assoc|QOS)Max\w+Per(?:Job|Node)\w*$/, 'it asks for more than the site allows for one job: lower resources, or choose another qos'],
  [/^(?:DependencyNeverSatisfied|ReservationDeleted)$/, 'what it waits for will never come: cancel it'],
];

function waiting(reason: string | null): EngineState {
  if (reason !== null && HELD.test(reason)) return held(reason);
  const advice = NEVER.find(([pattern]) => reason !== null && pattern.test(reason))?.[1] ?? null;
  return { state: 'queued', reason, advice };
}

function held(reason: string): EngineState {
  const by = /Admin/.test(reason) ? 'an administrator has to release it' : 'release it with scontrol release';
  const failed = /launch failed/.test(reason) ? 'its node could not start it; ' : '';
  return { state: 'held', reason, advice: `${failed}${by}, or end it with scancel` };
}

// -------------------------------------------------------------------------------------------------------------------- ids

/** `7_[0-2,9%3]` stands for tasks that have not started yet. */
function unfolded(id: string): readonly string[] {
  const [, array, list] = /^(\d+)_\[([\d,-]+)(?:%\d+)?\]$/.exec(id) ?? [];
  if (array === undefined || list === undefined) return [id];
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => `${array}_${first + i}`);
  });
}

/** Command lines have an end: `7_0 7_1 7_2` becomes `7_[0-2]`. */
function folded(tasks: readonly string[]): readonly string[] {
  const numbersOf = new Map<string, number[]>();
  const single: string[] = [];
  for (const id of tasks) {
    const [array = '', number] = id.split('_');
    if (number === undefined) single.push(id);
    else numbersOf.set(array, [...(numbersOf.get(array) ?? []), Number(number)]);
  }
  return [...single, ...[...numbersOf].map(([array, numbers]) => `${array}_[${ranges(numbers)}]`)];
}

function ranges(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const found: [number, number][] = [];
  for (const number of sorted) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** A kill for memory is a plain SIGKILL in the record of a Slurm that polls; its daemon on the node says more. */
function endInLog(log: string, inLog: string): EngineEnd | null {
  const ofTask = log.split('\n').filter((line) => line.includes(`StepId=${inLog}.`));
  return ofTask.some((line) => /exceeded memory limit|oom.kill/i.test(line)) ? { how: 'out-of-memory' } : null;
}
