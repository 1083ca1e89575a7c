// caf doctor --test-job on real engines: the job comes back, is measured, and nothing of it is left.
import { chmodSync, chownSync, mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withEngine } from './support/engine.ts';

const CAF = join(import.meta.dirname, '../../bin/caf.js');

for (const name of ['slurm', 'htcondor'] as const) {
  withEngine(name, (engine) => {
    const place = (): string => {
      const directory = mkdtempSync(join(engine.directory, 'doctor-'));
      chmodSync(directory, 0o755);
      if (engine.user !== null) chownSync(directory, engine.user.uid, engine.user.gid);
      return directory;
    };

    it('a test job tells how long the queue, the run, the news of its end and the files take', async () => {
      const directory = place();
      const { exitCode, stdout, stderr } = await engine.run([process.execPath, CAF, 'doctor', 'results', '--test-job', name, '--json'], {
        cwd: directory,
        asUser: true,
      });
      expect(exitCode, stderr).toBe(0);
      const { findings, testJobs } = JSON.parse(stdout) as {
        findings: readonly { check: string; status: string; text: string; hint: string | null }[];
        testJobs: readonly Readonly<Record<string, number | string | null>>[];
      };
      const about = findings.filter(({ check }) => check.startsWith(name));
      expect(about.map(({ check, status }) => `${check} ${status}`)).toEqual([
        `${name} ok`,
        `${name} job ok`,
        `${name} files ok`,
        `${name} Node ok`,
      ]);
      expect(about[0]?.hint).toBe(`in the config: backend: ${name}(${name === 'slurm' ? "{ partition: 'main' }" : ''})`);
      const times = ['submitMs', 'queueMs', 'runMs', 'noticeMs', 'filesMs', 'clockMs'];
      expect(testJobs).toHaveLength(1);
      for (const time of times) expect(testJobs[0]?.[time], time).toEqual(expect.any(Number));
      expect(readdirSync(directory)).toEqual([]);
    });
  });
}
