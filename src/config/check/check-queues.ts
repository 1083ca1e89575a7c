// Checks what Grid Engine, PBS and LSF are told about a site: queues, projects, requests, and further options of their commands.
import type { GridEngineSite } from '../../domain/calibration.ts';
import { option, type Problems, show } from './problems.ts';
import { isTable, type Reader, read, readList, type Scope } from './readers.ts';

/** A word on a command line: no line breaks, and no `-` at its beginning, which would be an option. */
const readName =
  (what: string): Reader<string> =>
  (value, place, problems) => {
    if (typeof value === 'string' && /^[^\s-][^\s]*$/.test(value)) return value;
    problems.expected(place, what, value);
    return undefined;
  };

/** Options that caf gives itself: said twice they would break an array, its output or its end. */
const readOptions = (command: string, own: ReadonlyMap<string, string>): Reader<readonly string[]> => {
  const readOption: Reader<string> = (value, place, problems: Problems) => {
    if (typeof value !== 'string' || value === '' || /[\n\0]/.test(value)) {
      problems.expected(place, `a word of ${command}`, value);
      return undefined;
    }
    const why = own.get(value);
    if (why === undefined) return value;
    problems.report(place, `${show(value)} cannot be set here: ${why}`);
    return undefined;
  };
  return readList(`an array of words of ${command}`, readOption);
};

const readRequests: Reader<Readonly<Record<string, string>>> = (value, place, problems) => {
  if (!isTable(value)) {
    problems.expected(place, "an object of requests such as { os: 'el9' }", value);
    return undefined;
  }
  const entries: [string, string][] = [];
  for (const [name, wanted] of Object.entries(value)) {
    if (wanted === undefined) continue;
    if (/^[A-Za-z_][\w.]*$/.test(name) && typeof wanted === 'string' && /^[^\s,]+$/.test(wanted)) entries.push([name, wanted]);
    else problems.report(option(place, name), `expected a request such as os: 'el9', without blanks and commas, found ${show(wanted)}`);
  }
  return Object.fromEntries(entries);
};

const CAF = 'caf sets it';
const ownOptions = (words: string): ReadonlyMap<string, string> => new Map(words.split(' ').map((word) => [word, CAF]));

// ------------------------------------------------------------------------------------------------------------ Grid Engine

export const GRID_ENGINE_OPTIONS = ['queue', 'project', 'parallelEnvironment', 'memoryResource', 'resources', 'options'] as const;

export const readGridEngineSite = (scope: Scope): GridEngineSite => ({
  queue: read(scope, 'queue', readName('the name of a queue'), null),
  project: read(scope, 'project', readName('the name of a project'), null),
  parallelEnvironment: read(scope, 'parallelEnvironment', readName('the name of a parallel environment'), 'smp'),
  memoryResource:
    scope.value.memoryResource === null ? null : read(scope, 'memoryResource', readName('the name of a resource'), 'mem_free'),
  resources: read(scope, 'resources', readRequests, {}),
  options: read(
    scope,
    'options',
    readOptions('qsub', ownOptions('-N -t -tc -r -wd -cwd -o -e -j -b -shell -terse -sync -now -h -V -@ -C')),
    [],
  ),
});
