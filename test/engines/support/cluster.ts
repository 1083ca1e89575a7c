// What a suite of faults can do to an engine from outside, and what the engine itself has kept of every job: the same words for Slurm and HTCondor.
import { type Engine, until } from './engine.ts';

/** One line of the engine's own accounting. */
export interface EngineRecord {
  /** As caf calls the task: `4711_3`, `27.3`. */
  readonly id: string;
  /** Of its array; the accounting does not always know it. */
  readonly name: string;
  /** The engine's word. */
  readonly state: string;
  readonly isOver: boolean;
  /** What it was given: in MiB. */
  readonly memory: number;
}

export interface Cluster {
  readonly engine: Engine;
  /** The daemon that takes jobs and knows of them. */
  readonly controller: string;
  /** The daemon that keeps what is over, where it is another one; null = it is not. */
  readonly accounting: string | null;
  /** Option of a backend whose jobs live on while the controller is away for a minute. */
  readonly patience: string;
  /** A node, how many of the 16 slots are its own, and what is said of jobs that ran there when it was lost. */
  readonly node: string;
  readonly slotsOfNode: number;
  readonly saysLost: RegExp;
  /** What is said of a job that was put back into the queue. */
  readonly saysRequeued: RegExp;
  /** Whether the accounting has a second record of such a job. */
  readonly countsTwice: boolean;
  /** A time limit that is over soon. */
  readonly shortTime: string;
  /** A backend in a config. */
  backend(more?: string): string;
  /** All that the engine has kept of these arrays: those of these ids, and those of names that begin so. */
  records(prefix: string, arrays: ReadonlySet<string>): Promise<readonly EngineRecord[]>;
  arrayOf(id: string): string;
  remove(id: string): Promise<void>;
  /** An administrator puts a running job back into the queue. */
  requeue(id: string): Promise<void>;
  /** The same, and it has to be released. */
  requeueHeld(id: string): Promise<void>;
  release(id: string): Promise<void>;
  suspend(id: string): Promise<void>;
  resume(id: string): Promise<void>;
}

export const clusterOf = (name: 'slurm' | 'htcondor', engine: Engine): Cluster => (name === 'slurm' ? slurmCluster : condorPool)(engine);

function slurmCluster(engine: Engine): Cluster {
  const scontrol = async (...words: readonly string[]): Promise<void> => void (await engine.ask(['scontrol', ...words]));
  // Jobs of caf say that they must not be started again; an administrator may overrule that.
  const requeueAs = async (word: string, id: string): Promise<void> => {
    await scontrol('update', `JobId=${id}`, 'Requeue=1');
    await scontrol(word, id);
  };
  return {
    engine,
    controller: 'ctld',
    accounting: 'dbd',
    patience: '',
    node: 'n1',
    slotsOfNode: 8,
    saysLost: /^the node n1 failed$/,
    saysRequeued: /started it a second time/,
    countsTwice: true,
    shortTime: '1 min',
    backend: (more = '') => `slurm({ pollInterval: '1 s', fileDelay: '10 s', ${more} })`,
    async records(prefix, arrays) {
      const text = await engine.ask(['sacct', '-n', '-P', '-X', '-D', '--starttime=now-1hour', '-o', 'JobID,State,ReqMem,JobName']);
      return text.split('\n').flatMap((line) => {
        const [id = '', state = '', memory = '', name = ''] = line.split('|');
        if (!name.startsWith(prefix) && !arrays.has(this.arrayOf(id))) return [];
        return [{ id, name, state, isOver: !/^(?:PENDING|RUNNING|SUSPENDED)/.test(state), memory: Number.parseInt(memory, 10) }];
      });
    },
    arrayOf: (id) => id.split('_')[0] ?? id,
    remove: async (id) => void (await engine.ask(['scancel', id])),
    requeue: (id) => requeueAs('requeue', id),
    requeueHeld: (id) => requeueAs('requeuehold', id),
    release: (id) => scontrol('release', id),
    suspend: (id) => scontrol('suspend', id),
    resume: (id) => scontrol('resume', id),
  };
}

function condorPool(engine: Engine): Cluster {
  const call = async (...words: readonly string[]): Promise<void> => void (await engine.ask(words));
  const ads = async (command: string): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    const text = await engine.ask([command, '-json', '-attributes', 'ClusterId,ProcId,JobBatchName,JobStatus,RequestMemory']);
    return text.trim() === '' ? [] : (JSON.parse(text) as Readonly<Record<string, unknown>>[]);
  };
  return {
    engine,
    controller: 'SCHEDD',
    accounting: null,
    // The pool of these tests gives jobs up after 30 seconds.
    patience: `lines: ['job_lease_duration = 600']`,
    node: 'STARTD',
    slotsOfNode: 16,
    saysLost: /node/,
    saysRequeued: /it was put off its node/,
    countsTwice: false,
    shortTime: '5 s',
    backend: (more = '') => `htcondor({ pollInterval: '1 s', fileDelay: '10 s', ${more} })`,
    async records(prefix, arrays) {
      const [past, queued] = [await ads('condor_history'), await ads('condor_q')];
      const list = (from: typeof past, isOver: boolean) =>
        from.map((ad) => ({
          id: `${ad.ClusterId}.${ad.ProcId}`,
          name: String(ad.JobBatchName),
          state: `JobStatus ${ad.JobStatus}`,
          isOver,
          memory: Number(ad.RequestMemory),
        }));
      return [...list(past, true), ...list(queued, false)].filter(
        ({ id, name }) => name.startsWith(prefix) || arrays.has(this.arrayOf(id)),
      );
    },
    arrayOf: (id) => id.split('.')[0] ?? id,
    remove: (id) => call('condor_rm', id),
    requeue: (id) => call('condor_vacate_job', id),
    requeueHeld: (id) => call('condor_hold', id, '-reason', 'the disk is full'),
    // One that is still leaving its node cannot be released yet.
    release: async (id) =>
      void (await until(`${id} is released`, async () => ((await engine.run(['condor_release', id])).exitCode === 0 ? true : null))),
    suspend: (id) => call('condor_suspend', id),
    resume: (id) => call('condor_continue', id),
  };
}
