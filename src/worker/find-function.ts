// Finds a calibration's functions in a loaded config by their names: how they are called in another process than the one that planned them.
import { CafError } from '../domain/errors.ts';
import { nearest } from '../domain/nearest.ts';

type Options = Readonly<Record<string, unknown>>;

const isOptions = (value: unknown): value is Options => typeof value === 'object' && value !== null;

/** The options of a collection as the user wrote them. `config` is the default export. CAF_CONFIG_LOAD when the names are not there. */
export function findCollection(config: unknown, calibration: string, collection: string): Options {
  const collections = findCalibration(config, calibration).collections;
  const found = isOptions(collections) && Object.hasOwn(collections, collection) ? collections[collection] : undefined;
  if (!isOptions(found)) {
    throw notFound(
      `Calibration ${calibration} has no collection ${collection}`,
      collection,
      isOptions(collections) ? Object.keys(collections) : [],
    );
  }
  return found;
}

/** The options of an algorithm as the user wrote them. */
export function findAlgorithm(config: unknown, calibration: string, algorithm: string): Options {
  const { algorithms } = findCalibration(config, calibration);
  return findNamed(algorithms, algorithm, `Calibration ${calibration} has no algorithm ${algorithm}`);
}

function findCalibration(config: unknown, calibration: string): Options {
  const calibrations = isOptions(config) ? config.calibrations : undefined;
  return findNamed(calibrations, calibration, `The config has no calibration ${calibration}`);
}

function findNamed(list: unknown, name: string, otherwise: string): Options {
  const entries: readonly unknown[] = Array.isArray(list) ? list : [];
  const found = entries.find((entry): entry is Options => isOptions(entry) && entry.name === name);
  if (found === undefined)
    throw notFound(
      otherwise,
      name,
      entries.flatMap((entry) => (isOptions(entry) ? [String(entry.name)] : [])),
    );
  return found;
}

/** It was there when caf planned: the config gives different calibrations in another process. */
function notFound(message: string, name: string, known: readonly string[]): CafError {
  const like = nearest(name, known);
  return new CafError('CAF_CONFIG_LOAD', `${message} when it is loaded in a child process${like === null ? '' : ` (there is ${like})`}`, {
    hint: 'Let the config give the same calibrations each time it is loaded: no random names, no dependence on the process it runs in.',
  });
}
