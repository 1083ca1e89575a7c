// What can be known of a container before anything starts: that its image is there, and on this machine its runtime.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { BackendSpec, Container } from '../domain/calibration.ts';
import type { Problem } from '../domain/errors.ts';
import { unreachable } from '../domain/result.ts';

/** `directory`: of the config. The image as a runtime finds it from anywhere. */
export function resolveImage(container: Container, directory: string): Container {
  return isPath(container) ? { ...container, image: resolve(directory, container.image) } : container;
}

/** `path`: of the option. Batch nodes may have what this machine has not, so of a batch backend only the image is asked for. */
export function containerProblems(container: Container | null, backend: BackendSpec, directory: string, path: string): readonly Problem[] {
  if (container === null) return [];
  const problems: Problem[] = [];
  const { image } = resolveImage(container, directory);
  if (isPath(container) && !existsSync(image)) problems.push({ path, message: `there is no image ${image}` });
  const program = programOf(container.runtime);
  if (backend.kind === 'local' && !isOnPath(program)) {
    const others = container.runtime === 'charliecloud' ? '' : '; name another with container: { image, runtime }';
    problems.push({
      path,
      message: `${container.runtime} is needed to run ${container.image}, and ${program} was not found on PATH${others}`,
    });
  }
  return problems;
}

const isPath = ({ image, runtime }: Container): boolean => runtime !== 'podman' && !/^[a-z][a-z0-9+.-]*:/.test(image);

function programOf(runtime: Container['runtime']): string {
  switch (runtime) {
    case 'podman':
    case 'apptainer':
      return runtime;
    case 'charliecloud':
      return 'ch-run';
    default:
      return unreachable(runtime);
  }
}

const isOnPath = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
