// What HTCondor says, and what caf understands: against recordings of a real one (fixtures/htcondor/README.md has their commands).
import { describe, expect, it } from 'vitest';
import type { ArrayRequest } from '../../src/backends/engine.ts';
import { htcondor } from '../../src/backends/htcondor.ts';
import type { HtcondorSite } from '../../src/domain/calibration.ts';
import { recorded, recordedFile } from './support/recorded.ts';
import { answerOf, inWords, said, statesOf } from './support/states.ts';

const recording = (name: string) => answerOf('htcondor', name);

/** By the situation that a recorded job is named after. */
function bySituation(name: string, read: typeof htcondor.readQueue): Record<string, string> {
  const ads = JSON.parse(recorded('htcondor', name).stdout) as { ClusterId: number; ProcId: number; CafToken: string }[];
  const situations = new Map(ads.map(({ ClusterId, ProcId, CafToken }) => [`${ClusterId}.${ProcId}`, `${CafToken} ${ProcId}`]));
  return Object.fromEntries((read(recording(name)) ?? []).map(({ id, state }) => [situations.get(id) ?? id, inWords(state)]));
}

describe('the queue', () => {
  it('has a meaning in every situation', () => {
    expect(bySituation('condor_q-all', htcondor.readQueue)).toMatchSnapshot();
  });

  it.each([
    ['condor_q-node-lost-early', 'running on localhost.engines'],
    ['condor_q-node-lost', 'ended: node-lost it was put off its node localhost.engines, or lost it, before it ended'],
    ['condor_q-node-cut', 'ended: node-lost it was put off its node localhost.engines, or lost it, before it ended'],
    ['condor_q-node-off', 'ended: node-lost it was put off its node localhost.engines, or lost it, before it ended'],
    ['condor_q-kept-removed', 'ending'],
  ])('%s: %s', (name, state) => {
    expect(Object.values(bySituation(name, htcondor.readQueue))).toEqual([state]);
  });

  it('is empty where nothing at all is printed', () => {
    expect(htcondor.readQueue(recording('condor_q-empty'))).toEqual([]);
    expect(htcondor.readQueue(recording('condor_q-unknown'))).toEqual([]);
  });

  it('tells nothing while the schedd is down', () => {
    expect(htcondor.readQueue(recording('condor_q-schedd-down'))).toBeNull();
  });

  it('is told by the schedd while the collector is down', () => {
    expect(htcondor.readQueue(recording('condor_q-collector-down'))?.length).toBeGreaterThan(0);
  });

  it('tells nothing where it is cut off, or is something else', () => {
    const { stdout } = recorded('htcondor', 'condor_q-all');
    expect(htcondor.readQueue(said(stdout.slice(0, -20)))).toBeNull();
    expect(htcondor.readQueue(said('{"error": 1}'))).toBeNull();
    expect(htcondor.readQueue(said('[{"JobStatus": 2}]'))).toBeNull();
    expect(htcondor.readQueue({ ended: 'time-limit', exitCode: null, stdout: '', stderr: '' })).toBeNull();
  });

  it('reads the state of a job before its exit code, which is left over from an earlier run', () => {
    const ad = {
      ClusterId: 7,
      ProcId: 0,
      JobStatus: 2,
      ExitBySignal: true,
      ExitSignal: 15,
      ExitCode: 5,
      NumJobStarts: 1,
      HoldReasonCode: 3,
    };
    expect(statesOf(htcondor.readQueue(said(JSON.stringify([ad]))))).toEqual(['7.0 running']);
  });

  it('takes expressions, which are printed as text, for not said', () => {
    const ad = { ClusterId: 7, ProcId: 0, JobStatus: 1, NumJobStarts: '/Expr(NumShadowStarts)/' };
    expect(statesOf(htcondor.readQueue(said(JSON.stringify([ad]))))).toEqual(['7.0 queued']);
  });

  it.each([
    [1, 1, 'queued'],
    [6, 1, 'ending'],
    [99, 1, 'unknown: JobStatus 99'],
  ])('JobStatus %i', (status, _, words) => {
    expect(statesOf(htcondor.readQueue(said(JSON.stringify([{ ClusterId: 7, ProcId: 0, JobStatus: status }]))))).toEqual([`7.0 ${words}`]);
  });
});

