// The define functions at run time: they never throw, and what they return knows where it was written.
import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { definedAt } from '../../src/config/call-site.ts';
import { checkConfig } from '../../src/config/check-config.ts';
import { definedPayloads } from '../../src/config/payload-registry.ts';
import * as door from '../../src/index.ts';

const { command, defineCalibration, defineConfig, definePayload, defineStrategy, local } = door;
const NOTHING = [undefined, null, 3, 'text', [], () => 1] as never[];

afterEach(() => {
  (globalThis as unknown as Record<symbol, Map<string, unknown>>)[Symbol.for('calibration-framework.payloads')]?.clear();
});

describe('define functions', () => {
  test('the package exports these values and no others', () => {
    expect(Object.keys(door).sort()).toMatchInlineSnapshot(`
      [
        "CafError",
        "command",
        "defineCalibration",
        "defineConfig",
        "definePayload",
        "defineStrategy",
        "gridEngine",
        "htcondor",
        "local",
        "lsf",
        "pbs",
        "sequentialBoundaries",
        "sequentialRunByRun",
        "simpleRunByRun",
        "singleIov",
        "slurm",
      ]
    `);
  });

  test.each(NOTHING)('none throws on %j: check-config will tell', (value) => {
    expect(() => defineConfig(value)).not.toThrow();
    expect(() => defineCalibration(value)).not.toThrow();
    expect(() => definePayload(value, value)).not.toThrow();
    expect(() => defineStrategy(value)).not.toThrow();
    expect(() => command(value)).not.toThrow();
    expect(() => local(value)).not.toThrow();
    expect(checkConfig(defineConfig(value), { configPath: '/home/anna/caf.config.ts' }).ok).toBe(false);
  });

  test('frozen options stay untouched', () => {
    const options = Object.freeze({ name: 'a', collections: {}, algorithms: [] });
    expect(defineCalibration(options)).toEqual(options);
    expect(Reflect.ownKeys(options)).toEqual(['name', 'collections', 'algorithms']);
  });

  test('a calibration and a payload know the line they were defined at', () => {
    const make = () => defineCalibration({ name: 'a', collections: {}, algorithms: [] });
    const first = definedAt(make());
    expect(first?.file).toBe(import.meta.filename);
    expect(definedAt(definePayload('Gain', z.number()))?.line).toBe((first?.line ?? 0) + 3);
    expect(definedAt({ name: 'a' })).toBeNull();
  });

  test('the place of a definition does not show among the options', () => {
    expect(Object.keys(defineCalibration({ name: 'a', collections: {}, algorithms: [] }))).toEqual(['name', 'collections', 'algorithms']);
    expect(Error.stackTraceLimit).toBeGreaterThan(1);
  });

  test('payloads are kept in a registry that every copy of the package shares', () => {
    const gain = definePayload('Gain', z.number());
    definePayload('Histograms');
    expect(definedPayloads()).toContain(gain);
    expect(definedPayloads().at(-1)?.schema).toBeNull();
    expect(definedPayloads().map(({ name }) => name)).toEqual(['Gain', 'Histograms']);
  });

  test('a strategy of the user is a strategy', () => {
    const own = defineStrategy({
      name: 'first-run',
      *run({ runs }) {
        const result = yield { type: 'execute', runs: runs.slice(0, 1), iov: [0, 0, -1, -1] };
        return { finalState: result === 'ok' ? 'completed' : 'failed', gaps: null };
      },
    });
    expect(own).toMatchObject({ name: 'first-run', granularities: ['run'], options: {}, problems: [] });
    const steps = own.run({ runs: [[1, 1]], iteration: 0 });
    expect(steps.next().value).toEqual({ type: 'execute', runs: [[1, 1]], iov: [0, 0, -1, -1] });
    expect(steps.next('ok')).toEqual({ done: true, value: { finalState: 'completed', gaps: null } });
  });
});
