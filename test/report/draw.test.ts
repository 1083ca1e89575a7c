// The other pictures: graph, plan, status.
import { expect, test } from 'vitest';
import type { CalibrationState } from '../../src/domain/calibration.ts';
import { drawDot, drawMermaid, drawTree } from '../../src/report/draw-graph.ts';
import { drawPlan } from '../../src/report/draw-plan.ts';
import { drawStatus, type StatusCanvas } from '../../src/report/draw-status.ts';
import { shortPath } from '../../src/report/error-text.ts';
import type { StatusCalibration, StatusDocument } from '../../src/report/status-model.ts';
import { displayWidth } from '../../src/report/text.ts';
import { asciiStyle, plainStyle, T0 } from './events.ts';

const screen = (lines: readonly string[]) => `\n${lines.join('\n')}\n`;

const nodes = [
  { name: 'svd-noise', dependsOn: [], state: 'completed' },
  { name: 'cdc-t0', dependsOn: [], state: 'completed' },
  { name: 'klm-time', dependsOn: [], state: 'running_algorithms' },
  { name: 'arich-align', dependsOn: [], state: 'failed' },
  { name: 'ecal-gain', dependsOn: ['cdc-t0'], state: 'running_collector' },
  { name: 'top-align', dependsOn: ['arich-align', 'ecal-gain'], state: 'init' },
] as const;

test('a graph as a tree: each calibration once, below the last it needs', () => {
  expect(screen(drawTree('caf.config.ts', nodes, plainStyle))).toMatchInlineSnapshot(`
    "
    caf.config.ts
    ├─ svd-noise ✔
    ├─ cdc-t0 ✔
    │  └─ ecal-gain ●
    │     └─ top-align ○   (also needs arich-align)
    ├─ klm-time ●
    └─ arich-align ✖
    "
  `);
  expect(screen(drawTree('caf.config.ts', nodes, asciiStyle))).toMatchInlineSnapshot(`
    "
    caf.config.ts
    |- svd-noise ok
    |- cdc-t0 ok
    |  \`- ecal-gain ..
    |     \`- top-align --   (also needs arich-align)
    |- klm-time ..
    \`- arich-align !!
    "
  `);
});

test('a chain of 5,000 calibrations does not overflow the stack', () => {
  const chain = Array.from({ length: 5000 }, (_, i) => ({ name: `c${i}`, dependsOn: i === 0 ? [] : [`c${i - 1}`] }));
  expect(drawTree('x', chain, plainStyle)).toHaveLength(5001);
});

test('a calibration that needs 1,000 others is looked at a few times, not once for each', () => {
  let reads = 0;
  const roots = Array.from({ length: 1000 }, (_, i) => ({ name: `c${i}`, dependsOn: [] }));
  const names = roots.map(({ name }) => name);
  const last = {
    name: 'all',
    get dependsOn() {
      reads++;
      return names;
    },
  };
  expect(drawTree('x', [...roots, last], plainStyle).at(-1)).toMatch(/ {3}└─ all {3}\(also needs c0, c1, .*, c998\)$/);
  expect(reads).toBeLessThan(10);
});

test('a graph for mermaid and graphviz', () => {
  expect(screen(drawMermaid(nodes.slice(1, 5)))).toMatchInlineSnapshot(`
    "
    flowchart TD
      c0["cdc-t0"]
      c1["klm-time"]
      c2["arich-align"]
      c3["ecal-gain"]
      c0 --> c3
    "
  `);
  expect(screen(drawDot(nodes.slice(1, 5)))).toMatchInlineSnapshot(`
    "
    digraph calibrations {
      "cdc-t0";
      "klm-time";
      "arich-align";
      "ecal-gain";
      "cdc-t0" -> "ecal-gain";
    }
    "
  `);
});

