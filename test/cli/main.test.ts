// The command line from outside: what is said where, and the exit codes.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { reportFailure } from '../../src/cli/failure.ts';
import { main } from '../../src/cli/main.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { VERSION } from '../../src/cli/version.ts';
import { CafError } from '../../src/domain/errors.ts';
import { createTestIo, type TestIo, type TestIoOptions } from '../support/io.ts';

const directories: string[] = [];
function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'caf-'));
  directories.push(directory);
  return directory;
}
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

async function caf(argv: readonly string[], options: TestIoOptions = {}): Promise<TestIo> {
  const io = createTestIo({ cwd: temporary(), ...options });
  await main(argv, io);
  return io;
}

test('--version is one line on stdout', async () => {
  expect((await caf(['--version'])).stdout.text).toBe(`${VERSION}\n`);
});

test('without a command, the help, and nothing went wrong', async () => {
  const io = await caf([]);
  expect(io.stdout.text).toMatch(/^Usage: caf/);
  expect(io.stderr.text).toBe('');
  expect(io.exitCode).toBeUndefined();
});

test("every command's help begins with examples that the command line understands", () => {
  for (const command of buildProgram(createTestIo()).commands) {
    if (command.name() === 'help' || command.name().startsWith('__')) continue;
    const io = createTestIo();
    const same = buildProgram(io).commands.find((each) => each.name() === command.name());
    same?.outputHelp();
    expect(io.stdout.text, command.name()).toMatch(/^Examples:\n {2}(caf|source) /);
    for (const option of io.stdout.text.split('\nUsage:')[0]?.matchAll(/ (--[a-z-]+)/g) ?? []) {
      expect(
        same?.options.map((each) => each.long),
        `${command.name()} ${option[1]}`,
      ).toContain(option[1]);
    }
  }
});

test.each([
  [['runn'], "Unknown command 'runn'", 'did you mean run?'],
  [['run', '--onyl', 'x'], "Unknown option '--onyl'", 'did you mean --only?'],
  [['run', '--json', '--quiet'], "Option '--json' cannot be used with option '-q, --quiet'", 'caf run --help'],
  [['run', 'a', 'b'], "Too many arguments for 'run'. Expected 1 argument but got 2: a, b", 'caf run --help'],
  [['graph', '--machine', 'jub'], 'Allowed choices are', 'caf graph --help'],
  [['db', 'show'], "Missing required argument 'path'", 'caf db show --help'],
  [['xyzzy'], "Unknown command 'xyzzy'", 'caf --help'],
  [['help', 'exit-code'], "There is no command or topic 'exit-code'", 'did you mean exit-codes?'],
])('%j is refused with a suggestion and exit code 2', async (argv, message, hint) => {
  const io = await caf(argv);
  expect(io.stderr.text).toContain(message);
  expect(io.stderr.text).toContain('CAF_USAGE');
  expect(io.stderr.text).toContain(`hint: ${hint}`);
  expect(io.stdout.text).toBe('');
  expect(io.exitCode).toBe(2);
});

test('a bad interval is explained', async () => {
  const io = await caf(['run', '--iov', '7,20,7,1']);
  expect(io.exitCode).toBe(2);
  expect(io.stderr.text).toContain('7,20,7,1');
});

test('help exit-codes and help environment', async () => {
  expect((await caf(['help', 'exit-codes'])).stdout.text).toMatch(/^Exit codes:\n {2}0 .*\n {2}1 /);
  expect((await caf(['help', 'environment'])).stdout.text).toContain('NO_COLOR');
});

