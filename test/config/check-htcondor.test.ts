// What htcondor() may be told about a site, and the lines that would break an array of jobs.
import { describe, expect, test } from 'vitest';
import { checkConfig } from '../../src/config/check-config.ts';
import { command, htcondor } from '../../src/config/define.ts';
import type { HtcondorBackend } from '../../src/config/options.ts';

function check(options: object) {
  const backend = htcondor(options as Omit<HtcondorBackend, 'kind'>);
  const calibration = { name: 'gain', collections: { random: { files: ['*.csv'], collect: command(['true']) } }, algorithms: [] };
  return checkConfig({ backend, calibrations: [calibration] }, { configPath: '/home/anna/caf.config.ts', cores: 4, payloads: [] });
}

function problems(options: object): readonly string[] {
  const checked = check(options);
  return checked.ok ? [] : checked.error.map(({ path, message }) => `${path}: ${message}`);
}

function site(options: object) {
  const checked = check(options);
  if (!checked.ok) throw new Error(problems(options).join('\n'));
  const backend = checked.value.calibrations[0]?.backend;
  return backend?.kind === 'htcondor' ? backend.site : null;
}

describe('htcondor()', () => {
  test('leaves to the pool what is not said', () => {
    expect(site({})).toEqual({
      universe: 'vanilla',
      accountingGroup: null,
      accountingUser: null,
      requirements: null,
      rank: null,
      diskBytes: null,
      gpus: null,
      priority: null,
      concurrencyLimits: [],
      attributes: {},
      lines: [],
    });
  });

  test('takes everything a site may want', () => {
    const options = {
      accountingGroup: 'group_belle.calibration',
      accountingUser: 'anna',
      requirements: 'regexp("^(n|m)[0-9)]", Machine) && (Memory > 4 || HasGPU)',
      rank: 'Mips',
      gpus: 1,
      priority: -5,
      concurrencyLimits: ['sql:2', 'group.xrootd'],
      attributes: { JobFlavour: 'workday', MaxRuntime: 7200, WantSomething: true },
      lines: ['stream_output = True', '+Project = "calibration"', 'MY.Extra = a == 3'],
    };
    expect(site({ ...options, disk: '3 GB', universe: 'local' })).toEqual({ ...options, diskBytes: 3e9, universe: 'local' });
  });

  test.each([
    'queue 5',
    'queue = 5',
    'Log = /tmp/other',
    '+JobBatchName = "mine"',
    'on_exit_remove = false',
    'MAX_RETRIES = 3',
    'leave_in_queue = true',
    'hold = true',
    'getenv = true',
    'request_memory = 4 GB',
    'max_materialize = 10',
    'if version > 8',
    'include : other.sub',
    'no equals sign',
    'nothing =',
    'good = $$(Arch)',
    'joined = a \\',
    'two = a\nqueue 5',
  ])('refuses the line %j', (line) => {
    expect(problems({ lines: [line] })).toHaveLength(1);
  });

  test('says why, and what to do instead', () => {
    expect(
      problems({
        lines: ['periodic_remove = false', 'request_memory = 4 GB', 'max_retries = 3', 'environment = "A=1"', 'x = $$(Arch)', 'queue 5', 7],
        attributes: { JobFlavour: { a: 1 }, 'not a name': 1, JobBatchName: 'x', Bad: 'a\nqueue' },
        requirements: 'true) || (true',
        rank: '"open',
        accountingGroup: 'a\nqueue 5',
        concurrencyLimits: ['two words'],
        universe: 'docker',
        priority: 1.5,
        disk: 5,
        accountingGruop: 'x',
      }),
    ).toMatchInlineSnapshot(`
      [
        "backend.accountingGruop: there is no option 'accountingGruop'; did you mean 'accountingGroup'?",
        "backend.universe: expected 'vanilla' or 'local', found 'docker'",
        "backend.accountingGroup: 'a\\nqueue 5' cannot be handed on: it has to be one line",
        "backend.requirements: 'true) || (true' cannot be handed on: a parenthesis has no partner",
        "backend.rank: '"open' cannot be handed on: a quotation mark has no partner",
        "backend.disk: expected a size such as '2 GB', found 5",
        "backend.priority: expected a whole number, found 1.5",
        "backend.concurrencyLimits[0]: 'two words' cannot be handed on: a limit is a name, or a name and a number",
        "backend.attributes.JobFlavour: expected text, a number, true or false, found an object",
        "backend.attributes: 'not a name' cannot be the name of an attribute",
        "backend.attributes.JobBatchName: JobBatchName cannot be set here: caf writes it",
        "backend.attributes.Bad: 'a\\nqueue' cannot be handed on: it has to be one line",
        "backend.lines[0]: 'periodic_remove = false' cannot be handed on: periodic_remove cannot be set here: caf writes it",
        "backend.lines[1]: 'request_memory = 4 GB' cannot be handed on: request_memory cannot be set here: use the resources of the collection",
        "backend.lines[2]: 'max_retries = 3' cannot be handed on: max_retries cannot be set here: caf makes a new attempt by itself, in a directory of its own",
        "backend.lines[3]: 'environment = "A=1"' cannot be handed on: environment cannot be set here: use env of the backend or of the collection",
        "backend.lines[4]: 'x = $$(Arch)' cannot be handed on: $$ is a substitution that HTCondor makes when a job starts, and holds the job where it cannot",
        "backend.lines[5]: 'queue 5' cannot be handed on: a line has a key, = and a value",
        "backend.lines[6]: expected a line of a submit description such as 'stream_output = True', found 7",
      ]
    `);
  });
});
