// The words of a `caf run` once more, for another process that is to do the same.
import { formatIov } from '../domain/iov.ts';
import type { RunOptions } from './commands/run.ts';

/** Arguments after `run`, without those that say where it runs. Options come first: what follows `--` is taken as it is. */
export function runArguments({ config, only, iov, backend, output, fresh, compact, json, quiet, verbose }: RunOptions): readonly string[] {
  return [
    ...only.map((name) => `--only=${name}`),
    ...(iov === undefined ? [] : [`--iov=${formatIov(iov)}`]),
    ...(backend === undefined ? [] : [`--backend=${backend}`]),
    ...(output === undefined ? [] : [`--output=${output}`]),
    ...(fresh ? ['--fresh'] : []),
    ...(compact ? ['--compact'] : []),
    ...(json ? ['--json'] : []),
    ...(quiet ? ['--quiet'] : []),
    ...(verbose ? ['--verbose'] : []),
    ...(config === undefined ? [] : ['--', config]),
  ];
}
