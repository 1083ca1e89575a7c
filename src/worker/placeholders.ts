// Fills the placeholders in a program's argument vector. Pure; the result is never parsed by a shell.
import { CafError } from '../domain/errors.ts';

export interface PlaceholderValues {
  /** Absolute directory of the config file. */
  readonly config: string;
  /** Absolute paths. */
  readonly files: readonly string[];
  /** Absolute output directory. */
  readonly output: string;
  readonly iteration: number;
  /** Value of the payload named `parameters`; empty when there is none. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

const PLACEHOLDER = /\{([A-Za-z_][\w.+-]*)\}/g;
const PARAMETERS = 'parameters.';

/**
 * An argument that holds `{files}` is repeated for each file, so `--in={files}` becomes `--in=a`, `--in=b`, and nothing when there are none.
 * What is filled in is not looked at again: a file named `{output}` stays as it is. Throws CAF_PLACEHOLDER for a name that means nothing.
 */
export function expandArgv(argv: readonly string[], values: PlaceholderValues): string[] {
  return argv.flatMap((argument) =>
    argument.includes('{files}') ? values.files.map((file) => expand(argument, values, file)) : [expand(argument, values, '')],
  );
}

const expand = (argument: string, values: PlaceholderValues, file: string): string =>
  argument.replace(PLACEHOLDER, (text, name: string) => {
    if (name === 'config') return values.config;
    if (name === 'files') return file;
    if (name === 'output') return values.output;
    if (name === 'iteration') return String(values.iteration);
    if (name.startsWith(PARAMETERS)) return parameterText(name.slice(PARAMETERS.length), values.parameters, argument);
    throw new CafError('CAF_PLACEHOLDER', `${text} in the argument ${JSON.stringify(argument)} is not a placeholder.`, {
      hint: 'The placeholders are {config}, {files}, {output}, {iteration} and {parameters.NAME}.',
    });
  });

function parameterText(name: string, parameters: Readonly<Record<string, unknown>>, argument: string): string {
  if (!Object.hasOwn(parameters, name)) {
    const known = Object.keys(parameters);
    throw new CafError(
      'CAF_PLACEHOLDER',
      known.length === 0
        ? `The argument ${JSON.stringify(argument)} needs the parameter ${name}, and the chain has no payload named parameters for these runs.`
        : `The argument ${JSON.stringify(argument)} needs the parameter ${name}; the payload named parameters has ${known.join(', ')}.`,
      { hint: 'Commit a payload named parameters that holds it, in a database of the chain or in an earlier calibration.' },
    );
  }
  const value = parameters[name];
  return typeof value === 'string' ? value : JSON.stringify(value);
}