describe('a hold', () => {
  const held = (code: number, subcode: number, reason: string): string => {
    const ad = { ClusterId: 7, ProcId: 0, JobStatus: 5, HoldReasonCode: code, HoldReasonSubCode: subcode, HoldReason: reason };
    return statesOf(htcondor.readQueue(said(JSON.stringify([ad]))))?.[0]?.slice('7.0 '.length) ?? '';
  };

  it.each([
    [34, 102, 'Error from slot1@n1: Job has gone over cgroup memory limit of 100 megabytes', 'ended: out-of-memory'],
    [34, 0, 'Error from slot1@n1: Job has exceeded request_disk', 'ended: not-started'],
    [26, 102, 'memory usage 295 MB exceeded request_memory 100 MB', 'ended: out-of-memory'],
    [21, 0, 'Job exceeded available memory.', 'ended: out-of-memory'],
    [26, 0, 'The system macro SYSTEM_PERIODIC_HOLD expression evaluated to TRUE', 'held'],
    [46, 0, 'The job exceeded allowed job duration of 00:05', 'ended: time-limit'],
    [47, 0, 'The job exceeded allowed execute duration of 00:05', 'ended: time-limit'],
    [3, 7301, 'it ran longer than 60 s', 'ended: time-limit'],
    [3, 0, "a rule in the site's own lines", 'held'],
    [1, 0, 'the disk is full (by user physicist)', 'held'],
    [15, 0, "submitted on hold at user's request", 'held'],
    [6, 2, 'Failed to execute', 'ended: not-started'],
    [13, 2, 'Transfer input files failure', 'ended: not-started'],
    [14, 2, 'Cannot access initial working directory', 'ended: not-started'],
    [0, 0, 'Cannot expand $$ expression (NoSuchAttribute).', 'ended: not-started'],
  ])('with code %i, subcode %i (%s): %s', (code, subcode, reason, words) => {
    expect(held(code, subcode, reason)).toContain(words);
  });

  it('that somebody has to end says how', () => {
    expect(held(1, 0, 'the disk is full')).toBe('held (the disk is full) -> release it with condor_release, or end it with condor_rm');
  });
});

describe('the history', () => {
  it('has a meaning in every situation', () => {
    expect(bySituation('condor_history-all', htcondor.readHistory)).toMatchSnapshot();
  });

  it('is empty where nothing is found, and no answer where nothing is printed', () => {
    expect(htcondor.readHistory(recording('condor_history-empty'))).toEqual([]);
    expect(htcondor.readHistory(recording('condor_history-unknown'))).toEqual([]);
    expect(htcondor.readHistory(said(''))).toBeNull();
  });

  it('is read from its file while the schedd is down', () => {
    expect(htcondor.readHistory(recording('condor_history-schedd-down'))).toHaveLength(1);
  });

  const removed = (more: object) =>
    statesOf(htcondor.readHistory(said(JSON.stringify([{ ClusterId: 7, ProcId: 0, JobStatus: 3, NumJobStarts: 1, ...more }]))));
  const OWN = "The job attribute PeriodicRemove expression '(...)' evaluated to TRUE";

  it('tells a time limit from a lack of memory, and both from an eviction, in jobs that removed themselves', () => {
    const heldAnd = (code: number, subcode: number, reason: string) =>
      removed({ RemoveReason: OWN, LastHoldReasonCode: code, LastHoldReasonSubCode: subcode, LastHoldReason: reason });
    expect(heldAnd(3, 7301, 'it ran longer than 5 s')).toEqual(['7.0 ended: time-limit']);
    expect(heldAnd(34, 0, 'Job has gone over memory limit of 100 megabytes')).toEqual(['7.0 ended: out-of-memory']);
    expect(heldAnd(6, 2, 'Failed to execute')).toEqual(['7.0 ended: not-started HTCondor held it (code 6): Failed to execute']);
    // Held by its user, released, and then put off its node.
    expect(heldAnd(1, 0, 'the disk is full')?.[0]).toContain('node-lost');
    expect(removed({ RemoveReason: OWN, LastRemoteHost: 'slot1@n7' })?.[0]).toContain('put off its node n7');
  });

  it('says who removed a job', () => {
    expect(removed({ RemoveReason: 'via condor_rm (by user anna)' })).toEqual(['7.0 ended: cancelled the user anna']);
    expect(removed({ RemoveReason: 'The system macro SYSTEM_PERIODIC_REMOVE expression evaluated to TRUE' })?.[0]).toContain(
      'a rule of the pool',
    );
    expect(removed({})).toEqual(['7.0 ended: cancelled null']);
  });

  it('is asked for arrays by their number, and for what was perhaps submitted by name', () => {
    expect(htcondor.history?.({ arrays: ['4', '7'] }).slice(0, 3)).toEqual(['condor_history', '4', '7']);
    expect(htcondor.history?.({ names: ['a.caf-1', 'b.caf-2'], sinceDays: 3 })).toEqual(
      expect.arrayContaining(['-constraint', 'member(JobBatchName, {"a.caf-1","b.caf-2"})', 'EnteredCurrentStatus < time() - 259200']),
    );
  });
});

