// The files `caf init` writes: a working straight-line fit that iterates, small enough to be read in a minute.
import { VERSION } from './version.ts';

/** Path -> content. `optional` files are left alone where they exist; the others must not exist. */
export interface StarterFile {
  readonly path: string;
  readonly content: string;
  readonly optional: boolean;
}

export const STARTER_RUNS = 4;

export function starterFiles(name: string): readonly StarterFile[] {
  const identifier = identifierOf(name);
  const own = (path: string, content: string): StarterFile => ({ path, content, optional: false });
  const shared = (path: string, content: string): StarterFile => ({ path, content, optional: true });
  const data = Array.from({ length: STARTER_RUNS }, (_, i) => own(`data/${name}-e1r${i + 1}.csv`, csv(i + 1)));
  return [
    own('caf.config.ts', config(name, identifier)),
    own(`calibrations/${name}/calibration.ts`, calibration(name, identifier)),
    own(`calibrations/${name}/collect.ts`, COLLECT),
    own(`calibrations/${name}/fit.ts`, FIT),
    own(`calibrations/${name}/payloads.ts`, PAYLOADS),
    ...data,
    shared('README.md', readme(name)),
    shared('package.json', PACKAGE),
    shared('tsconfig.json', TSCONFIG),
    shared('.gitignore', 'calibration_results/\nnode_modules/\n'),
  ];
}

/** `my-line` -> `myLine`; a name that starts with a digit gets a letter. */
function identifierOf(name: string): string {
  const camel = name.replace(/[^A-Za-z0-9]+(.)?/g, (_, next: string | undefined) => next?.toUpperCase() ?? '');
  return /^[A-Za-z]/.test(camel) ? `${camel.charAt(0).toLowerCase()}${camel.slice(1)}Calibration` : `calibration${camel}`;
}

const config = (name: string, identifier: string) => `// What to calibrate, and where the jobs run. Try: caf run
import { defineConfig, local } from 'calibration-framework';
import { ${identifier} } from './calibrations/${name}/calibration.ts';

export default defineConfig({
  backend: local(),
  calibrations: [${identifier}],
});
`;

const calibration = (name: string, identifier: string) => `// Fits a straight line, and repeats without the outliers until none is left.
import { defineCalibration, singleIov } from 'calibration-framework';
import { collectPoints } from './collect.ts';
import { fitLine } from './fit.ts';

export const ${identifier} = defineCalibration({
  name: '${name}',
  collections: {
    points: {
      files: ['data/${name}-*.csv'],
      // How a file tells its run: data/${name}-e1r3.csv is run 3 of experiment 1.
      runs: /e(?<experiment>\\d+)r(?<run>\\d+)/,
      split: { maxFilesPerJob: 1 },
      collect: collectPoints,
    },
  },
  algorithms: [{ name: 'fit', strategy: singleIov(), run: fitLine }],
});
`;

const PAYLOADS = `// What this calibration produces: its type, and the check that every payload passes before it is stored.
import { definePayload } from 'calibration-framework';
import * as z from 'zod';

export const Line = definePayload(
  'Line',
  z.object({
    slope: z.number(),
    intercept: z.number(),
    /** Standard deviation of the points around the line. */
    sigma: z.number(),
    points: z.number().int(),
  }),
);
`;

const COLLECT = `// Turns files of points into sums: one record for each run.
import { readFile } from 'node:fs/promises';
import type { CollectContext, Run } from 'calibration-framework';
import { Line } from './payloads.ts';

export interface Sums {
  n: number;
  x: number;
  y: number;
  xx: number;
  xy: number;
  yy: number;
}

export async function collectPoints({ files, conditions, record }: CollectContext): Promise<void> {
  for (const file of files) {
    const run = runOf(file);
    // The line of the previous iteration; none in the first.
    const line = await conditions.find(Line, run);
    const sums: Sums = { n: 0, x: 0, y: 0, xx: 0, xy: 0, yy: 0 };
    for (const row of (await readFile(file, 'utf8')).trim().split('\\n').slice(1)) {
      const [x = Number.NaN, y = Number.NaN] = row.split(',').map(Number);
      if (line !== undefined && Math.abs(y - line.intercept - line.slope * x) > 3 * line.sigma) continue;
      sums.n += 1;
      sums.x += x;
      sums.y += y;
      sums.xx += x * x;
      sums.xy += x * y;
      sums.yy += y * y;
    }
    record(run, 'sums', sums);
  }
}

function runOf(file: string): Run {
  const match = /e(\\d+)r(\\d+)\\.csv$/.exec(file);
  if (match === null) throw new Error(\`\${file} does not tell its run\`);
  return [Number(match[1]), Number(match[2])];
}
`;