test('every variable that caf reads from its environment is documented, but those of its tests', async () => {
  const documented = (await caf(['help', 'environment'])).stdout.text;
  const source = new URL('../../src/', import.meta.url);
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const names = files.flatMap((file) =>
    [...readFileSync(new URL(file, source), 'utf8').matchAll(/(?:\benv\.|^ +given\(.*')(CAF_\w+)/gm)].map((match) => match[1]!),
  );
  expect(names.length).toBeGreaterThan(0);
  for (const name of new Set(names)) if (!name.startsWith('CAF_CRASH')) expect(documented).toContain(name);
});

test('a missing config is exit 2 and says what to do', async () => {
  const io = await caf(['run']);
  expect(io.exitCode).toBe(2);
  expect(io.stderr.text).toContain('CAF_CONFIG_NOT_FOUND');
  expect(io.stderr.text).toContain('caf init');
});

test('all problems of an error are shown with their places, as in 80 columns', () => {
  const io = createTestIo();
  const error = new CafError('CAF_CONFIG_INVALID', 'caf.config.ts has 2 problems', {
    problems: [
      { path: 'calibrations.ecal-gain.resources.memory', message: "expected a size such as '2 GB', found 2" },
      { path: 'calibrations.top-align.dependsOn[0]', message: "no calibration is called 'ecal-gian'; did you mean 'ecal-gain'?" },
    ],
  });
  reportFailure(error, [], io);
  expect(`\n${io.stderr.text}`).toMatchInlineSnapshot(`
    "
    ✖ caf.config.ts has 2 problems                                CAF_CONFIG_INVALID

      calibrations.ecal-gain.resources.memory
        expected a size such as '2 GB', found 2
      calibrations.top-align.dependsOn[0]
        no calibration is called 'ecal-gian'; did you mean 'ecal-gain'?
    "
  `);
  expect(io.exitCode).toBe(2);
});

test('a hint, the place in the user’s file, and a message too long for its line', () => {
  const io = createTestIo({ cwd: '/home/me' });
  const error = new CafError('CAF_CONFIG_CYCLE', 'These calibrations wait for each other: t0 -> gain -> alignment -> t0', {
    hint: 'remove one of the dependencies, or merge them into one calibration with iterations',
    at: { file: '/home/me/caf.config.ts', line: 12, column: 3 },
  });
  reportFailure(error, [], io);
  expect(`\n${io.stderr.text}`).toMatchInlineSnapshot(`
    "
    ✖ These calibrations wait for each other: t0 -> gain -> alignment -> t0
        CAF_CONFIG_CYCLE
      caf.config.ts:12:3
      hint: remove one of the dependencies, or merge them into one calibration with
            iterations
    "
  `);
});

test('a bug is exit 3; its stack goes to a file, not to the user', () => {
  const io = createTestIo();
  reportFailure(new TypeError('x is not a function', { cause: new Error('deeper') }), ['run'], io);
  expect(io.exitCode).toBe(3);
  expect(io.stderr.text).toContain('CAF_INTERNAL');
  expect(io.stderr.text).not.toContain('main.test.ts');
  const path = /\S+caf-bug-\w+\/report\.log/.exec(io.stderr.text)?.[0] ?? '';
  const log = readFileSync(path, 'utf8');
  rmSync(dirname(path), { recursive: true });
  expect(log).toContain('main.test.ts');
  expect(log).toContain('deeper');
});

test('colour: on a terminal, not with NO_COLOR, --no-color or TERM=dumb, anywhere with FORCE_COLOR', async () => {
  const isColoured = async (argv: string[], options: TestIoOptions) =>
    (await caf(['runn', ...argv], options)).stderr.text.includes('\u001b[');
  const utf8 = { LANG: 'C.UTF-8' };
  expect(await isColoured([], { isTTY: true, env: utf8 })).toBe(true);
  expect(await isColoured([], { isTTY: true, env: { ...utf8, NO_COLOR: '1' } })).toBe(false);
  expect(await isColoured([], { isTTY: true, env: { ...utf8, TERM: 'dumb' } })).toBe(false);
  expect(await isColoured([], { env: utf8 })).toBe(false);
  expect(await isColoured([], { env: { ...utf8, FORCE_COLOR: '1' } })).toBe(true);
  expect(await isColoured(['--no-color'], { env: { ...utf8, FORCE_COLOR: '1' } })).toBe(false);
});

test('where the locale is not UTF-8, everything is ASCII', async () => {
  const io = await caf(['runn'], { env: { LANG: 'C' } });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
  expect(io.stderr.text).toMatch(/^!! [\u0000-\u007f]*$/);
});
