// What the end of an attempt means, from its exit status, its result.json and its files.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AttemptEnd } from '../../src/backends/backend.ts';
import { FAILURE_CAUSES } from '../../src/domain/job.ts';
import { type AttemptFacts, judgeAttempt, retryDecision } from '../../src/runners/judge-attempt.ts';

const usage = { seconds: 1, maxRssBytes: null };
const exited = (code: number): AttemptEnd => ({ how: 'exited', code, usage });
const PROGRAM = { kind: 'command', argv: ['true'] } as const;
const RESOURCES = { cores: 1, memoryBytes: 2e9, memoryIsSet: false, timeMs: 3_600_000 };

describe('an attempt', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caf-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  const judge = (end: AttemptEnd, facts: Partial<Omit<AttemptFacts, 'spec'>> & { spec?: Partial<AttemptFacts['spec']> } = {}) =>
    judgeAttempt(end, {
      token: 'mine',
      directory,
      files: [],
      ...facts,
      spec: { collect: PROGRAM, outputs: ['*'], outputsRequired: false, ...facts.spec },
    });
  const failure = (end: AttemptEnd, facts = {}) => {
    const { outcome } = judge(end, facts);
    return outcome.state === 'failed' ? [outcome.cause, outcome.detail] : [outcome.state, ''];
  };

  it('of a program that exits with 0 succeeded, with or without result.json', () => {
    write('hits.csv', '1');
    expect(judge(exited(0))).toEqual({ outcome: { state: 'succeeded' }, usage, warnings: [], outputs: ['hits.csv'], hasRecords: false });
    write('result.json', '{"result":"ok","warnings":["few hits"]}');
    write('records.ndjson', '{"run":[1,1],"name":"x","value":1}\n');
    expect(judge(exited(0))).toMatchObject({ outcome: { state: 'succeeded' }, warnings: ['few hits'], hasRecords: true });
  });

  it('of a function needs result.json', () => {
    const spec = { collect: () => undefined };
    expect(failure(exited(0), { spec })).toEqual(['exit', 'it exited with status 0 before collect had returned']);
    write('result.json', '{"result":"ok","token":"mine"}');
    expect(judge(exited(0), { spec }).outcome.state).toBe('succeeded');
  });

  it.each([
    ['half written', '{"result":"ok","payl', /^result\.json is not complete JSON; its 20 bytes begin with "{\\"result\\":\\"ok/],
    ['empty', '', /^result\.json is empty/],
    ['of another attempt', '{"result":"ok","token":"theirs"}', /another attempt: its token is "theirs", this attempt's is "mine"/],
    ['with an unknown word', '{"result":"fine"}', /says result "fine"; expected one of ok, iterate/],
    ['no object', '[1]', /does not hold a JSON object/],
  ])('whose result.json is %s failed as bad-result', (_, text, message) => {
    write('result.json', text);
    expect(failure(exited(0))).toEqual(['bad-result', expect.stringMatching(message)]);
  });

  it('whose result.json is a pipe or a link is not read through it', () => {
    execFileSync('mkfifo', [join(directory, 'result.json')]);
    expect(failure(exited(0))).toEqual(['bad-result', 'result.json is not a regular file']);
    rmSync(join(directory, 'result.json'));
    symlinkSync('/etc/passwd', join(directory, 'result.json'));
    expect(failure(exited(0))[1]).toMatch(/cannot be opened/);
  });

  it('that says failure failed with its own words, whatever its exit status', () => {
    write('result.json', '{"result":"failure","error":{"code":"X","message":"no hits in layer 3","hint":"check the mask"}}');
    const expected = ['exit', 'no hits in layer 3 (check the mask)'];
    expect([failure(exited(0)), failure(exited(1))]).toEqual([expected, expected]);
  });

  it('that crashed is told with its signal in words and the last line of stderr', () => {
    write('stderr', 'first\n\u001b[31mterminate called\u001b[0m\n\n');
    expect(failure({ how: 'signalled', signal: 'SIGSEGV', usage })).toEqual([
      'signal',
      'it was ended by SIGSEGV (segmentation fault): terminate called',
    ]);
    expect(failure(exited(3))).toEqual(['exit', 'it exited with status 3: terminate called']);
    expect(failure(exited(139))[1]).toMatch(/^it exited with status 139 \(128 \+ 11: a program it ran was ended by SIGSEGV/);
    expect(failure(exited(127))[1]).toMatch(/command not found/);
  });

  it('that met a limit is told with the limit', () => {
    expect(failure({ how: 'time-limit', limitMs: 5_400_000, usage })).toEqual([
      'time-limit',
      'it ran longer than its time limit of 1 h 30 min',
    ]);
    expect(failure({ how: 'out-of-memory', limitBytes: 2e9, usedBytes: 2.5e9, usage })).toEqual([
      'out-of-memory',
      'it used 2.5 GB of memory; its limit is 2 GB',
    ]);
    expect(judge({ how: 'not-started', message: 'no such program' }).usage).toBeNull();
  });

  it('without its outputs, or with some that escape, failed as bad-result', () => {
    expect(failure(exited(0), { spec: { outputs: ['*.root'], outputsRequired: true } })).toEqual([
      'bad-result',
      'its outputs are not as agreed: "*.root" matches no file: the job made no file',
    ]);
    symlinkSync('/etc/passwd', join(directory, 'stolen'));
    expect(failure(exited(0))).toEqual(['bad-result', expect.stringMatching(/"stolen" is a symbolic link to "\/etc\/passwd", outside/)]);
  });

  it('that failed while an input file is missing failed because of that', () => {
    const files = [{ path: 'https://example.org/a.csv' }, { path: join(directory, 'gone.csv') }];
    expect(failure(exited(1), { files })).toEqual([
      'bad-input',
      `its input file ${join(directory, 'gone.csv')} is missing; it exited with status 1`,
    ]);
    write('gone.csv', '');
    expect(failure(exited(1), { files })[0]).toBe('exit');
  });

  it('nobody saw the end of counts when it left a result, and is done again without counting when it did not', () => {
    const unknown: AttemptEnd = { how: 'unknown', usage };
    const { outcome } = judge(unknown);
    expect(outcome).toMatchObject({ state: 'failed', cause: 'node-lost' });
    expect(retryDecision(outcome, RESOURCES)).toEqual({ resources: RESOURCES, counts: false });
    write('result.json', '{"result":"ok"}');
    expect(judge(unknown).outcome.state).toBe('succeeded');
  });
});

describe('another attempt', () => {
  it('is made with more of what ran out, and by cause', () => {
    const decisions = FAILURE_CAUSES.map((cause) => {
      const decision = retryDecision({ state: 'failed', cause, detail: '' }, RESOURCES);
      return [cause, decision === null ? null : [decision.resources.memoryBytes, decision.resources.timeMs, decision.counts]];
    });
    expect(Object.fromEntries(decisions)).toEqual({
      exit: [2e9, 3_600_000, true],
      signal: [2e9, 3_600_000, true],
      'out-of-memory': [3e9, 3_600_000, true],
      'time-limit': [2e9, 5_400_000, true],
      'node-lost': [2e9, 3_600_000, false],
      preempted: [2e9, 3_600_000, false],
      removed: null,
      'bad-result': [2e9, 3_600_000, true],
      'bad-input': null,
      'disk-full': null,
      'not-started': [2e9, 3_600_000, true],
    });
  });

  it('counts after many lost nodes, but never for being preempted', () => {
    const counts = (cause: 'node-lost' | 'preempted', losses: number) =>
      retryDecision({ state: 'failed', cause, detail: '' }, RESOURCES, losses)?.counts;
    expect([1, 5, 6, 20].map((losses) => counts('node-lost', losses))).toEqual([false, false, true, true]);
    expect(counts('preempted', 20)).toBe(false);
  });

  it('is not made after success or a cancel', () => {
    expect(retryDecision({ state: 'succeeded' }, RESOURCES)).toBeNull();
    expect(retryDecision({ state: 'cancelled', detail: '' }, RESOURCES)).toBeNull();
  });
});
