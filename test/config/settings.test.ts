// Flag, then environment, then config, then default; and which of them it was.
import { describe, expect, test } from 'vitest';
import { local } from '../../src/config/define.ts';
import { checkContext, resolveSettings, type SettingsInput } from '../../src/config/settings.ts';

const INPUT: SettingsInput = {
  flags: {},
  env: {},
  cwd: '/home/anna/here',
  configPath: '/home/anna/caf.config.ts',
  config: { calibrations: [] },
};

function settle(input: Partial<SettingsInput>) {
  const settings = resolveSettings({ ...INPUT, ...input });
  if (!settings.ok) throw new Error(JSON.stringify(settings.error));
  return settings.value;
}

describe('the results directory', () => {
  const config = { calibrations: [], output: 'results' };
  const env = { CAF_OUTPUT: 'from-env' };
  const flags = { output: '../from-flag' };

  test.each([
    [{ config, env, flags }, '/home/anna/from-flag', 'flag', '--output'],
    [{ config, env }, '/home/anna/here/from-env', 'environment', 'CAF_OUTPUT'],
    [{ config, env: { CAF_OUTPUT: '' } }, '/home/anna/results', 'config', 'output'],
    [{}, '/home/anna/calibration_results', 'default', ''],
  ])('%# is %s from %s', (input, value, origin, name) => {
    expect(settle(input).output).toEqual({ value, origin, name });
  });
});

test('backend, slots and iov keep their origin, and only flags and environment override the config', () => {
  const settings = settle({
    flags: { backend: 'local', iov: '1,1,1,3' },
    env: { CAF_SLOTS: '3', CAF_BACKEND: 'nothing' },
    config: { calibrations: [], backend: local({ slots: 7 }), iov: [2, 0, 2, -1] },
  });
  expect(settings).toMatchObject({
    backend: { value: 'local', origin: 'flag' },
    slots: { value: 3, origin: 'environment' },
    iov: { value: [1, 1, 1, 3], origin: 'flag' },
  });
  expect(checkContext('/home/anna/caf.config.ts', settings)).toMatchObject({
    backendOverride: 'local',
    slotsOverride: 3,
    iov: [1, 1, 1, 3],
  });
  const own = settle({ config: { backend: local({ slots: 7 }), iov: [2, 0, 2, -1] } });
  expect(own).toMatchObject({ slots: { value: 7, origin: 'config' }, iov: { value: [2, 0, 2, -1], origin: 'config' } });
  expect(checkContext('/c', own)).toEqual({
    configPath: '/c',
    output: undefined,
    backendOverride: undefined,
    slotsOverride: undefined,
    iov: undefined,
  });
});

test('wrong flags and variables are all told by their names', () => {
  const settings = resolveSettings({ ...INPUT, flags: { output: '', backend: 'locl', iov: '1,1' }, env: { CAF_SLOTS: 'many' } });
  expect(settings.ok ? [] : settings.error.map(({ path, message }) => `${path}: ${message}`)).toMatchInlineSnapshot(`
    [
      "--output: expected the path of a directory, found ''",
      "--backend: no backend is called 'locl'; did you mean 'local'?",
      "CAF_SLOTS: expected a whole number of slots, at least 1, found 'many'",
      "--iov: '1,1' is not an interval: expected four whole numbers with commas and no spaces. Write firstExp,firstRun,finalExp,finalRun, for instance 7,1,7,20; -1 as finalRun or as both final values means open.",
    ]
  `);
});

test('a config that is none has the defaults', () => {
  expect(settle({ config: undefined }).output.origin).toBe('default');
});
