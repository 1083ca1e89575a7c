// What a function of the user says of one job, with everything that is wrong about it.
import type { Answer, JobToSize } from '../../domain/calibration.ts';
import { type Place, Problems } from './problems.ts';
import type { Reader } from './readers.ts';

/** `place`: of the option that is the function. */
export const askedOf =
  <T>(ask: (job: JobToSize) => unknown, place: Place, reader: Reader<T>) =>
  (job: JobToSize): Answer<T> => {
    const problems = new Problems();
    const at: Place = { ...place, key: `${place.key}(job ${job.job})` };
    try {
      const value = reader(ask(job), at, problems) ?? null;
      return { value, problems: problems.list };
    } catch (error) {
      problems.report(at, `it threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
      return { value: null, problems: problems.list };
    }
  };
