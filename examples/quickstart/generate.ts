// A small simulated detector: the same data on every machine, made when the config is loaded and they are not there yet.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const CHANNELS = 8;
const RUNS = [
  [1, 1],
  [1, 2],
  [1, 3],
  [1, 4],
  [2, 1],
  [2, 2],
  [2, 3],
  [2, 4],
] as const;
const RANDOM_TRIGGERS = 150;
const SOURCE_EVENTS = 300;
/** Caesium-137, keV; its line has a resolution of 4 %. */
const LINE = 661.657;
const RESOLUTION = 0.04;
/** Where the Compton continuum of this line ends, keV. */
const COMPTON_EDGE = 477.3;
const NOISE = 3;

/** True pedestals in ADC counts: all move by 4 counts between the experiments. */
export const truePedestal = (experiment: number, channel: number): number => 480 + 7 * channel + 4 * (experiment - 1);

/** True gains in ADC counts per keV: up to 4 % from the nominal 2, and 2 % lower in the second experiment. */
export const trueGain = (experiment: number, channel: number): number =>
  2 * (1 + 0.03 * Math.sin(1 + 2 * channel)) * (experiment === 1 ? 1.01 : 0.99);

/**
 * Makes `directory` with a file of random triggers and a file of source events for each run, unless it exists. Safe when several processes do so
 * at once: each makes a directory of its own and renames it into place; who comes late throws its own away.
 */
export function generate(directory: string): void {
  if (existsSync(directory)) return;
  const draft = `${directory}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  for (const [experiment, run] of RUNS) {
    const random = gaussians(1000 * experiment + run);
    writeFileSync(
      join(draft, `random-e${experiment}r${run}.csv`),
      table(experiment, run, RANDOM_TRIGGERS, (channel) => truePedestal(experiment, channel) + NOISE * random.gauss()),
    );
    writeFileSync(
      join(draft, `source-e${experiment}r${run}.csv`),
      table(experiment, run, SOURCE_EVENTS, (channel) => {
        const inLine = random.uniform() < 0.7;
        const energy = inLine ? LINE * (1 + RESOLUTION * random.gauss()) : COMPTON_EDGE * random.uniform();
        return truePedestal(experiment, channel) + trueGain(experiment, channel) * energy + NOISE * random.gauss();
      }),
    );
  }
  try {
    renameSync(draft, directory);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
}

function table(experiment: number, run: number, events: number, adc: (channel: number) => number): string {
  const lines = ['experiment,run,event,channel,adc'];
  for (let event = 0; event < events; event += 1) {
    for (let channel = 0; channel < CHANNELS; channel += 1)
      lines.push(`${experiment},${run},${event},${channel},${Math.round(adc(channel))}`);
  }
  return `${lines.join('\n')}\n`;
}

/** mulberry32, and the Box-Muller transform. */
function gaussians(seed: number): { uniform(): number; gauss(): number } {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return { uniform, gauss: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) };
}
