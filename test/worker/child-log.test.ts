// The log of user functions and how functions are found in a config: small parts that a child process uses.
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { findAlgorithm, findCollection } from '../../src/worker/find-function.ts';

describe('log', () => {
  it('writes a line each to standard error, whatever the details hold', () => {
    const script = `
      import { createChildLog } from '${new URL('../../src/worker/child-log.ts', import.meta.url).href}';
      const log = createChildLog();
      const circle = { n: 1n, error: new Error('no fit') };
      circle.self = circle;
      log('plain');
      log.debug('some', { channel: 7 });
      log.error('odd', { circle });`;
    const output = execFileSync('/bin/sh', ['-c', 'exec "$0" --input-type=module -e "$1" 2>&1', process.execPath, script], {
      encoding: 'utf8',
    });
    expect(output.replace(/^[\d:.]{12} /gm, '')).toBe(
      'info  plain\ndebug some {"channel":7}\nerror odd {"circle":{"n":"1n","error":"no fit","self":"[seen above]"}}\n',
    );
  });
});

describe('functions', () => {
  const collect = () => undefined;
  const config = { calibrations: [{ name: 'gains', collections: { random: { collect } }, algorithms: [{ name: 'fit', run: collect }] }] };

  it('are found by calibration and name', () => {
    expect(findCollection(config, 'gains', 'random')).toEqual({ collect });
    expect(findAlgorithm(config, 'gains', 'fit').run).toBe(collect);
  });

  it('that a config does not give in another process are told with the nearest name', () => {
    expect(() => findCollection(config, 'gains', 'randon')).toThrow(/has no collection randon .*there is random/);
    expect(() => findCollection(config, 'gain', 'random')).toThrow(/no calibration gain .*there is gains/);
    expect(() => findCollection(config, 'gains', 'toString')).toThrow(/no collection toString/);
    expect(() => findAlgorithm(undefined, 'gains', 'fit')).toThrow(/no calibration gains/);
  });
});