describe('a submission', () => {
  it.each([
    ['condor_submit-terse', { how: 'accepted', id: '26' }],
    ['condor_submit-plain', { how: 'accepted', id: '27' }],
    ['condor_submit-collector-down', { how: 'accepted', id: '32' }],
    // Only a warning: the line did nothing.
    ['condor_submit-typo', { how: 'accepted', id: '28' }],
    ['condor_submit-schedd-down', { how: 'later', full: false, message: "Can't find address of local schedd" }],
    ['condor_submit-bad-queue', { how: 'refused' }],
    ['condor_submit-no-executable', { how: 'refused', message: 'Executable file /no/such/exe does not exist' }],
    ['condor_submit-no-file', { how: 'refused' }],
  ])('%s: %o', (name, answer) => {
    expect(htcondor.readSubmit(recording(name))).toMatchObject(answer);
  });

  it.each([
    ['ERROR: Failed to create cluster\nNumber of submitted jobs would exceed MAX_JOBS_PER_OWNER\n', { how: 'later', full: true }],
    ['ERROR: Failed to connect to local queue manager\nAUTHENTICATE:1003:Failed to authenticate\n', { how: 'later', full: false }],
    ['ERROR: Failed to commit job submission into the queue.\n', { how: 'unclear' }],
    ['', { how: 'unclear' }],
  ])('refused with %j: %o', (stderr, answer) => {
    expect(htcondor.readSubmit({ ended: 'exit', exitCode: 1, stdout: '', stderr })).toMatchObject(answer);
  });

  it('may have arrived when its command was ended, and has arrived when it had said so', () => {
    expect(htcondor.readSubmit({ ended: 'time-limit', exitCode: null, stdout: '', stderr: '' })).toMatchObject({ how: 'unclear' });
    expect(htcondor.readSubmit({ ended: 'signal', exitCode: null, stdout: '9.0 - 9.4\n', stderr: '' })).toEqual({
      how: 'accepted',
      id: '9',
    });
    expect(htcondor.readSubmit({ ended: 'missing', exitCode: null, stdout: '', stderr: '' })).toMatchObject({ how: 'refused' });
  });
});

it.each([
  ['condor_rm', true],
  ['condor_rm-unknown', true],
  ['condor_rm-ended', true],
  ['condor_rm-kept', true],
  ['condor_rm-collector-down', true],
  ['condor_rm-schedd-down', false],
])('%s: the wish has arrived = %s', (name, isHeard) => {
  expect(htcondor.readCancel(recording(name))).toBe(isHeard);
});

it('asks the pool how many jobs one submission may have', () => {
  expect(htcondor.limits?.read(said('20000\n'))).toEqual({ maxArray: 20_000 });
  expect(htcondor.limits?.read({ ended: 'exit', exitCode: 1, stdout: '', stderr: 'Not defined: MAX_JOBS_PER_SUBMISSION\n' })).toBeNull();
});

