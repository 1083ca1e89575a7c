// What works here: each thing caf needs, looked at for real.
import { accessSync, constants, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Survey } from '../backends/engine.ts';
import type { NamedEngine } from '../backends/engines.ts';
import { callOf } from '../config/check/check-backend.ts';
import { formatSize } from '../domain/quantity.ts';

export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly text: string;
  /** What to do; null when there is nothing to do. */
  readonly hint: string | null;
}

export interface Surroundings {
  /** Absolute path of the results directory, which need not exist yet. */
  readonly results: string;
  readonly env: NodeJS.ProcessEnv;
}

/** In the order in which one would fix them. Never rejects: a check that throws has failed. */
export async function examine(surroundings: Surroundings): Promise<readonly Finding[]> {
  const { ENGINES } = await import('../backends/engines.ts');
  const checks: readonly (readonly [string, () => Finding | Promise<Finding>])[] = [
    ['Node', checkNode],
    ['SQLite', checkSqlite],
    ['results directory', () => checkResults(surroundings)],
    ['file system', () => checkFileSystem(surroundings)],
    ['clock', () => checkClock(surroundings)],
    ['temporary files', checkTemporary],
    ['cores', checkCores],
    ...ENGINES.map((engine) => [engine.name, () => checkEngine(engine, ENGINES, surroundings)] as const),
    ['python3', () => checkProgram('python3', 'needed only for calibrations that run Python programs', surroundings)],
    ['git', () => checkProgram('git', 'needed only to keep calibrations under version control', surroundings)],
  ];
  const findings: Finding[] = [];
  for (const [check, look] of checks) {
    try {
      findings.push(await look());
    } catch (error) {
      findings.push(fail(check, error instanceof Error ? error.message : String(error), 'see the message'));
    }
  }
  return findings;
}

const ok = (check: string, text: string): Finding => ({ check, status: 'ok', text, hint: null });
const warn = (check: string, text: string, hint: string): Finding => ({ check, status: 'warn', text, hint });
const fail = (check: string, text: string, hint: string): Finding => ({ check, status: 'fail', text, hint });

function checkNode(): Finding {
  const text = `${process.versions.node} (${process.execPath})`;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return ok('Node', text);
  return fail('Node', text, 'use Node 22.18 or newer');
}

