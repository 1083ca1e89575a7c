// Runs and intervals of validity (IoV): the shapes users write. Keys and algebra are added beside them.

/** A data run: `[experiment, run]`. */
export type Run = readonly [experiment: number, run: number];

/** A closed interval of runs `[expLow, runLow, expHigh, runHigh]`; -1 = open (`[e, r, e, -1]` to the end of the experiment, `[e, r, -1, -1]` for ever). */
export type Iov = readonly [expLow: number, runLow: number, expHigh: number, runHigh: number];
