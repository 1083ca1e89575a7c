// Reads random-trigger samples and sums them up per data run and channel.
import { checkIndex, readColumns } from '../csv.ts';
import { RunMoments } from '../moments.ts';

/** `files`: CSV with the columns experiment, run, channel and adc (ADC counts); others are ignored. Throws `file:line: what is wrong`. */
export async function collectSamples(files: readonly string[], channels: number, signal?: AbortSignal): Promise<RunMoments> {
  const moments = new RunMoments(channels);
  for (const file of files) {
    await readColumns(
      file,
      ['experiment', 'run', 'channel', 'adc'],
      ([experiment = Number.NaN, run = Number.NaN, channel = Number.NaN, adc = Number.NaN], line) => {
        moments.add(experiment, run, checkIndex(channel, channels, 'channel', file, line), adc);
      },
      signal,
    );
  }
  return moments;
}
