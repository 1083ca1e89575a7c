// The command that runs a program inside a container of podman, apptainer or charliecloud. Pure text: nothing is started here.
import { createHash } from 'node:crypto';
import type { Container } from '../domain/calibration.ts';
import { unreachable } from '../domain/result.ts';

type Env = Readonly<Record<string, string>>;

export interface ContainedProgram {
  readonly argv: readonly string[];
  /** Working directory, and the one place the program may write to. Absolute. */
  readonly directory: string;
  /** Absolute directories it reads; they have the same paths inside. */
  readonly reads: readonly string[];
  /** The program's own variables. */
  readonly env: Env;
  /** Null = not limited. podman ends a container that uses more; with the others caf sees the memory of its processes. */
  readonly memoryBytes: number | null;
  /** Null = not limited. podman ends a container a minute after this time, should nobody else be left to do it. */
  readonly timeMs: number | null;
}

/** It runs until the program has ended, and ends with its exit status. SIGTERM to it ends the container. */
export function containerArgv(container: Container, program: ContainedProgram): readonly string[] {
  const { runtime, image, options } = container;
  const binds = [
    ...topmost(program.reads).map((path) => `${path}:${path}${runtime === 'charliecloud' ? '' : ':ro'}`),
    `${program.directory}:${program.directory}`,
    ...container.binds,
  ];
  const withBinds = (flag: string): readonly string[] => binds.flatMap((bind) => [flag, bind]);
  switch (runtime) {
    case 'podman': {
      const name = `caf-${createHash('sha256').update(program.directory).digest('hex').slice(0, 24)}`;
      const run = ['podman', 'run', '--rm', '--replace', '--name', name, '--entrypoint', '', '--workdir', program.directory];
      const limits = [
        ...(program.memoryBytes === null ? [] : ['--memory', String(program.memoryBytes)]),
        ...(program.timeMs === null ? [] : ['--timeout', String(Math.ceil(program.timeMs / 1000) + 60)]),
      ];
      // By name: values may be secret, and everybody can see arguments. podman itself is found through PATH.
      const variables = Object.entries(program.env).flatMap(([key, value]) => ['--env', key === 'PATH' ? `PATH=${value}` : key]);
      return ['/bin/sh', '-c', PODMAN, name, ...run, ...limits, ...variables, ...withBinds('--volume'), ...options, image, ...program.argv];
    }
    case 'apptainer': {
      const run = ['apptainer', '--quiet', 'exec', '--cleanenv', '--contain', '--pwd', program.directory];
      return [...run, ...withBinds('--bind'), ...options, image, ...program.argv];
    }
    case 'charliecloud':
      return ['ch-run', '--cd', program.directory, ...withBinds('--bind'), ...options, image, '--', ...program.argv];
    default:
      return unreachable(runtime);
  }
}

/** podman's containers are no children of its command: when that is asked to end, it has to end the container. $0 is its name. */
const PODMAN = [
  '"$@" & client=$!',
  'trap \'podman stop --ignore --time 1 "$0" >/dev/null 2>&1\' TERM INT HUP',
  'wait $client; status=$?',
  'while kill -0 $client 2>/dev/null; do wait $client; status=$?; done',
  'exit $status',
].join('\n');

/** The program's variables as the runtime takes them from the environment of its own command. */
export function containerVariables({ runtime }: Container, env: Env): Env {
  switch (runtime) {
    case 'podman': {
      const { PATH: _, ...others } = env;
      return others;
    }
    case 'apptainer':
      return Object.fromEntries(Object.entries(env).map(([key, value]) => [`APPTAINERENV_${key}`, value]));
    case 'charliecloud':
      return env;
    default:
      return unreachable(runtime);
  }
}

/** Of caf's environment, what the runtime's own command gets. charliecloud hands all of it on, so there it is little. */
export function runtimeEnvironment({ runtime }: Container, env: Readonly<Record<string, string | undefined>>): Env {
  const known = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const kept = runtime === 'charliecloud' ? known.filter(([key]) => ['PATH', 'USER', 'LOGNAME', 'HOME', 'TMPDIR'].includes(key)) : known;
  return Object.fromEntries(kept);
}

/** Without those that lie in another of them, each once. */
const topmost = (directories: readonly string[]): readonly string[] =>
  [...new Set(directories)].sort().reduce<string[]>((kept, next) => {
    const last = kept.at(-1);
    if (last === undefined || !`${next}/`.startsWith(`${last}/`)) kept.push(next);
    return kept;
  }, []);
