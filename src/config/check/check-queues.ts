// Checks what Grid Engine, PBS and LSF are told about a site: queues, projects, requests, and further options of their commands.
import type { GridEngineSite, LsfSite, PbsSite } from '../../domain/calibration.ts';
import { readGridEngineOptions, readLsfOptions, readPbsOptions } from './check-directives.ts';
import { option, show } from './problems.ts';
import { isTable, type Reader, read, readChoice, readSize, readText, readWhole, type Scope } from './readers.ts';

/** A word on a command line: no line breaks, and no `-` at its beginning, which would be an option. */
const readName =
  (what: string): Reader<string> =>
  (value, place, problems) => {
    if (typeof value === 'string' && /^[^\s-][^\s]*$/.test(value)) return value;
    problems.expected(place, what, value);
    return undefined;
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

// ------------------------------------------------------------------------------------------------------------ Grid Engine

export const GRID_ENGINE_OPTIONS = ['queue', 'project', 'parallelEnvironment', 'memoryResource', 'resources', 'options'] as const;

export const readGridEngineSite = (scope: Scope): GridEngineSite => ({
  queue: read(scope, 'queue', readName('the name of a queue'), null),
  project: read(scope, 'project', readName('the name of a project'), null),
  parallelEnvironment: read(scope, 'parallelEnvironment', readName('the name of a parallel environment'), 'smp'),
  memoryResource:
    scope.value.memoryResource === null ? null : read(scope, 'memoryResource', readName('the name of a resource'), 'mem_free'),
  resources: read(scope, 'resources', readRequests, {}),
  options: read(scope, 'options', readGridEngineOptions, []),
});

// -------------------------------------------------------------------------------------------------------------------- PBS

export const PBS_OPTIONS = ['flavour', 'queue', 'account', 'project', 'gpus', 'select', 'options'] as const;

export const readPbsSite = (scope: Scope): PbsSite => ({
  flavour: read(scope, 'flavour', readChoice(['openpbs', 'torque']), 'openpbs'),
  queue: read(scope, 'queue', readName('the name of a queue'), null),
  account: read(scope, 'account', readName('the name of an account'), null),
  project: read(scope, 'project', readName('the name of a project'), null),
  gpus: read(scope, 'gpus', readWhole('a whole number of GPUs', 1), null),
  select: read(scope, 'select', readName("what a node must have, such as 'scratch=10gb'"), null),
  options: read(scope, 'options', readPbsOptions, []),
});

// -------------------------------------------------------------------------------------------------------------------- LSF

export const LSF_OPTIONS = ['queue', 'project', 'application', 'gpus', 'requirements', 'memoryUnit', 'options'] as const;

export const readLsfSite = (scope: Scope): LsfSite => ({
  queue: read(scope, 'queue', readName('the name of a queue'), null),
  project: read(scope, 'project', readName('the name of a project'), null),
  application: read(scope, 'application', readName('the name of an application profile'), null),
  gpus: read(scope, 'gpus', readName("GPUs as in bsub -gpu, such as 'num=1'"), null),
  requirements: read(scope, 'requirements', readText("requirements such as 'select[type==X86_64]'"), null),
  memoryUnitBytes: read(scope, 'memoryUnit', readSize, 2 ** 20),
  options: read(scope, 'options', readLsfOptions, []),
});
