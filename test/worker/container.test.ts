// The commands that run programs in containers, as text; test/engines/containers.test.ts runs them.
import { describe, expect, it } from 'vitest';
import type { Container } from '../../src/domain/calibration.ts';
import { containerArgv, containerVariables, runtimeEnvironment } from '../../src/worker/container.ts';

const container = (runtime: Container['runtime']): Container => ({
  runtime,
  image: 'image',
  binds: ['/cvmfs:/cvmfs:ro'],
  options: ['--network=host'],
});
const program = {
  argv: ['fit', '$(id)', 'a b'],
  directory: '/results/a/0/collector/c/0.attempt-0',
  reads: ['/project', '/results', '/data/raw', '/data/raw/2026', '/project', '/data/rawer'],
  env: { TOKEN: 'secret', PATH: '/opt/bin' },
  memoryBytes: 2e9,
  timeMs: 90_500,
};

describe('the command of a container', () => {
  it('shows a place once, within none that is shown already, and the working directory last', () => {
    const argv = containerArgv(container('charliecloud'), program);
    expect(argv.filter((_, index) => argv[index - 1] === '--bind')).toEqual([
      '/data/raw:/data/raw',
      '/data/rawer:/data/rawer',
      '/project:/project',
      '/results:/results',
      `${program.directory}:${program.directory}`,
      '/cvmfs:/cvmfs:ro',
    ]);
  });

  it('has no value of a variable among its arguments, but for the PATH inside', () => {
    for (const runtime of ['podman', 'apptainer', 'charliecloud'] as const)
      expect(containerArgv(container(runtime), program).join(' ')).not.toContain('secret');
    expect(containerArgv(container('podman'), program)).toContain('PATH=/opt/bin');
    expect(containerVariables(container('podman'), program.env)).toEqual({ TOKEN: 'secret' });
    expect(containerVariables(container('apptainer'), program.env)).toEqual({
      APPTAINERENV_TOKEN: 'secret',
      APPTAINERENV_PATH: '/opt/bin',
    });
  });

  it('ends with the program as it is, after the options of the user and the image', () => {
    for (const runtime of ['podman', 'apptainer'] as const)
      expect(containerArgv(container(runtime), program).slice(-5)).toEqual(['--network=host', 'image', ...program.argv]);
    expect(containerArgv(container('charliecloud'), program).slice(-6)).toEqual(['--network=host', 'image', '--', ...program.argv]);
  });

  it('limits memory and time where the runtime can, time with a minute to spare', () => {
    const argv = containerArgv(container('podman'), program);
    expect(argv[argv.indexOf('--memory') + 1]).toBe('2000000000');
    expect(argv[argv.indexOf('--timeout') + 1]).toBe('151');
    expect(containerArgv(container('podman'), { ...program, memoryBytes: null, timeMs: null })).not.toContain('--timeout');
  });

  it('is given the surroundings of caf, but charliecloud only what its command needs, because it hands all of it on', () => {
    const env = { PATH: '/bin', HOME: '/home/me', AWS_SECRET: 'x', GONE: undefined };
    expect(runtimeEnvironment(container('podman'), env)).toEqual({ PATH: '/bin', HOME: '/home/me', AWS_SECRET: 'x' });
    expect(runtimeEnvironment(container('charliecloud'), env)).toEqual({ PATH: '/bin', HOME: '/home/me' });
  });
});