test('a plan: what would be done, and why', () => {
  const rows = [
    { calibration: 'svd-noise', jobs: 0, kept: 0, reason: 'up to date', reused: true },
    { calibration: 'cdc-t0', jobs: 128, kept: 100, reason: 'failed before', reused: false },
    { calibration: 'ecal-gain', jobs: 1, kept: 0, reason: 'calibrations/ecal-gain/fit.ts changed', reused: false },
  ];
  const canvas = { columns: 80, style: plainStyle, config: 'caf.config.ts', backend: 'local', settings: [] };
  expect(screen(drawPlan(rows, canvas))).toMatchInlineSnapshot(`
    "
    caf.config.ts: 2 to do, 1 reused, 29 jobs on local

    calibration   jobs        because
    svd-noise     -           up to date
    cdc-t0        28 of 128   failed before
    ecal-gain     1           calibrations/ecal-gain/fit.ts changed

    nothing was submitted or written
    "
  `);
  const settings = [
    ['output', 'results', 'by --output'],
    ['slots', '2', 'by CAF_SLOTS'],
  ] as const;
  expect(drawPlan(rows, { ...canvas, settings }).slice(1, 3)).toEqual([
    '  output   results   by --output',
    '  slots    2         by CAF_SLOTS',
  ]);
  for (const line of drawPlan(rows, { ...canvas, columns: 30 }).slice(2, 6)) expect(displayWidth(line)).toBeLessThanOrEqual(30);
});

const noJobs = { total: 0, succeeded: 0, failed: 0, running: 0, queued: 0, reused: 0 };

const calibration = (name: string, state: CalibrationState, changes: Partial<StatusCalibration> = {}): StatusCalibration => ({
  name,
  state,
  checkpoint: 'init',
  iteration: 0,
  converged: null,
  jobs: noJobs,
  iterations: [],
  localdb: null,
  error: null,
  reason: 'never run',
  seconds: null,
  payloads: null,
  ...changes,
});

const iteration = (n: number) => ({
  iteration: n,
  jobs: { ...noJobs, total: 4, succeeded: 4 },
  outcome: 'ok' as const,
  versionId: 'abc',
  algorithms: [
    {
      name: 'fit',
      finalState: 'completed' as const,
      executions: [{ runs: [[1, 1] as const], iov: [1, 1, 1, 3] as const, result: 'ok' as const, seconds: 0.25 }],
      results: [
        { iov: [1, 1, 1, 3] as const, result: 'ok' as const },
        { iov: [1, 5, 1, 6] as const, result: 'ok' as const },
        { iov: [1, 7, 1, 7] as const, result: 'not-enough-data' as const },
      ],
      gaps: [[1, 4, 1, 4] as const],
      error: null,
    },
  ],
});

const document = (state: StatusDocument['state'], changes: Partial<StatusDocument> = {}): StatusDocument => ({
  v: 1,
  state,
  invocation: {
    number: 3,
    config: '/data/caf.config.ts',
    argv: ['run'],
    version: '0.1.0',
    actor: 'physicist@login02',
    startedAt: new Date(T0).toISOString(),
    endedAt: null,
    outcome: null,
    seconds: 1560,
  },
  owner: null,
  calibrations: [
    calibration('cdc-t0', 'completed', {
      iteration: 1,
      converged: false,
      jobs: { ...noJobs, total: 128, succeeded: 128 },
      iterations: [iteration(0), iteration(1)],
      localdb: 'cdc-t0/localdb',
      payloads: 3,
      seconds: 1083,
    }),
    calibration('ecal-gain', 'running_collector', {
      jobs: { ...noJobs, total: 128, succeeded: 97, running: 31, reused: 12 },
      iterations: [iteration(0)],
      seconds: 400,
    }),
    calibration('arich-align', 'failed', {
      jobs: { ...noJobs, total: 64, succeeded: 61, failed: 3 },
      iterations: [iteration(0)],
      seconds: 151,
      error: { code: 'CAF_JOB_FAILED', message: '3 of 64 jobs failed', hint: 'caf logs arich-align/0/random/17' },
    }),
    calibration('top-align', 'blocked'),
  ],
  ...changes,
});

const canvas = (columns: number, changes: Partial<StatusCanvas> = {}): StatusCanvas => ({
  columns,
  rows: Number.POSITIVE_INFINITY,
  style: plainStyle,
  directory: 'calibration_results',
  resume: 'caf run',
  now: T0 + 1560_000,
  all: false,
  ...changes,
});

test('status of a running campaign in 80 columns', () => {
  const owner = { host: 'login02', pid: 48213, command: 'caf run', alive: true, secondsSinceBeat: 2 };
  expect(screen(drawStatus(document('running', { owner }), canvas(80)))).toMatchInlineSnapshot(`
    "
    calibration_results   caf.config.ts   started 26m 00s ago by physicist@login02
    running (pid 48213 on login02, alive 2.0s ago)

       calibration  state              it  jobs     payloads
    ✔  cdc-t0       completed          1   128/128  3         not converged
    ●  ecal-gain    running_collector  0   97/128   -         31 running, 12 kept
    ✖  arich-align  failed             0   61/64    -         3 failed
    ○  top-align    blocked            -   -        -

      arich-align   3 of 64 jobs failed                               CAF_JOB_FAILED
      hint: caf logs arich-align/0/random/17

      caf status calibration_results --watch   see it change
    "
  `);
});

