// What a site needs for the jobs of one collection or algorithm: its options go before those of the backend; and where each value comes from.
import { type Answer, engineOfAlgorithms, type JobToSize, type OptionOrigin } from '../../domain/calibration.ts';
import { formatDuration, formatSize } from '../../domain/quantity.ts';
import { askedOf } from './ask-of-job.ts';
import { BACKENDS, DEFAULT_RESOURCES, type GivenBackend, KINDS, type Written } from './check-backend.ts';
import { OPTIONS_OF_ALL_JOBS } from './check-batch.ts';
import { option, type Place, Problems, pathText } from './problems.ts';
import { isTable, type Reader, readScope, type Scope } from './readers.ts';

const OF_ALL: ReadonlySet<string> = new Set(OPTIONS_OF_ALL_JOBS);
const ENGINES = BACKENDS.filter((kind) => kind !== 'local');
const ENGINE_NAMES: ReadonlySet<string> = new Set(ENGINES);

export interface Site {
  readonly backend: GivenBackend;
  readonly siteOf: ((job: JobToSize) => Answer<GivenBackend>) | null;
}

/** The option `site` of a collection: a table, or a function of the job. */
export const readSite =
  (ofCalibration: GivenBackend): Reader<Site> =>
  (value, place, problems) => {
    if (typeof value !== 'function')
      return { backend: mergeSite(value, ofCalibration, { ...place, from: 'collection' }, place, problems), siteOf: null };
    const merge: Reader<GivenBackend> = (answer, at, wrong) => mergeSite(answer, ofCalibration, { ...place, from: 'job' }, at, wrong);
    return { backend: ofCalibration, siteOf: askedOf(value as (job: JobToSize) => unknown, place, merge) };
  };

/** Of an algorithm, which is one job. */
export const readSiteOfAlgorithm =
  (ofCalibration: GivenBackend): Reader<GivenBackend> =>
  (value, place, problems) =>
    mergeSite(value, ofCalibration, { ...place, from: 'algorithm' }, place, problems);

/** The calibration's backend, with what `site` says for its engine instead. `shown`: where it stands, for those who ask what says a value. */
function mergeSite(
  site: unknown,
  ofCalibration: GivenBackend,
  { from, ...shown }: Place & Pick<Written, 'from'>,
  place: Place,
  problems: Problems,
): GivenBackend {
  const engines = readScope(site, ENGINE_NAMES, place, problems, "options per engine such as { slurm: { partition: 'long' } }");
  let backend = ofCalibration;
  for (const kind of ENGINES) {
    const given = engines?.value[kind];
    if (given === undefined) continue;
    const known = new Set(KINDS[kind].options.filter((name) => !OF_ALL.has(name)));
    const own = readScope(given, known, option(place, kind), problems, 'an object of options');
    if (own === undefined) continue;
    // Those of other engines are checked as well: the same config runs there.
    KINDS[kind].read(own, { cores: 1 });
    if (kind !== ofCalibration.spec.kind) continue;
    const layers = [...ofCalibration.layers, { table: own.value, place: option(shown, kind), from }];
    const table = Object.assign({}, ...layers.map((layer) => defined(layer.table)));
    // The problems of each table have been reported where it stands.
    backend = { spec: KINDS[kind].read({ value: table, place, problems: new Problems() }, { cores: 1 }), layers };
  }
  return backend;
}

const defined = (table: Written['table']) => Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined));

// --------------------------------------------------------------------------------------------------------------- origins

/** What adds up, and what is not of jobs. */
const TOLD_APART: ReadonlySet<string> = new Set(['env', 'setup', 'algorithms']);

export const optionsOfCollection = (scope: Scope, backend: GivenBackend): readonly OptionOrigin[] => {
  const own: Written = { table: scope.value, place: scope.place, from: 'collection' };
  return [
    ...optionsOfBackend(backend),
    ...linesAndVariables([...backend.layers, own]),
    ...valuesOf(['container', 'retries'], [own], { retries: 2 }),
    ...resourcesOf(own, DEFAULT_RESOURCES.timeMs),
  ];
};

/** None for one that runs beside caf. */
export function optionsOfAlgorithm(scope: Scope, backend: GivenBackend): readonly OptionOrigin[] {
  if (engineOfAlgorithms(backend.spec) === null) return [];
  const own: Written = { table: scope.value, place: scope.place, from: 'algorithm' };
  // Its `setup` is a function, that of the backend are lines of shell.
  const { setup: _, ...table } = own.table;
  return [
    ...optionsOfBackend(backend),
    ...linesAndVariables([...backend.layers, { ...own, table }]),
    ...valuesOf(['container'], [own], {}),
    ...timeLimited(own, resourcesOf(own, DEFAULT_RESOURCES.timeMs)),
  ];
}

/** Without resources of its own it has time for an execution at least. */
function timeLimited(own: Written, resources: readonly OptionOrigin[]): readonly OptionOrigin[] {
  const [limit] = valuesOf(['executionTimeLimit'], [own], {});
  if (own.table.resources !== undefined || limit === undefined || limit.from === 'default') return resources;
  return resources.map((each) => (each.name === 'time' ? { ...limit, name: 'time' } : each));
}

/** Those of this machine are no options of jobs. */
function optionsOfBackend({ spec, layers }: GivenBackend): readonly OptionOrigin[] {
  if (spec.kind === 'local') return [];
  const { options, defaults } = KINDS[spec.kind];
  const names = options.filter((name) => !TOLD_APART.has(name));
  return valuesOf(names, layers, defaults);
}

/** What adds up: lines of shell one after the other, of variables the last of each name. */
function linesAndVariables(layers: readonly Written[]): readonly OptionOrigin[] {
  const lines = layers.flatMap((layer) =>
    Array.isArray(layer.table.setup) && layer.table.setup.length > 0 ? [originIn(layer, 'setup', layer.table.setup)] : [],
  );
  const variables = layers.flatMap((layer) =>
    isTable(layer.table.env)
      ? Object.keys(defined(layer.table.env)).map((name) => {
          const { from, path } = originIn(layer, 'env', null);
          return [name, { name: `env.${name}`, value: 'set', from, path: `${path}.${name}` }] as const;
        })
      : [],
  );
  return [...lines, ...new Map(variables).values()];
}

/** Also of a collection whose jobs each have their own: then what they have unless they say otherwise. */
function resourcesOf(own: Written, timeMs: number): readonly OptionOrigin[] {
  const { cores, memoryBytes } = DEFAULT_RESOURCES;
  const defaults = { cores, memory: formatSize(memoryBytes), time: formatDuration(timeMs) };
  const given = own.table.resources;
  const layers = isTable(given) ? [{ ...own, table: given, place: option(own.place, 'resources') }] : [];
  return valuesOf(Object.keys(defaults), layers, defaults);
}

const valuesOf = (names: readonly string[], layers: readonly Written[], defaults: Readonly<Record<string, unknown>>): OptionOrigin[] =>
  names.map((name) => {
    const layer = layers.findLast(({ table }) => table[name] !== undefined);
    if (layer !== undefined) return originIn(layer, name, layer.table[name]);
    return { name, value: defaults[name] ?? null, from: 'default', path: null };
  });

const originIn = ({ place, from }: Written, name: string, value: unknown): OptionOrigin => ({
  name,
  value,
  from,
  path: pathText(option(place, name)),
});