async function checkSqlite(): Promise<Finding> {
  const directory = mkdtempSync(join(tmpdir(), 'caf-doctor-'));
  try {
    const { openJournal } = await import('../database/journal.ts');
    openJournal(directory).close();
    return ok('SQLite', 'a journal can be made');
  } catch (error) {
    const text = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return fail('SQLite', text, 'npm rebuild better-sqlite3, with the Node that runs caf');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function checkResults({ results }: Surroundings): Finding {
  const existing = nearestExisting(results);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
    return ok('results directory', existing === results ? `${results} can be written` : `${results} can be made`);
  } catch {
    return fail('results directory', `${existing} cannot be written`, 'choose another with --output');
  }
}

async function checkFileSystem({ results, env }: Surroundings): Promise<Finding> {
  const { readFileSystem } = await import('../database/filesystem.ts');
  const { kind, name, freeBytes, freeFiles } = readFileSystem(results, env);
  const space = `${freeBytes === null ? 'unknown space' : formatSize(freeBytes)} free${freeFiles === null ? '' : `, ${freeFiles} files`}`;
  if ((freeBytes !== null && freeBytes < 100e6) || (freeFiles !== null && freeFiles < 1000)) {
    return warn('file system', `${name}, ${space}`, 'make space, or choose another results directory with --output');
  }
  if (kind === 'network') {
    const hint = 'it works, more slowly, and caf status reads a published copy; a local disk is better for the results directory';
    return warn('file system', `${name}, a network file system, ${space}`, hint);
  }
  return ok('file system', `${name === 'local' ? name : `${name}, local`}, ${space}`);
}

/** The file server's clock against ours: what compares modification times is wrong by their difference. */
function checkClock({ results }: Surroundings): Finding {
  const directory = nearestExisting(results);
  const probe = join(directory, `.caf-clock-${process.pid}`);
  const before = Date.now();
  let skewMs: number;
  try {
    writeFileSync(probe, '', { flag: 'wx' });
    skewMs = statSync(probe).mtimeMs - before;
  } catch {
    return warn('clock', `the clock of ${directory} cannot be read`, 'see results directory');
  } finally {
    rmSync(probe, { force: true });
  }
  if (new Date(before).getUTCFullYear() < 2025) {
    return warn(
      'clock',
      `this machine says ${new Date(before).toISOString()}`,
      'set the clock; order in caf does not depend on it, dates do',
    );
  }
  if (Math.abs(skewMs) > 5000) {
    return warn('clock', `the file system is ${Math.round(skewMs / 1000)} s away from this machine`, 'have the clocks synchronised (NTP)');
  }
  return ok('clock', 'this machine and the file system agree');
}

function checkTemporary(): Finding {
  const directory = tmpdir();
  try {
    const made = mkdtempSync(join(directory, 'caf-doctor-'));
    rmSync(made, { recursive: true });
    return ok('temporary files', directory);
  } catch {
    return fail('temporary files', `${directory} cannot be written`, 'set TMPDIR to a directory of yours');
  }
}

function checkCores(): Finding {
  const usable = availableParallelism();
  const all = cpus().length;
  const text = `${usable}${all > usable ? ` of ${all}` : ''}, ${formatSize(totalmem())} of memory`;
  return ok('cores', text);
}

/** Started for real: a program on PATH may be broken. */
async function checkProgram(name: string, why: string, { env }: Surroundings): Promise<Finding> {
  const { runCommand } = await import('../backends/exec.ts');
  const { ended, stdout, stderr } = await runCommand([name, '--version'], { env });
  if (ended === 'missing') return warn(name, 'not found on PATH', why);
  const [first = ''] = `${stdout}\n${stderr}`.trim().split('\n');
  return ended === 'ok' ? ok(name, first) : warn(name, `it does not answer to --version: ${first || ended}`, why);
}

/** Whether jobs can be sent there from here, what there is, and a backend for the config that would do. `all`: commands of two engines can have the same name. */
async function checkEngine(engine: NamedEngine, all: readonly NamedEngine[], { env }: Surroundings): Promise<Finding> {
  const { name } = engine;
  const [{ runCommand }, { environmentFor, failureText }] = await Promise.all([
    import('../backends/exec.ts'),
    import('../backends/batch-commands.ts'),
  ]);
  const own = environmentFor(engine, env);
  const version = await runCommand(engine.version, { env: own });
  if (version.ended === 'missing') return ok(name, `not here (${failureText(version, engine.version)})`);
  if (version.ended !== 'ok') {
    const others = all.filter((other) => other !== engine && other.version[0] === engine.version[0]);
    for (const other of others) {
      const answer = await runCommand(other.version, { env: environmentFor(other, env) });
      if (answer.ended === 'ok') return ok(name, `not here (${engine.version[0]} is that of ${other.name})`);
    }
    return warn(name, failureText(version, engine.version), 'have the commands repaired, or use another login node');
  }
  const text = version.stdout.trim().split('\n')[0] ?? '';
  const { survey, limits } = engine;
  const ask = (argv: readonly string[]) => runCommand(argv, { env: own, timeoutMs: 60_000 });
  let found: Survey | null = null;
  if (survey !== null) {
    const answer = await ask(survey.argv);
    found = survey.read(answer);
    if (found === null)
      return warn(
        name,
        `${text}; ${failureText(answer, survey.argv)}`,
        'the engine does not answer: try again later, or ask its administrators',
      );
  }
  const most = limits?.read(await ask(limits.argv)) ?? null;
  const arrays = most === null ? null : `at most ${most.maxArray} jobs in an array`;
  return {
    check: name,
    status: 'ok',
    text: [text, found?.text ?? null, arrays].filter((part) => part !== null).join('; '),
    hint: `in the config: backend: ${callOf(name)}(${found?.options ?? ''})`,
  };
}

function nearestExisting(path: string): string {
  let existing = path;
  while (statSync(existing, { throwIfNoEntry: false }) === undefined && dirname(existing) !== existing) existing = dirname(existing);
  return existing;
}