describe('the user log', () => {
  const events = (name: string) =>
    (htcondor.readLog?.(recordedFile('htcondor', `userlog-${name}.log`)).tasks ?? []).map(({ state }) => inWords(state));

  it.each([
    'completed',
    'exit-3',
    'signal',
    'memory',
    'held-run-time',
    'held-periodic',
    'held-executable',
    'held-output',
    'held-by-user',
    'held-at-submit',
    'directory-vanished',
    'released',
    'removed-running',
    'removed-idle',
    'removed-periodic',
    'suspended',
    'vacated',
    'survives',
    'node-lost',
    'node-off',
    'node-cut',
  ])('tells what happened: %s', (name) => {
    expect(events(name)).toMatchSnapshot();
  });

  it('tells of every task of an array', () => {
    const ends =
      htcondor.readLog?.(recordedFile('htcondor', 'userlog-array.log')).tasks.filter(({ state }) => state.state === 'ended') ?? [];
    expect(Object.fromEntries(ends.map(({ id, state }) => [id, inWords(state)]))).toEqual({
      '5.0': 'ended: exited 0',
      '5.1': 'ended: exited 1',
      '5.2': 'ended: exited 2',
      '5.3': 'ended: exited 3',
    });
  });

  it('tells nothing of an event that is not whole', () => {
    const log = recordedFile('htcondor', 'userlog-completed.log');
    const cut = log.lastIndexOf('...\n');
    expect(htcondor.readLog?.(log.slice(0, cut)).tasks.map(({ state }) => inWords(state))).not.toContain('ended: exited 0');
    // Read from the middle of an event on.
    expect(htcondor.readLog?.(log.slice(50)).tasks.map(({ state }) => inWords(state))).toContain('ended: exited 0');
  });

  it('says of what was killed whether it was for memory', () => {
    expect(htcondor.endInLog(recordedFile('htcondor', 'userlog-memory.log'), '7.0')).toEqual({ how: 'out-of-memory' });
    expect(htcondor.endInLog(recordedFile('htcondor', 'userlog-memory.log'), '8.0')).toBeNull();
    expect(htcondor.endInLog(recordedFile('htcondor', 'userlog-signal.log'), '3.0')).toBeNull();
  });
});

describe('the submit description', () => {
  const SITE: HtcondorSite = {
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
  };
  const request = (site: Partial<HtcondorSite> = {}, more: Partial<ArrayRequest<HtcondorSite>> = {}): ArrayRequest<HtcondorSite> => ({
    name: 'pedestals.0.random.caf-12ab',
    size: 3,
    resources: { cores: 2, memoryBytes: 2e9, memoryIsSet: true, timeMs: 90_500 },
    site: { ...SITE, ...site },
    script: '/data/.batch/12ab/script',
    description: '/data/.batch/12ab/description',
    log: '/data/.batch/12ab/log',
    ...more,
  });

  it('asks for no more than is known', () => {
    expect(htcondor.submit(request())).toMatchSnapshot();
  });

  it('has everything a site wants', () => {
    const { description } = htcondor.submit(
      request({
        accountingGroup: 'group_belle.calibration',
        accountingUser: 'anna',
        requirements: 'HasCvmfs && OpSysMajorVer == 9',
        rank: 'Mips',
        diskBytes: 3e9,
        gpus: 1,
        priority: 5,
        concurrencyLimits: ['sql:2', 'xrootd'],
        attributes: { JobFlavour: 'workday', MaxRuntime: 7200, WantSomething: true, Odd: 'a "b" \\ $c' },
        lines: ['stream_output = True', 'MY.Extra = 3'],
      }),
    );
    expect(description).toMatchSnapshot();
    // Nothing of the site stands behind the line that submits.
    expect(description?.trimEnd().split('\n').at(-1)).toBe('queue 3');
  });

  it('writes a path as it is, whatever its characters mean to HTCondor', () => {
    const { description } = htcondor.submit(request({}, { script: '/data/a b/$(x)/script', log: '/data/a b/$(x)/log' }));
    expect(description).toContain('executable = /data/a b/$(DOLLAR)(x)/script\n');
    expect(description).toContain('log = /data/a b/$(DOLLAR)(x)/log\n');
  });

  it('refuses a path with $$, which would hold every job, and one with a line break', () => {
    expect(() => htcondor.submit(request({}, { log: '/data/$$(x)/log' }))).toThrow('choose a results directory without it');
    expect(() => htcondor.submit(request({}, { script: '/data/a\nqueue 5/script' }))).toThrow('line break');
  });
});

it('tells what slots the pool has', () => {
  expect(htcondor.survey?.read(recording('condor_status-slots'))).toEqual({
    text: '16 cores in 1 slot of at most 16 cores and 32000 MB (Debian12)',
    options: '',
  });
  const several = htcondor.survey?.read(said('1 2048 CentOS7\n64 256000 AlmaLinux9\n1 2048 CentOS7\n'));
  expect(several?.text).toBe('66 cores in 3 slots of at most 64 cores and 256000 MB (CentOS7, AlmaLinux9)');
  expect(htcondor.survey?.read(said(''))?.text).toBe('no slots at the moment');
  expect(htcondor.survey?.read({ ended: 'exit', exitCode: 1, stdout: '', stderr: 'Error: Could not resolve collector' })).toBeNull();
});
