// PBS: its command lines, and what its answers mean, for OpenPBS and PBS Pro, and for Torque. Written after their manuals; tried on fakes only.
import type { PbsSite } from '../domain/calibration.ts';
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

/** Some versions cut names of jobs at 15 characters, so the array's own stands in the environment, which qstat -f shows. */
const NAME_VARIABLE = 'CAF_ARRAY';

// qstat -f cannot be asked for one user, so his jobs are selected first. -x: also those that ended lately; not every server keeps them, and Torque knows no -x.
const QUEUE_SCRIPT =
  'x=-x; ids=$(qselect -x -u "$1" 2> /dev/null) || { x=; ids=$(qselect -u "$1") || exit; }; [ -z "$ids" ] || exec qstat -f -t $x $ids';

export const pbs: BatchEngine<PbsSite> = {
  name: 'pbs',
  version: ['qstat', '--version'],
  limits: null,
  survey: { argv: ['qstat', '-Q'], read: readSurvey },
  // Of PBS, of Torque; an array of one is a plain job.
  taskNumber: '$' + '{PBS_ARRAY_INDEX:-$' + '{PBS_ARRAYID:-0}}',
  signalsScriptOnly: false,
  passes: ['PBS_*', 'NCPUS', 'CUDA_VISIBLE_DEVICES'],
  needs: ['PBS_*', 'KRB5CCNAME', 'LD_LIBRARY_PATH'],
  submit,
  readSubmit,
  taskId: (array, number) => array.replace('[]', `[${number}]`),
  arrayOf: (task) => task.replace(/\[\d+\]/, '[]'),
  queue: (user) => ['/bin/sh', '-c', QUEUE_SCRIPT, 'caf', user],
  readQueue,
  // What has ended is in the answer of the queue, as long as the server keeps it.
  history: null,
  readHistory: () => null,
  cancel: (tasks) => ['qdel', ...tasks],
  readCancel: ({ ended, stderr }) =>
    ended === 'ok' || (ended === 'exit' && /Unknown Job|has finished|invalid state/i.test(stderr) && !COMPLAINTS.unreachable.test(stderr)),
  endInLog: () => null,
};

function submit({ name, size, resources, site, script, log }: ArrayRequest<PbsSite>): SubmitText {
  const memory = `${Math.ceil(resources.memoryBytes / MIB)}mb`;
  const seconds = Math.ceil(resources.timeMs / 1000);
  const isTorque = site.flavour === 'torque';
  const requests: Argv = isTorque
    ? ['-l', `nodes=1:ppn=${resources.cores}`, '-l', `mem=${memory}`]
    : [
        '-l',
        `select=1:ncpus=${resources.cores}:mem=${memory}${site.gpus === null ? '' : `:ngpus=${site.gpus}`}${site.select === null ? '' : `:${site.select}`}`,
      ];
  const options: Argv = [
    ...['-N', `caf${name.slice(-11).replace(/[^A-Za-z0-9]/g, '')}`],
    ...(size === 1 ? [] : [isTorque ? '-t' : '-J', `0-${size - 1}`]),
    ...requests,
    ...['-l', `walltime=${seconds}`],
    // A lost job is never started again in its directory, where the first one may still write: caf makes a new attempt.
    ...['-r', 'n'],
    ...['-v', `${NAME_VARIABLE}=${name}`],
    ...['-o', '/dev/null', '-j', 'oe'],
    ...['-m', 'n'],
    ...['-S', '/bin/sh'],
    // No line of the script is an option.
    ...['-C', ''],
    ...optional('-q', site.queue),
    ...optional('-A', site.account),
    ...optional('-P', site.project),
    ...site.options,
  ];
  return { argv: ['qsub', ...options, script], header: [`exec >> ${quoted(log)} 2>&1`], description: null };
}

const COMPLAINTS: Complaints = {
  unreachable: /cannot connect to server|Connection refused|Communication failure|No route to host|pbs_iff|errno=111|Connection timed out/i,
  full: /would exceed|limit on (?:number of )?jobs|maximum number of jobs|too many jobs/i,
  unclear: /timed? ?out|End of File|Protocol \(ASN\.1\) error|Premature end of message/i,
};

function readSubmit(result: CommandResult): SubmitAnswer {
  const { stdout, stderr } = result;
  // `1234[].server`, or `1234.server` for one job.
  const id = /^(\d+(?:\[\])?(?:\.\S+)?)\s*$/m.exec(stdout)?.[1] ?? null;
  return submitAnswer('qsub', result, id, said(stderr) || said(stdout), COMPLAINTS);
}

const said = (text: string): string => firstLines(text, (line) => line.replace(/^qsub: /, ''));

