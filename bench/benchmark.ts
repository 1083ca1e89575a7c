// What a benchmark is: it measures in a directory of its own, and gives rows for the table.
import { fileURLToPath } from 'node:url';
import type { Compared, Cost } from './measure.ts';
import { measure } from './measure.ts';

export interface Row {
  readonly name: string;
  /** Of what caf is compared with; null where the bar is a figure of its own. */
  readonly floor: Cost | null;
  readonly caf: Cost;
  /** What the bar is about, as text: `1.42 x`, `0.31 s`, `96 MB`. */
  readonly figure: string;
  /** Empty for a figure that only explains another. */
  readonly bar: string;
  readonly holds: boolean;
}

export interface Benchmark {
  readonly name: string;
  /** Takes minutes: measured only when it is named. */
  readonly isLong?: boolean;
  /** `directory` is empty, absolute, and removed afterwards. */
  run(directory: string, rounds: number): Promise<readonly Row[]>;
}

const CAF = fileURLToPath(new URL('../bin/caf.js', import.meta.url));
const floorPath = (name: string): string => fileURLToPath(new URL(`./floors/${name}.js`, import.meta.url));

export const caf = (args: readonly string[], cwd: string): Promise<Cost> => measure([process.execPath, CAF, ...args], { cwd });
export const floor = (name: string, args: readonly string[] = []): Promise<Cost> => measure([process.execPath, floorPath(name), ...args]);

export const MB = 1e6;
export const megabytes = (bytes: number): string => `${Math.round(bytes / MB)} MB`;
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
/** Wall and processor time must both hold: on a machine that others use, one of the two alone may be luck. */
export const both = ({ ratio, cpuRatio }: Compared): string => `${times(ratio)}, cpu ${times(cpuRatio)}`;
export const holdsBoth = ({ ratio, cpuRatio }: Compared, limit: number): boolean => Math.max(ratio, cpuRatio) <= limit;
export const pick = ({ floor: floorCost, caf: cafCost }: Compared): Pick<Row, 'floor' | 'caf'> => ({ floor: floorCost, caf: cafCost });
export const times = (ratio: number): string => `${ratio.toFixed(2)} x`;
