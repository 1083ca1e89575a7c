// Whose an unexpected error is: the system's, the config's, or a bug in caf.
import { describe, expect, it } from 'vitest';
import { explainUnexpected, ofConfig } from '../../src/cli/unexpected.ts';

const ofSystem = (code: string) => Object.assign(new Error(`${code}: no, open '/results/x'`), { code, syscall: 'open' });
const explain = (error: unknown) => explainUnexpected(error, () => 'report it');

describe('an unexpected error', () => {
  it.each(['EACCES', 'EMFILE', 'ESTALE', 'EKEYEXPIRED'])('%s of a call of the system is no bug', (code) => {
    expect(explain(ofSystem(code))).toMatchObject({
      code: 'CAF_SYSTEM',
      message: `The system refuses: ${code}: no, open '/results/x'`,
      hint: expect.stringContaining('run the same command again'),
    });
  });

  it('of a full disk is told as such', () => {
    expect(explain(ofSystem('ENOSPC')).code).toBe('CAF_DISK_FULL');
  });

  it('that the system did not give, or that tells of a wrong call, is a bug', () => {
    expect(explain(ofSystem('EINVAL'))).toMatchObject({ code: 'CAF_INTERNAL', hint: 'report it' });
    expect(explain(Object.assign(new Error('no'), { code: 'EACCES' })).code).toBe('CAF_INTERNAL');
    expect(explain('just a text')).toMatchObject({ code: 'CAF_INTERNAL', message: 'This is a bug in caf: just a text' });
  });

  it('whose stack begins in a file of the user is told with its place', () => {
    const error = new Error('from a timer');
    error.stack =
      'Error: from a timer\n    at Timeout._onTimeout (file:///home/anna/caf.config.ts:7:72)\n    at listOnTimeout (node:internal/timers:685:17)';
    expect(ofConfig(error)).toMatchObject({ code: 'CAF_STRAY_ERROR', at: { file: '/home/anna/caf.config.ts', line: 7, column: 72 } });
    error.stack = error.stack.replace('home/anna', 'home/anna/node_modules/fit');
    expect(ofConfig(error)).toBeNull();
    expect(ofConfig('just a text')).toBeNull();
  });
});