/** Name, most jobs, jobs, and whether it takes jobs and starts them. Torque has a column `Cpt`, of completed ones. */
function readSurvey({ ended, stdout }: CommandResult): Survey | null {
  if (ended !== 'ok') return null;
  const rows = stdout.matchAll(/^(\S+)\s+\d+\s+(\d+)\s+(yes|no)\s+(yes|no)\s/gm);
  const queues = [...rows].map(([, name, jobs, takes, starts]) => {
    const closed = [...(takes === 'no' ? ['takes no jobs'] : []), ...(starts === 'no' ? ['starts no jobs'] : [])];
    return `${name} (${[`jobs: ${jobs}`, ...closed].join(', ')})`;
  });
  return surveyOfQueues(queues, /\bCpt\b/.test(stdout) ? "{ flavour: 'torque' }" : '');
}

// --------------------------------------------------------------------------------------------------------------- answers

type Attributes = ReadonlyMap<string, string>;

function readQueue({ ended, stdout, stderr }: CommandResult): EngineAnswer {
  // One of the selected jobs may leave the queue before it is shown.
  const isWhole =
    ended === 'ok' ||
    (ended === 'exit' &&
      stderr.trim() !== '' &&
      stderr
        .trim()
        .split('\n')
        .every((line) => /Unknown Job/i.test(line)));
  if (!isWhole) return null;
  const tasks: EngineTask[] = [];
  for (const block of stdout.split(/^Job Id: */m).slice(1)) {
    const [id = '', ...lines] = block.split('\n');
    // Long values go on in the next line, after a tab.
    const attributes: Attributes = new Map(
      lines
        .join('\n')
        .replaceAll('\n\t', '')
        .split('\n')
        .flatMap((line) => {
          const [, key, value] = /^ +(\S+) = (.*)$/.exec(line) ?? [];
          return key === undefined || value === undefined ? [] : [[key.toLowerCase(), value] as const];
        }),
    );
    const word = attributes.get('job_state');
    if (word === undefined) return null;
    // The array itself, beside its tasks.
    if (id.includes('[]')) continue;
    const name = new RegExp(`(?:^|,)${NAME_VARIABLE}=([^,]*)`).exec(attributes.get('variable_list') ?? '')?.[1] ?? null;
    tasks.push({ id: id.trim(), name, inLog: null, state: stateOf(word, attributes) });
  }
  return tasks;
}

function stateOf(word: string, attributes: Attributes): EngineState {
  const reason = attributes.get('comment') ?? null;
  switch (word) {
    case 'Q':
    case 'W':
    case 'T':
    case 'M':
      return {
        state: 'queued',
        reason,
        advice: /can never run/i.test(reason ?? '') ? 'no node has what it asks for: lower resources, or choose another queue' : null,
      };
    case 'H':
      return {
        state: 'held',
        reason: reason ?? `on hold (${attributes.get('hold_types') ?? '?'})`,
        advice: 'release it with qrls, or end it with qdel',
      };
    case 'R':
    case 'B':
      return { state: 'running', node: attributes.get('exec_host')?.split('/')[0] ?? null };
    case 'S':
    case 'U':
      return { state: 'suspended', reason };
    case 'E':
      return { state: 'ending' };
    case 'F':
    case 'X':
    case 'C':
      return { state: 'ended', end: endOf(attributes) };
    default:
      return { state: 'unknown', word };
  }
}

/** What its daemon on the node says of a job that it could not run to its end, as negative numbers. */
const KILLED_FOR: Readonly<Record<string, EngineEnd>> = {
  '-26': { how: 'out-of-memory' },
  '-27': { how: 'out-of-memory' },
  '-28': { how: 'time-limit' },
  '-29': { how: 'time-limit' },
};

function endOf(attributes: Attributes): EngineEnd {
  const text = attributes.get('exit_status');
  // 91: it was deleted, 271 and the like then are only how.
  if (attributes.get('substate') === '91' && !isOver(attributes, 'walltime', secondsOf)) return { how: 'cancelled', by: null };
  if (text === undefined) return { how: 'exited', code: null };
  const known = KILLED_FOR[text];
  if (known !== undefined) return known;
  const status = Number(text);
  if (status < 0)
    return {
      how: 'not-started',
      detail: `PBS could not run it (Exit_status ${status}${attributes.has('comment') ? `: ${attributes.get('comment')}` : ''})`,
    };
  // Whatever its script made of the signal.
  if (isOver(attributes, 'walltime', secondsOf)) return { how: 'time-limit' };
  const signal = status > 256 ? status - 256 : status > 128 ? status - 128 : 0;
  if (signal === 0) return { how: 'exited', code: status };
  if (isOver(attributes, 'mem', bytesOf)) return { how: 'out-of-memory' };
  return signalled(signal);
}

function isOver(attributes: Attributes, resource: string, read: (text: string) => number): boolean {
  const [used, limit] = [attributes.get(`resources_used.${resource}`), attributes.get(`resource_list.${resource}`)];
  return used !== undefined && limit !== undefined && read(used) >= read(limit);
}

/** `01:02:03`, or seconds. */
const secondsOf = (text: string): number => text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };
function bytesOf(text: string): number {
  const [, number = '', unit = 'b'] = /^(\d+)([kmgt]?b)?$/i.exec(text) ?? [];
  return Number(number) * (UNITS[unit.toLowerCase()] ?? 1);
}
