// Checks one algorithm and its strategy.
import type { AlgorithmSpec, Granularity, StrategySpec } from '../../domain/calibration.ts';
import { isCommand } from '../../domain/calibration.ts';
import { singleIov } from '../../strategies/single-iov.ts';
import { checkFits, type GivenBackend, readResources } from './check-backend.ts';
import { NO_PROGRAM } from './check-collection.ts';
import { readContainer } from './check-container.ts';
import { optionsOfAlgorithm, readSiteOfAlgorithm } from './check-site.ts';
import { option, type Place, type Problems, show } from './problems.ts';
import { isTable, type Reader, read, readDuration, readEnv, readFunctionOrCommand, readRequired, readScope } from './readers.ts';

const OPTIONS = new Set([
  'name',
  'run',
  'strategy',
  'setup',
  'findBoundaries',
  'executionTimeLimit',
  'env',
  'resources',
  'container',
  'site',
]);
const STRATEGIES = ['singleIov', 'simpleRunByRun', 'sequentialRunByRun', 'sequentialBoundaries'];
const DEFAULT_TIME_LIMIT_MS = 3_600_000;

/** A strategy is data to all but the strategy child, which finds its generator in the config. */
interface CheckedStrategy {
  readonly spec: StrategySpec;
  readonly asksForBoundaries: boolean;
}

const DEFAULT_STRATEGY: CheckedStrategy = (() => {
  const { name, options, granularities } = singleIov();
  return { spec: { name, options, granularities }, asksForBoundaries: false };
})();

/** Undefined when it is no algorithm at all; otherwise what can be used of it, so that all problems are found. */
export function checkAlgorithm(value: unknown, ofCalibration: GivenBackend, place: Place, problems: Problems): AlgorithmSpec | undefined {
  const scope = readScope(value, OPTIONS, place, problems, 'an algorithm with name and run');
  if (scope === undefined) return undefined;
  const run = readRequired(scope, 'run', readFunctionOrCommand) ?? NO_PROGRAM;
  const strategy = read(scope, 'strategy', readStrategy, DEFAULT_STRATEGY);
  const findBoundaries = read(scope, 'findBoundaries', readFunctionOrCommand, null);
  if (strategy.asksForBoundaries && scope.value.findBoundaries === undefined) {
    problems.report(
      option(place, 'findBoundaries'),
      `${strategy.spec.name} needs to know where new intervals begin: give it boundaries, or the algorithm findBoundaries`,
    );
  }
  const resources = read(scope, 'resources', readResources, null);
  const backend = read(scope, 'site', readSiteOfAlgorithm(ofCalibration), ofCalibration);
  if (resources !== null) checkFits(resources, backend.spec, option(place, 'resources'), problems);
  return {
    name: typeof scope.value.name === 'string' ? scope.value.name : '',
    run,
    setup: read(scope, 'setup', readFunctionOrCommand, null),
    findBoundaries,
    strategy: strategy.spec,
    executionTimeLimitMs: read(scope, 'executionTimeLimit', readDuration, DEFAULT_TIME_LIMIT_MS),
    env: read(scope, 'env', readEnv, {}),
    resources,
    container: readContainer(scope, 'run'),
    backend: backend.spec,
    options: () => optionsOfAlgorithm(scope, backend),
  };
}

const isGranularity = (value: unknown): value is Granularity => value === 'run' || value === 'all';

const readStrategy: Reader<CheckedStrategy> = (value, place, problems) => {
  if (!isTable(value) || typeof value.name !== 'string' || typeof value.run !== 'function' || isCommand(value)) {
    const name = typeof value === 'string' ? value : typeof value === 'function' ? value.name : '';
    const advice = STRATEGIES.includes(name) ? `; write ${name}()` : problems.didYouMean(name, STRATEGIES);
    problems.report(place, `expected a strategy such as singleIov(), found ${show(value)}${advice}`);
    return undefined;
  }
  const { name, options = {}, granularities = ['run'], problems: own = [], asksForBoundaries = false } = value;
  if (!isTable(options)) problems.expected(option(place, 'options'), 'an object', options);
  else if (!Array.isArray(granularities) || granularities.length === 0 || !granularities.every(isGranularity)) {
    problems.expected(option(place, 'granularities'), "one or both of 'run' and 'all'", granularities);
  } else if (!Array.isArray(own)) problems.expected(option(place, 'problems'), 'an array', own);
  else {
    for (const { path, message } of own) problems.report(path === '' ? place : option(place, path), message);
    return own.length === 0 ? { spec: { name, options, granularities }, asksForBoundaries: asksForBoundaries === true } : undefined;
  }
  return undefined;
};