const FIT = `// Fits a straight line to the sums of all runs (least squares, all points with equal weight).
import type { AlgorithmContext, AlgorithmResult } from 'calibration-framework';
import type { Sums } from './collect.ts';
import { Line } from './payloads.ts';

export async function fitLine({ runs, data, conditions, commit, log }: AlgorithmContext): Promise<AlgorithmResult> {
  const sums: Sums = { n: 0, x: 0, y: 0, xx: 0, xy: 0, yy: 0 };
  for await (const { value } of data.records<Sums>('sums')) {
    for (const key of ['n', 'x', 'y', 'xx', 'xy', 'yy'] as const) sums[key] += value[key];
  }
  const { n, x, y, xx, xy, yy } = sums;
  if (n < 3) return 'not-enough-data';

  const slope = (n * xy - x * y) / (n * xx - x * x);
  const intercept = (y - slope * x) / n;
  const sigma = Math.sqrt(Math.max(yy - intercept * y - slope * xy, 0) / (n - 2));
  commit(Line, { slope, intercept, sigma, points: n });
  log(\`y = \${intercept.toFixed(3)} + \${slope.toFixed(3)} x from \${n} points\`);

  const [first] = runs;
  const previous = first === undefined ? undefined : await conditions.find(Line, first);
  return previous?.points === n ? 'ok' : 'iterate';
}
`;

const readme = (name: string) => `# ${name}

A calibration for [CAF](https://www.npmjs.com/package/calibration-framework): a straight line through the points of four runs,
repeated without outliers until none is left.

    caf run                                  run it; again, to continue after a change or an interruption
    caf status                               what was done
    caf logs ${name}/0/fit                   what the algorithm said in iteration 0
    caf db show calibration_results/${name}/localdb

- \`caf.config.ts\` names the calibrations and where their jobs run
- \`calibrations/${name}/\` collects (\`collect.ts\`), fits (\`fit.ts\`) and defines its payload (\`payloads.ts\`)
- \`data/\` holds one file for each run
- \`calibration_results/\` holds everything caf made

\`npm install\` gives your editor the types.
`;

const PACKAGE = `${JSON.stringify(
  {
    private: true,
    type: 'module',
    dependencies: { 'calibration-framework': `^${VERSION}`, zod: '^4.0.0' },
    devDependencies: { '@types/node': '^24.0.0', typescript: '^5.9.0 || ^6.0.0 || ^7.0.0' },
  },
  null,
  2,
)}\n`;

const TSCONFIG = `${JSON.stringify(
  {
    compilerOptions: {
      target: 'ES2024',
      module: 'NodeNext',
      types: ['node'],
      strict: true,
      noUncheckedIndexedAccess: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      noEmit: true,
    },
    include: ['caf.config.ts', 'calibrations'],
  },
  null,
  2,
)}\n`;

/** y = 1 + 2 x with a spread of about 0.1, and one outlier in every run. The same numbers on every machine. */
function csv(run: number): string {
  const rows = ['x,y'];
  let state = run;
  for (let i = 0; i < 40; i++) {
    // Minimal standard generator (Park and Miller 1988): small, and exact in JavaScript numbers.
    state = (state * 48_271) % 2_147_483_647;
    const x = i / 4;
    const outlier = i === 7 * run ? 5 : 0;
    rows.push(`${x},${(1 + 2 * x + 0.35 * (state / 2_147_483_647 - 0.5) + outlier).toFixed(4)}`);
  }
  return `${rows.join('\n')}\n`;
}
