// Compares two fingerprints of a calibration: what must be done again, and why, in words.
import type { Fingerprint } from '../domain/journal.ts';
import { DIGEST_PREFIX, MISSING_FILE, SOFTWARE } from './fingerprint.ts';

/** How far the calibration had come under the old fingerprint. */
export interface Past {
  /** Iterations that were begun. */
  readonly iterations: number;
  /** Null = it did not end; false = it stopped at its limit. */
  readonly converged: boolean | null;
  /** Jobs failed for good and were left out, as its quorum allowed. */
  readonly hasMissingJobs: boolean;
}

export interface Comparison {
  /** `algorithms` keeps the collector jobs of iteration 0 whose files and arguments are the same. */
  readonly redo: 'nothing' | 'algorithms' | 'all';
  /** `never run`, `up to date`, or the first change, and how many more there are. */
  readonly reason: string;
  /** All that changed and matters. */
  readonly changes: readonly string[];
  /**
   * Nothing is redone, but the end must be judged again with the new limits: it had stopped at its limit without converging.
   * Its descendants wait for that, and are redone if it goes on.
   */
  readonly continues: boolean;
}

const NOTHING_DONE: Past = { iterations: 0, converged: null, hasMissingJobs: false };

/** `base`: directory below which files of code are shown by their relative path. */
export function compareFingerprints(
  old: Fingerprint | null,
  now: Fingerprint,
  { past = NOTHING_DONE, base = null }: { readonly past?: Past; readonly base?: string | null } = {},
): Comparison {
  if (old === null) return { redo: 'all', reason: 'never run', changes: [], continues: false };

  const codeReason = () => describeCode(old.code, now.code, base);
  const inCollectors = describeParts(old.collectors, now.collectors, codeReason);
  const limits = judgeLimits(old.algorithms, now.algorithms, past);
  const inAlgorithms = [...describeParts(old.algorithms, now.algorithms, codeReason), ...limits.changes];
  const changes = [...new Set([...inCollectors, ...inAlgorithms])];

  if (inCollectors.length > 0)
    return {
      redo: changesOnlyFiles(old.collectors, now.collectors) ? 'algorithms' : 'all',
      reason: summary(changes),
      changes,
      continues: false,
    };
  if (inAlgorithms.length > 0) return { redo: 'algorithms', reason: summary(changes), changes, continues: false };
  if (limits.continues !== null) return { redo: 'nothing', reason: limits.continues, changes: [limits.continues], continues: true };
  return { redo: 'nothing', reason: 'up to date', changes, continues: false };
}

/** Then each job is looked at: those whose own files are the same are kept. */
const changesOnlyFiles = (old: Parts, now: Parts): boolean =>
  [...new Set([...Object.keys(old), ...Object.keys(now)])].every(
    (key) => isSame(key, old, now) || (key.startsWith('files:') && key in old && key in now),
  );

/** What one backend says of the software of its jobs cannot be compared with another that says nothing. */
const isSame = (key: string, old: Parts, now: Parts): boolean =>
  old[key] === now[key] || (key.startsWith(SOFTWARE) && !(key in old && key in now));

const summary = (changes: readonly string[]): string =>
  changes.length > 1 ? `${changes[0]} (and ${changes.length - 1} more)` : (changes[0] ?? 'changed');

type Parts = Readonly<Record<string, string>>;

/** Compared by judgeLimits: what they mean depends on how far the calibration came. */
const LIMITS: readonly string[] = ['maxIterations', 'onMaxIterations', 'quorum'];

/**
 * A limit that was not reached changes nothing. One that was reached and is raised lets the calibration go on; one lowered below what was
 * done would have ended it earlier, so its algorithms are done again.
 */
function judgeLimits(old: Parts, now: Parts, past: Past): { readonly changes: readonly string[]; readonly continues: string | null } {
  const changes: string[] = [];
  let continues: string | null = null;
  const [limit, quorum, oldQuorum] = [Number(now.maxIterations), Number(now.quorum), Number(old.quorum)];
  if (now.maxIterations !== old.maxIterations) {
    const change = describeOption('maxIterations', old.maxIterations, now.maxIterations);
    if (limit < past.iterations) changes.push(change);
    else if (past.converged === false && limit > past.iterations) continues = change;
  }
  if (now.onMaxIterations !== old.onMaxIterations && past.converged === false) {
    continues ??= describeOption('onMaxIterations', old.onMaxIterations, now.onMaxIterations);
  }
  if (quorum > oldQuorum && past.hasMissingJobs) changes.push(describeOption('quorum', old.quorum, now.quorum));
  return { changes, continues };
}

