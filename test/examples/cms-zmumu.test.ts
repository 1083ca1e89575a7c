// The example on CMS open data: after it the Z peak is where it belongs, in every interval. Needs the data; see its README.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collectDimuons, SELECTION } from '../../calibrations/mass-scale/collect.ts';
import { fitPeak, Z_MASS } from '../../calibrations/mass-scale/peak.ts';
import { caf, payload, ROOT, statusOf } from './support/caf.ts';

const DATA = process.env.CAF_DATA ?? join(ROOT, '../shared/data');
const FILE = [DATA, join(DATA, 'Zmumu_Run2011A.csv'), join(DATA, 'cms-open-data/Zmumu_Run2011A.csv')].find(
  (path) => path.endsWith('.csv') && existsSync(path),
);

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'caf-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test.skipIf(FILE === undefined)(
  'with the scale applied the Z peak is at 91.19 GeV in every interval',
  async () => {
    const results = join(directory, 'results');
    const ended = await caf(['run', 'examples/cms-zmumu', '--output', results], { env: { CAF_DATA: DATA } });
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    const { calibrations } = await statusOf(results);
    expect(calibrations).toMatchObject([
      { name: 'mass-scale', state: 'completed', converged: true, iteration: 2 },
      { name: 'mass-resolution', state: 'completed', converged: true, iteration: 0 },
    ]);

    const intervals = calibrations[0]!.iterations.at(-1)!.algorithms[0]!.results.map(({ iov }) => iov);
    expect(intervals).toHaveLength(11);
    const raw = await collectDimuons([FILE!], { minPt: 0, mass: [0, 1000] }, async () => 1);
    for (const [experiment = 0, low = 0, , high = 0] of intervals) {
      const found = await payload<{ scale: number; error: number; peak: number; peakError: number; chi2: number; ndf: number }>(
        join(results, 'mass-scale/localdb'),
        'MomentumScale',
        experiment,
        low,
      );
      expect(Math.abs(found.peak - Z_MASS)).toBeLessThan(0.2 * found.peakError);
      expect(found.chi2 / found.ndf).toBeLessThan(2);
      expect(found.error).toBeLessThan(0.0025);

      // Without caf's records and database: scale the measured momenta of these runs, and fit again. The same fit, so this tests the loop, not the model.
      const masses = [...raw].flatMap(([run, { mass, pt }]) =>
        run < low || run > high ? [] : mass.filter((_, index) => Math.min(...pt[index]!) * found.scale > SELECTION.minPt),
      );
      const refit = fitPeak(masses.map((mass) => mass * found.scale));
      if (!refit.ok) throw new Error(refit.reason);
      expect(Math.abs(refit.value.peak - Z_MASS)).toBeLessThan(0.2 * refit.value.peakError);
    }

    const resolution = await payload<{ resolution: number; error: number }>(
      join(results, 'mass-resolution/localdb'),
      'MassResolution',
      11,
      173692,
    );
    expect(resolution.resolution).toBeGreaterThan(0.7);
    expect(resolution.resolution).toBeLessThan(1.7);
  },
  60_000,
);

test('without the data it says what to download, from where, and how to name it', async () => {
  for (const env of [{ CAF_DATA: '' }, { CAF_DATA: join(directory, 'nowhere') }]) {
    const ended = await caf(['run', 'examples/cms-zmumu', '--output', join(directory, 'none')], { env });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('CAF_DATA');
    expect(ended.stderr).toContain('opendata.cern.ch/record/545');
    expect(existsSync(join(directory, 'none'))).toBe(false);
  }
}, 30_000);
