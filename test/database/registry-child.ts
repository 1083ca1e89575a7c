// A process of its own that moves a name, started by tests: `node registry-child.ts MODE RESULTS ...`.
import { nameVersion } from '../../src/database/names.ts';
import { openRegistry } from '../../src/database/registry.ts';

const [mode, results = '', ...rest] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
const by = { actor: 'physicist@login02', note: 'test', command: 'caf db branch' };

switch (mode) {
  /** Looks where the branch is, waits for a line on standard input, and moves it from there. */
  case 'race': {
    const [from = '', to = ''] = rest;
    say('ready');
    process.stdin.once('data', async () => {
      try {
        const registry = await openRegistry(results, { command: 'caf db branch' });
        const target = registry.register(to).versionId;
        const move = {
          name: 'online',
          kind: 'branch' as const,
          to: target,
          expected: from,
          at: '2026-01-02T03:04:05Z',
          actor: to,
          reason: 'race',
        };
        try {
          registry.move([move]);
        } finally {
          registry.close();
        }
        say('won');
      } catch (error) {
        say((error as { code?: string }).code ?? String(error));
      }
      process.stdin.unref();
    });
    break;
  }
  /** Moves a branch to and fro, telling each move, until it is killed. */
  case 'to-and-fro':
    for (let step = 0; ; step += 1) {
      const target = rest[step % rest.length] ?? '';
      const { new: now } = await nameVersion(results, { name: 'online', kind: 'branch', target, ...by });
      say(String(now));
    }
  default:
    throw new Error(`unknown mode ${mode}`);
}