/** What differs between two parts of a fingerprint, in the order of the new one. */
function describeParts(old: Parts, now: Parts, codeReason: () => string): readonly string[] {
  const changes: string[] = [];
  /** Of these every member differs: one sentence tells it. */
  const told = new Set<string>();
  for (const list of ['collections', 'algorithms', 'databases', 'ancestors']) {
    const [before, after] = [namesOf(old, list), namesOf(now, list)];
    const noun = list.slice(0, -1);
    for (const name of after.filter((candidate) => !before.includes(candidate))) {
      changes.push(`${noun} ${name} added`);
      told.add(`${noun} ${name}`);
    }
    for (const name of before.filter((candidate) => !after.includes(candidate))) {
      changes.push(`${noun} ${name} removed`);
      told.add(`${noun} ${name}`);
    }
    if (old[list] !== now[list] && changes.length === 0) changes.push(`order of the ${list} changed`);
  }
  const owner = 'collections' in now ? 'collection' : 'algorithm';
  for (const key of new Set([...Object.keys(now), ...Object.keys(old)])) {
    if (isSame(key, old, now) || LIMITS.includes(key) || isList(key)) continue;
    const { kind, subject } = splitKey(key);
    if (told.has(`${kind === 'database' ? 'database' : owner} ${subject}`)) continue;
    changes.push(describeChange(key, old[key], now[key], codeReason));
  }
  return changes;
}

const isList = (key: string): boolean => ['collections', 'algorithms', 'databases', 'ancestors'].includes(key);

const namesOf = (parts: Parts, list: string): readonly string[] => JSON.parse(parts[list] ?? '[]') as string[];

/** `option:means:stepSize` -> option, means, stepSize. The label of a database may hold colons itself. */
function splitKey(key: string): { readonly kind: string; readonly subject: string; readonly detail: string } {
  const [kind = '', subject = '', ...detail] = key.split(':');
  return kind === 'database' ? { kind, subject: key.slice(kind.length + 1), detail: '' } : { kind, subject, detail: detail.join(':') };
}

function describeChange(key: string, old: string | undefined, now: string | undefined, codeReason: () => string): string {
  const { kind, subject, detail } = splitKey(key);
  switch (kind) {
    case 'code':
      return codeReason();
    case 'iov':
      return `requested IoV changed: ${showIov(old)} -> ${showIov(now)}`;
    case 'ignoredRuns':
      return `ignored runs changed${difference(old, now)}`;
    case 'files':
      return describeFiles(old, now);
    case 'database':
      return `database ${subject} changed`;
    case 'env':
      return `environment variable ${detail} of ${subject} changed`;
    case 'option':
      return describeOption(`${detail} of ${subject}`, old, now);
    default:
      return describeOption(`${kind} of ${subject}`, old, now);
  }
}

const describeOption = (option: string, old: string | undefined, now: string | undefined): string =>
  `option ${option} changed${difference(old, now)}`;

/** `: 5 -> 7` where both are short enough to be kept as they are. */
function difference(old: string | undefined, now: string | undefined): string {
  if ([old, now].some((text) => text?.startsWith(DIGEST_PREFIX))) return '';
  return `: ${old ?? 'not set'} -> ${now ?? 'not set'}`;
}

const showIov = (text: string | undefined): string => (text === undefined || text === 'null' ? 'everything' : text.slice(1, -1));

function describeFiles(old = '', now = ''): string {
  const [oldCount, oldPaths, oldStates] = old.split(' ');
  const [count, paths, states] = now.split(' ');
  const more = Number(count) - Number(oldCount);
  if (more !== 0) return `input list changed: ${more > 0 ? '+' : '-'} ${Math.abs(more)} ${Math.abs(more) === 1 ? 'file' : 'files'}`;
  return paths === oldPaths
    ? `${states === oldStates ? 'the runs of input files' : 'input files'} changed since`
    : `input list changed: ${count} ${count === '1' ? 'file' : 'files'} as before, but others`;
}

function describeCode(old: Parts, now: Parts, base: string | null): string {
  const shown = (path: string) => (base !== null && path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path);
  const changed = Object.keys(now).filter((path) => (old[path] ?? MISSING_FILE) !== now[path]);
  const gone = Object.keys(old).filter((path) => !(path in now) && old[path] !== MISSING_FILE);
  const [first] = [...changed.filter((path) => path in old), ...changed, ...gone];
  const count = changed.length + gone.length;
  if (first === undefined) return 'code changed';
  return count === 1 ? `${shown(first)} changed` : `${shown(first)} and ${count - 1} more ${count === 2 ? 'file' : 'files'} changed`;
}
