// Checks what a program runs in.
import { CONTAINER_RUNTIMES, type Container } from '../../domain/calibration.ts';
import { option } from './problems.ts';
import { isTable, type Reader, read, readChoice, readList, readRequired, readScope, readText, readWord, type Scope } from './readers.ts';

const OPTIONS = new Set(['image', 'runtime', 'binds', 'options']);
const readImage = readText("an image such as 'tools:1.2' or './tools.sif'");
const readRuntime = readChoice(CONTAINER_RUNTIMES);
const readBinds = readList("an array of places such as ['/cvmfs:/cvmfs:ro']", readText('a place such as /cvmfs:/cvmfs:ro'));
const readOptions = readList("an array of options such as ['--network=host']", readWord);

const isPath = (image: string): boolean => /^\.{0,2}\//.test(image) || /\.(sif|sqsh|sqfs)$/.test(image);

const readImageOrOptions: Reader<Container> = (value, place, problems) => {
  if (!isTable(value)) {
    const image = readImage(value, place, problems);
    return image === undefined ? undefined : { runtime: runtimeOf(image), image, binds: [], options: [] };
  }
  const scope = readScope(value, OPTIONS, place, problems, 'a container');
  if (scope === undefined) return undefined;
  const image = readRequired(scope, 'image', readImage);
  const runtime = read(scope, 'runtime', readRuntime, runtimeOf(image ?? ''));
  const binds = read(scope, 'binds', readBinds, []);
  const options = read(scope, 'options', readOptions, []);
  return image === undefined ? undefined : { runtime, image, binds, options };
};

const runtimeOf = (image: string): Container['runtime'] => (isPath(image) ? 'apptainer' : 'podman');

/** `task`: the option that says what runs inside; it must be a program. */
export function readContainer(scope: Scope, task: 'collect' | 'run'): Container | null {
  const container = read(scope, 'container', readImageOrOptions, null);
  if (container !== null && typeof scope.value[task] === 'function') {
    scope.problems.report(
      option(scope.place, 'container'),
      `a container is for programs, and ${task} is a function: write ${task}: command([...]), or remove it`,
    );
  }
  return container;
}