test('status of a campaign on an engine tells what runs from what waits', () => {
  const jobs = {
    ...noJobs,
    total: 200,
    running: 16,
    queued: 184,
    engine: { name: 'slurm', queued: 180, held: 3, suspended: 1, reason: 'Priority' },
  };
  const lines = drawStatus(document('running', { calibrations: [calibration('gain', 'running_collector', { jobs })] }), canvas(120));
  expect(lines.find((line) => line.includes('gain'))).toMatch(/0\/200 .* 16 running, 180 queued \(Priority\), 3 held, 1 suspended$/);
});

test('status of a failed campaign in 40 columns and ASCII', () => {
  expect(screen(drawStatus(document('failed'), canvas(40, { style: asciiStyle })))).toMatchInlineSnapshot(`
    "
    calibration_results   caf.config.ts   ..
    failed

        calibration  it  jobs
    ok  cdc-t0       1   128/128
    ..  ecal-gain    0   97/128
    !!  aric..lign   0   61/64
    --  top-align    -   -

      arich-align   3 of 64 jobs failed
        CAF_JOB_FAILED
      hint: caf logs arich-align/0/random/17

      caf run   continue; what is finished is kept
    "
  `);
});

test('status --all shows every algorithm of every iteration', () => {
  const [first] = document('completed').calibrations;
  expect(screen(drawStatus(document('completed', { calibrations: [first!] }), canvas(80, { all: true })))).toMatchInlineSnapshot(`
    "
    calibration_results   caf.config.ts   started 26m 00s ago by physicist@login02
    completed

       calibration  state      it  jobs     payloads  elapsed
    ✔  cdc-t0       completed  1   128/128  3         18m 03s  not converged
         it 0  fit  completed  2 ok, 1 not-enough-data   1 gap   0.3s
         it 1  fit  completed  2 ok, 1 not-enough-data   1 gap   0.3s

      caf db show calibration_results/cdc-t0/localdb   its payloads
    "
  `);
});

test('200 calibrations on a screen of 20 rows: what does not fit is counted', () => {
  const calibrations = Array.from({ length: 200 }, (_, i) => calibration(`c${i}`, 'init'));
  const lines = drawStatus(document('running', { calibrations }), canvas(80, { rows: 20 }));
  expect(lines).toHaveLength(20);
  expect(lines.find((line) => line.startsWith('plus'))).toBe('plus 187 more');
});

test('no line of the table is wider than the terminal', () => {
  for (const columns of [20, 30, 50, 79]) {
    for (const line of drawStatus(
      document('interrupted', { calibrations: document('running').calibrations.slice(0, 2) }),
      canvas(columns),
    ).slice(0, 5)) {
      expect(displayWidth(line)).toBeLessThanOrEqual(columns);
    }
  }
});

test('the name of a config cannot steer the terminal', () => {
  const status: StatusDocument = {
    v: 1,
    state: 'interrupted',
    calibrations: [],
    invocation: {
      number: 1,
      config: '/data/\u001b]0;title\u0007\u001b[2Jcaf.config.ts',
      argv: ['run'],
      version: '1.0.0',
      actor: '',
      startedAt: new Date(T0).toISOString(),
      endedAt: null,
      outcome: null,
      seconds: null,
    },
    owner: null,
  };
  const canvas: StatusCanvas = { columns: 80, rows: 24, style: plainStyle, directory: 'out', resume: 'caf run', now: T0, all: false };
  expect(drawStatus(status, canvas)[0]).toBe('out   caf.config.ts   started 0.0s ago   interrupted');
  expect(shortPath('/data/a\u001b[2Jb\nc.ts', '/data')).toBe('ab c.ts');
});

test('a directory where nothing was run yet', () => {
  expect(screen(drawStatus(document('interrupted', { calibrations: [], invocation: null }), canvas(80)))).toMatchInlineSnapshot(`
    "
    calibration_results   interrupted

      calibration  state  it  jobs  payloads  elapsed

      caf run   continue; what is finished is kept
    "
  `);
});
