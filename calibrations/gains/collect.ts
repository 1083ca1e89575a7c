// Reads source data and sums up, per data run and channel, the gains of the entries near the line.
import { checkIndex, readColumns } from '../csv.ts';
import { RunMoments } from '../moments.ts';
import { gainOfEntry } from './fit.ts';

/** What a collector needs to know of one data run, from the conditions. */
export interface LineConditions {
  /** Pedestal per channel, ADC counts. */
  readonly pedestals: readonly number[];
  /** Gain per channel that the window is placed with, ADC counts per keV. */
  readonly gains: readonly number[];
  /** Energy of the line, keV. */
  readonly energy: number;
}

/** `files`: CSV with the columns experiment, run, channel and adc (ADC counts); others are ignored. Throws `file:line: what is wrong`. */
export async function collectLine(
  files: readonly string[],
  channels: number,
  window: number,
  conditionsOf: (experiment: number, run: number) => Promise<LineConditions>,
  signal?: AbortSignal,
): Promise<RunMoments> {
  const moments = new RunMoments(channels);
  for (const file of files) {
    for (const { experiment, run, samples } of await readRuns(file, channels, signal)) {
      const { pedestals, gains, energy } = await conditionsOf(experiment, run);
      moments.see(experiment, run);
      for (const [channel, adc] of samples) {
        const gain = gainOfEntry(adc, pedestals[channel] ?? Number.NaN, energy, gains[channel] ?? Number.NaN, window);
        if (gain !== null) moments.add(experiment, run, channel, gain);
      }
    }
  }
  return moments;
}

interface RunSamples {
  readonly experiment: number;
  readonly run: number;
  readonly samples: (readonly [channel: number, adc: number])[];
}

/** One file is read as a whole: conditions are asked for once per run, not per line. */
async function readRuns(file: string, channels: number, signal?: AbortSignal): Promise<readonly RunSamples[]> {
  const runs = new Map<string, RunSamples>();
  await readColumns(
    file,
    ['experiment', 'run', 'channel', 'adc'],
    ([experiment = Number.NaN, run = Number.NaN, channel = Number.NaN, adc = Number.NaN], line) => {
      const key = `${experiment},${run}`;
      const known = runs.get(key) ?? { experiment, run, samples: [] };
      runs.set(key, known);
      known.samples.push([checkIndex(channel, channels, 'channel', file, line), adc]);
    },
    signal,
  );
  return [...runs.values()];
}
