// Ends a test run with what failed and why, what passed only at its second try, and one line `N passed, N failed, N skipped`.
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

const LINES_OF_ERROR = 20;
/** A frame of a stack that says nothing of the project. */
const FOREIGN = /^\s*at .*(node_modules|node:internal)/;

export default class ClosingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const withState = (state: 'passed' | 'failed' | 'skipped') => tests.filter((test) => test.result().state === state);
    const failures = [
      ...modules.flatMap((module) => errorsOutsideOfTests(module).map((error) => failure(relative('.', module.moduleId), error))),
      ...withState('failed').map((test) => failure(titleOf(test), test.result().errors?.[0])),
      ...unhandled.map((error) => failure('outside of all tests', error)),
    ];
    const late = withState('passed').filter((test) => test.diagnostic()?.flaky === true);
    const counts = `${withState('passed').length} passed, ${failures.length} failed, ${withState('skipped').length} skipped`;
    console.log([...late.map((test) => `SECOND TRY ${titleOf(test)}`), ...failures, counts].join('\n'));
  }
}

/** Of a file that cannot be loaded, or of what is done before and after all tests of a group. */
const errorsOutsideOfTests = (module: TestModule): readonly SerializedError[] => [
  ...module.errors(),
  ...[...module.children.allSuites()].flatMap((suite) => suite.errors()),
];

const titleOf = (test: TestCase): string => `${relative('.', test.module.moduleId)} > ${test.fullName}`;

function failure(where: string, error: (SerializedError & { readonly diff?: string }) | undefined): string {
  const text = stripVTControlCharacters([error?.stack ?? error?.message ?? '', error?.diff ?? ''].join('\n'));
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !FOREIGN.test(line));
  return [`FAILED ${where}`, ...lines.slice(0, LINES_OF_ERROR).map((line) => `    ${line}`)].join('\n');
}
