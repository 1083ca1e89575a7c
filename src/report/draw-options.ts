// Draws with which options jobs would be sent to their backend, and what says so. Pure.
import type { OptionOrigin } from '../domain/calibration.ts';
import type { Style } from './style.ts';
import { count, cutEnd, cutMiddle, drawTable, oneLine } from './text.ts';

/** The jobs of one collection or algorithm. */
export interface OptionsRow {
  /** `gain/random` */
  readonly name: string;
  readonly jobs: number;
  readonly backend: string;
  /** `jobs`: how many of them it concerns; absent = all. */
  readonly options: readonly (OptionOrigin & { readonly jobs?: number })[];
}

/** What everybody wants to know of a job of a batch engine, also where it is the default. */
const ALWAYS: readonly string[] = ['cores', 'memory', 'time'];
const MAX_GROUPS = 12;
const MAX_NAMES = 3;

/** Nothing where all is as usual: on this machine, with defaults. Collections with the same options share their lines. */
export function drawOptions(
  rows: readonly OptionsRow[],
  { columns, style }: { readonly columns: number; readonly style: Style },
): string[] {
  const groups = new Map<string, { readonly names: string[]; readonly lines: readonly (readonly string[])[]; jobs: number }>();
  for (const row of rows) {
    const told = row.options.filter(({ from, name }) => from !== 'default' || (row.backend !== 'local' && ALWAYS.includes(name)));
    if (told.length === 0) continue;
    const lines = linesOf(told);
    const key = JSON.stringify([row.backend, lines]);
    const group = groups.get(key) ?? { names: [], lines, jobs: 0 };
    group.names.push(row.name);
    group.jobs += row.jobs;
    groups.set(key, group);
  }
  if (groups.size === 0) return [];
  const cells = [...groups.values()]
    .slice(0, MAX_GROUPS)
    .flatMap(({ names, lines, jobs }) => sideBySide(headsOf(names, jobs), lines, Math.max(Math.min(32, columns - 40), 8), style));
  const [header = '', ...drawn] = drawTable(['jobs of', 'option', 'value', 'from'], cells).map((line) =>
    cutEnd(line, columns, style.ellipsis),
  );
  const more = groups.size - MAX_GROUPS;
  return [
    style.paint('bold', header),
    ...drawn,
    ...(more > 0 ? [`and ${more} more with other options: caf run --dry-run --json`] : []),
    'all else has its default, or is left to the site',
  ];
}

const headsOf = (names: readonly string[], jobs: number): readonly string[] => [
  ...names.slice(0, MAX_NAMES),
  ...(names.length > MAX_NAMES ? [`and ${names.length - MAX_NAMES} more`] : []),
  `(${count(jobs, 'job')})`,
];

/** The names go down the left of their options. */
const sideBySide = (heads: readonly string[], lines: readonly (readonly string[])[], width: number, style: Style): readonly string[][] =>
  Array.from({ length: Math.max(heads.length, lines.length) }, (_, i) => [
    cutMiddle(heads[i] ?? '', width, style.ellipsis),
    ...(lines[i] ?? ['', '', '']),
  ]);

/** Of values that differ from job to job only how far they go. */
function linesOf(options: OptionsRow['options']): readonly (readonly string[])[] {
  const groups = Map.groupBy(options, ({ name, from }) => `${name} ${from}`);
  return [...groups.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const values = same.map(({ value }) => valueText(value));
    const jobs = same.reduce((sum, option) => sum + (option.jobs ?? 0), 0);
    const text = values.length <= 3 ? values.join(', ') : `${values[0]}, ${values[1]}, ... (${values.length} values)`;
    return [[first.name, `${oneLine(text)}${jobs === 0 ? '' : ` (${count(jobs, 'job')})`}`, ORIGINS[first.from]]];
  });
}

const ORIGINS: Readonly<Record<OptionOrigin['from'], string>> = {
  default: 'default',
  config: 'backend (config)',
  calibration: 'backend (calibration)',
  collection: 'collection',
  algorithm: 'algorithm',
  job: 'function of the job',
  retry: 'raised after a failure',
};

const VALUE_WIDTH = 40;
const valueText = (value: unknown): string => {
  const text = typeof value === 'string' ? value : Array.isArray(value) && value.every(isScalar) ? value.join(', ') : JSON.stringify(value);
  return cutEnd(text ?? '', VALUE_WIDTH, '...');
};
const isScalar = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';
