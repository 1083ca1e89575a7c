// Checks what HTCondor is told about a site, above all lines of the submit description that would break an array or hide its end.
import type { HtcondorSite } from '../../domain/calibration.ts';
import { option, show } from './problems.ts';
import { isTable, type Reader, read, readChoice, readList, readSize, readText, readWhole, type Scope } from './readers.ts';

export const HTCONDOR_OPTIONS = [
  'universe',
  'accountingGroup',
  'accountingUser',
  'requirements',
  'rank',
  'disk',
  'gpus',
  'priority',
  'concurrencyLimits',
  'attributes',
  'lines',
] as const;

export const readHtcondorSite = (scope: Scope): HtcondorSite => ({
  universe: read(scope, 'universe', readChoice(['vanilla', 'local']), 'vanilla'),
  accountingGroup: read(scope, 'accountingGroup', readGroup, null),
  accountingUser: read(scope, 'accountingUser', readGroup, null),
  requirements: read(scope, 'requirements', readExpression, null),
  rank: read(scope, 'rank', readExpression, null),
  diskBytes: read(scope, 'disk', readSize, null),
  gpus: read(scope, 'gpus', readWhole('a whole number of GPUs', 1), null),
  priority: read(scope, 'priority', readPriority, null),
  concurrencyLimits: read(scope, 'concurrencyLimits', readLimits, []),
  attributes: read(scope, 'attributes', readAttributes, {}),
  lines: read(scope, 'lines', readLines, []),
});

/** What no value may hold; null = it is fine. */
function textProblem(text: string): string | null {
  if (/[\n\r\0]/.test(text)) return 'it has to be one line';
  // A hold of every job, and worse: a schedd of 23.9 can crash on one that cannot be expanded.
  if (text.includes('$$')) return '$$ is a substitution that HTCondor makes when a job starts, and holds the job where it cannot';
  return /\\\s*$/.test(text) ? 'a \\ at its end would join the next line to it' : null;
}

const readChecked =
  (what: string, check: (text: string) => string | null): Reader<string> =>
  (value, place, problems) => {
    const text = readText(what)(value, place, problems);
    if (text === undefined) return undefined;
    const problem = textProblem(text) ?? check(text);
    if (problem === null) return text.trim();
    problems.report(place, `${show(text)} cannot be handed on: ${problem}`);
    return undefined;
  };

const readGroup = readChecked("a name such as 'group_physics.calibration'", (text) =>
  /^[\w.@+-]+$/.test(text.trim()) ? null : 'a name has only letters, digits and _ . @ + -',
);

/** It is put in parentheses beside an expression of caf's, so it must be whole. */
const readExpression = readChecked("an expression of HTCondor such as 'OpSysMajorVer == 9'", (text) => {
  let depth = 0;
  const bare = text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '');
  if (/["']/.test(bare)) return 'a quotation mark has no partner';
  for (const character of bare) {
    depth += character === '(' ? 1 : character === ')' ? -1 : 0;
    if (depth < 0) break;
  }
  return depth === 0 ? null : 'a parenthesis has no partner';
});

const readPriority: Reader<number> = (value, place, problems) => {
  if (Number.isSafeInteger(value)) return value as number;
  problems.expected(place, 'a whole number', value);
  return undefined;
};

const readLimits = readList(
  "an array of limits such as ['sql:2']",
  readChecked("a limit such as 'sql' or 'sql:2'", (text) =>
    /^[A-Za-z_][\w.]*(?::\d+(?:\.\d+)?)?$/.test(text.trim()) ? null : 'a limit is a name, or a name and a number',
  ),
);

/** What caf says itself; compared without regard to case, as HTCondor does. */
const OWN: ReadonlyMap<string, string> = new Map([
  ...named('caf writes it', [
    'executable transfer_executable arguments args initialdir initial_dir output error input log stdin stdout stderr out err in log_xml ulog',
    'batch_name jobbatchname periodic_hold periodic_hold_reason periodic_hold_subcode periodic_remove periodic_release periodic_vacate',
    'on_exit_hold on_exit_hold_reason on_exit_hold_subcode on_exit_remove want_graceful_removal job_max_vacate_time kill_sig remove_kill_sig',
    'should_transfer_files when_to_transfer_output transfer_output_files transfer_input_files',
  ]),
  ...named('an array has one number per job', ['queue procid clusterid clusterid']),
  ...named('caf makes a new attempt by itself, in a directory of its own', [
    'max_retries retry_until success_exit_code success_exit_signal retry_request_memory',
  ]),
  ...named('jobs have to leave the queue when they have ended', ['leave_in_queue noop_job job_noop']),
  ...named('caf would take a job that is not in the queue for lost', ['max_materialize max_idle materialize_max_idle']),
  ...named('a job would wait for ever', ['hold hold_reason']),
  ...named('use the resources of the collection', [
    'request_cpus request_memory requestcpus requestmemory allowed_execute_duration allowed_job_duration',
  ]),
  ...named('use env of the backend or of the collection', ['environment env getenv environment2']),
  ...named('use the option disk', ['request_disk requestdisk']),
  ...named('use the option gpus', ['request_gpus requestgpus']),
  ...named('use the option requirements', ['requirements']),
  ...named('use the option rank', ['rank preferences']),
  ...named('use the option universe', ['universe jobuniverse']),
  ...named('use the option priority', ['priority prio jobprio']),
  ...named('use the option concurrencyLimits', ['concurrency_limits concurrencylimits']),
  ...named('use the option accountingGroup', ['accounting_group acctgroup accountinggroup']),
  ...named('use the option accountingUser', ['accounting_group_user acctgroupuser']),
]);

function named(why: string, keys: readonly string[]): readonly (readonly [string, string])[] {
  return keys.flatMap((line) => line.split(' ')).map((key) => [key, why] as const);
}

const ATTRIBUTE = /^[A-Za-z_]\w*$/;

const readAttributes: Reader<Readonly<Record<string, string | number | boolean>>> = (value, place, problems) => {
  if (!isTable(value)) {
    problems.expected(place, "an object of attributes such as { JobFlavour: 'workday' }", value);
    return undefined;
  }
  const entries: [string, string | number | boolean][] = [];
  for (const [name, content] of Object.entries(value)) {
    if (content === undefined) continue;
    const at = option(place, name);
    const own = OWN.get(name.toLowerCase());
    if (!ATTRIBUTE.test(name)) problems.report(place, `${show(name)} cannot be the name of an attribute`);
    else if (own !== undefined) problems.report(at, `${name} cannot be set here: ${own}`);
    else if (typeof content === 'boolean' || (typeof content === 'number' && Number.isFinite(content))) entries.push([name, content]);
    else if (typeof content !== 'string') problems.expected(at, 'text, a number, true or false', content);
    else {
      const problem = textProblem(content);
      if (problem === null) entries.push([name, content]);
      else problems.report(at, `${show(content)} cannot be handed on: ${problem}`);
    }
  }
  return Object.fromEntries(entries);
};

const LINE = /^(\+|MY\.)?([A-Za-z_][\w.]*)\s*=(?!=)\s*\S/i;

const readLines = readList(
  "an array of lines such as ['stream_output = True']",
  readChecked("a line of a submit description such as 'stream_output = True'", (text) => {
    const [, , key] = LINE.exec(text.trim()) ?? [];
    if (key === undefined) return 'a line has a key, = and a value';
    const own = OWN.get(key.toLowerCase());
    return own === undefined ? null : `${key} cannot be set here: ${own}`;
  }),
);
