// The live board on a real pseudo-terminal: 80 columns, 200 calibrations, a resize, Ctrl-C, and a cursor that comes back.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { displayWidth } from '../../src/report/text.ts';
import { showOnTerminal } from '../report/terminal.ts';
import { createProject, HEADER, type Project } from '../support/project.ts';
import { hasPty, openTerminal } from '../support/pty.ts';

let project: Project;
beforeEach(() => {
  project = createProject();
});
afterEach(() => project.remove());

/** 200 calibrations; those that run first wait for the file `open`. */
const config = (waits: boolean): void =>
  project.write(
    'caf.config.ts',
    `${HEADER}
const wait = ['sh', '-c', 'until [ -e "$0/open" ]; do sleep 0.05; done', import.meta.dirname];
export default defineConfig({
  backend: local({ slots: 4 }),
  calibrations: Array.from({ length: 200 }, (_, i) => defineCalibration({
    name: 'calibration-' + String(i).padStart(3, '0'),
    collections: { c: { files: [], collect: command(${waits} && i < 8 ? wait : ['true']) } },
    algorithms: [],
  })),
});
`,
  );

// biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what is taken out
const plain = (text: string): string => text.replace(/\u001b\[[?\d;]*[A-Za-z]|\r/g, '');
// biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what is taken out
const withoutColours = (text: string): string => text.replace(/\u001b\[[\d;]*m/g, '');
/** What was drawn at once, each: frames are sent between two marks of synchronised output. */
const framesOf = (text: string): readonly string[] =>
  text
    .split('\u001b[?2026h')
    .slice(1)
    .map((part) => part.split('\u001b[?2026l')[0] ?? '');
/** How far a frame goes up: the height of the window that it replaces. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape is what it reads
const heightOf = (frame: string): number => Number(/^\u001b\[(\d+)A/.exec(frame)?.[1] ?? 0);
const widestOf = (frames: readonly string[]): number => Math.max(...frames.flatMap((frame) => plain(frame).split('\n').map(displayWidth)));

describe.skipIf(!hasPty)('the live board (skipped where python3 is missing)', () => {
  test('of 200 calibrations fits 80 columns and 24 rows, lists each once as it ends, and gives the cursor back', async () => {
    config(false);
    const terminal = openTerminal(project, ['run']);
    expect(await terminal.ended, terminal.text()).toBe(0);
    const frames = framesOf(terminal.text());
    expect(frames.length).toBeGreaterThan(3);
    expect(widestOf(frames)).toBeLessThanOrEqual(80);
    expect(Math.max(...frames.map(heightOf))).toBeLessThan(24);
    const { lines, isCursorVisible } = showOnTerminal(withoutColours(terminal.text()), 80);
    expect(isCursorVisible).toBe(true);
    const done = lines.flatMap((line) => /^✔ (calibration-\d+) +completed/.exec(line)?.[1] ?? []);
    expect(done.toSorted()).toEqual(Array.from({ length: 200 }, (_, i) => `calibration-${String(i).padStart(3, '0')}`));
    expect(lines.join('\n')).toMatch(/✔ 200 calibrations, 0 payloads in /);
  });

  test('follows a resize; Ctrl-C stops safely, says how to continue, ends with 130 and gives the cursor back', async () => {
    config(true);
    const terminal = openTerminal(project, ['run']);
    await terminal.until((text) => plain(text).includes('1 running'));
    terminal.resize(50, 15);
    await terminal.until((text) =>
      framesOf(text).some((frame) =>
        plain(frame)
          .split('\n')
          .some((line) => /^─+$/.test(line) && line.length === 50),
      ),
    );
    const narrow = framesOf(terminal.text()).length - 1;

    terminal.type('\u0003');
    await terminal.until((text) => /stopping/.test(plain(framesOf(text).at(-1) ?? '')));
    project.write('open', '');
    expect(await terminal.ended, terminal.text()).toBe(130);
    const frames = framesOf(terminal.text()).slice(narrow);
    expect(widestOf(frames)).toBeLessThanOrEqual(50);
    expect(Math.max(...frames.slice(1).map(heightOf))).toBeLessThan(15);
    expect(showOnTerminal(terminal.text(), 50).isCursorVisible).toBe(true);
    expect(plain(terminal.text())).toMatch(/caf run +continue/);

    // And it does continue.
    expect((await project.caf(['run', '-q'])).code).toBe(0);
    expect((await project.status()).state).toBe('completed');
  });

  test('Ctrl-C twice cancels the running jobs and gives the cursor back', async () => {
    config(true);
    const terminal = openTerminal(project, ['run']);
    await terminal.until((text) => plain(text).includes('1 running'));
    terminal.type('\u0003');
    await terminal.until((text) => /stopping/.test(plain(framesOf(text).at(-1) ?? '')));
    terminal.type('\u0003');
    expect(await terminal.ended, terminal.text()).toBe(130);
    expect(showOnTerminal(terminal.text(), 80).isCursorVisible).toBe(true);
  });

  test('caf status --watch takes the whole screen and leaves it as it was, with the last table to be read', async () => {
    config(false);
    await project.ask(['run', '-q']);
    const terminal = openTerminal(project, ['status', '--watch']);
    expect(await terminal.ended).toBe(0);
    const [screen = '', after = ''] = terminal.text().split('\u001b[?1049l');
    expect(screen).toContain('\u001b[?1049h');
    expect(plain(screen)).toMatch(/plus \d+ more/);
    expect(
      plain(after)
        .split('\n')
        .filter((line) => /calibration-\d+ +completed/.test(line)).length,
    ).toBe(200);
  });
});
