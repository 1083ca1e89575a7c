// Odd terminals: 20 columns, none at all, TERM=dumb, a locale without Unicode, an output that is closed early. Readable, and never a crash.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createScene, type Scene } from '../support/scene.ts';

const CAF = join(import.meta.dirname, '../../bin/caf.js');
let scene: Scene;
const CAMPAIGN = `
const P = definePayload('Table', z.object({ n: z.number() }));
export default defineConfig({ calibrations: Array.from({ length: 60 }, (_, i) => defineCalibration({
  name: 'a-calibration-with-a-long-name-' + i, algorithms: [], collections: { c: { files: [], retries: 0, collect: command(['sh', '-c', i === 7 ? 'echo något gick fel; exit 3' : 'true']) } } })) });
`;

beforeAll(async () => {
  scene = createScene();
  scene.config(CAMPAIGN);
  const { code, stderr } = await scene.caf(['run', '-q']);
  expect(code, stderr).toBe(1);
});
afterAll(() => scene.close());

/** Runs a command line in a terminal of this size; the answer holds what appeared on it. */
async function inTerminal(
  columns: number,
  line: string,
  env: Record<string, string> = {},
): Promise<{ code: number | null; screen: string }> {
  const inherited = { ...process.env };
  delete inherited.NO_COLOR;
  const child = spawn('script', ['-qec', `stty cols ${columns} rows 24; ${line}`, '/dev/null'], {
    cwd: scene.directory,
    env: { ...inherited, TERM: 'xterm-256color', CAF: `${process.execPath} ${CAF}`, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, screen };
}

/** Without what moves the cursor and colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what is taken out
const plain = (screen: string) => screen.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b[78=>]|\r/g, '');

test.each([['status'], ['status --all'], ['graph'], ['run --dry-run'], ['run'], ['logs'], ['doctor'], ['--help']])(
  'caf %s is readable in 20 columns',
  async (words) => {
    const { code, screen } = await inTerminal(20, `$CAF ${words}`);
    expect([0, 1], plain(screen)).toContain(code);
    expect(plain(screen)).not.toMatch(/RangeError|TypeError|at .*\.[cm]?[jt]s:\d+:\d+|bug/);
    expect(plain(screen).trim()).not.toBe('');
  },
);

test('caf run in a terminal of 20 columns draws no line that wraps', async () => {
  const { screen } = await inTerminal(20, '$CAF run --fresh --only a-calibration-with-a-long-name-1');
  // What the board repaints: between "erase" sequences no line is wider than the terminal.
  const long = plain(screen)
    .split('\n')
    .filter((line) => line.length > 20 && /^\S* *(✔|●|▸|⠋|…)/.test(line) && !line.includes('calibration_results'));
  expect(long).toEqual([]);
});

test.each([['status'], ['run'], ['graph']])('caf %s writes ASCII only, without colours, where TERM=dumb and LANG=C', async (words) => {
  const { code, screen } = await inTerminal(80, `$CAF ${words}`, { TERM: 'dumb', LANG: 'C', LC_ALL: 'C' });
  expect([0, 1], screen).toContain(code);
  expect(screen).not.toContain('\x1b[3');
  // What users write themselves passes; what caf draws does not need Unicode.
  const drawn = screen.replaceAll('något', '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  expect(drawn.match(/[^\x00-\x7f]/g)).toBeNull();
});

test.each([
  ['status', 1],
  ['status --json', 1],
  ['run --json', 1],
  ['run --dry-run', 1],
  ['graph', 1],
  ['--help', 1],
])('caf %s | head -1 ends quietly', async (words, lines) => {
  const through = ['sh', '-c', `set -o pipefail 2>/dev/null; "$@" | head -${lines}`, 'sh'];
  const { stdout, stderr } = await scene.caf(words.split(' '), { through });
  expect(stdout.split('\n').length).toBeLessThanOrEqual(lines + 1);
  expect(stderr).not.toMatch(/EPIPE|Error|unsettled|bug/);
});

test.each([
  ['stdout', '"$@" >&-'],
  ['stderr', '"$@" 2>&-'],
  ['both', '"$@" >&- 2>&-'],
])('caf run with closed %s does its work all the same', async (_, line) => {
  const { code } = await scene.caf(['run', '--output', `closed${line.length}`], { through: ['sh', '-c', line, 'sh'] });
  expect(code).toBe(1);
  const { stdout } = await scene.caf(['status', `closed${line.length}`, '--json']);
  expect((JSON.parse(stdout) as { calibrations: { state: string }[] }).calibrations.map(({ state }) => state).sort()).toEqual(
    [...Array(59).fill('completed'), 'failed'].sort(),
  );
});
