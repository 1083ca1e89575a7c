// Admission by cores and memory: who waits, who goes first.
import { describe, expect, it } from 'vitest';
import { createSlots } from '../../src/backends/slots.ts';
import { RESOURCES } from './support/rig.ts';

const NEVER = new AbortController().signal;
const GB = 1e9;
const memory = (gigabytes: number, memoryIsSet = true) => ({ ...RESOURCES, memoryBytes: gigabytes * GB, memoryIsSet });

/** Whether a promise is settled once all others have had their turn. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe('slots', () => {
  it('count the memory of jobs that set it, against the machine', async () => {
    const slots = createSlots({ slots: 8, memoryBytes: null, machineBytes: 16 * GB });
    const first = await slots.admit(memory(10), NEVER);
    const second = slots.admit(memory(10), NEVER);
    expect(await isSettled(second)).toBe(false);
    first.release();
    expect(await isSettled(second)).toBe(true);
  });

  it('do not count the default memory of jobs', async () => {
    const slots = createSlots({ slots: 8, memoryBytes: null, machineBytes: GB });
    expect(slots.refuses(memory(2, false))).toBeNull();
    const admissions = Promise.all(Array.from({ length: 8 }, () => slots.admit(memory(2, false), NEVER)));
    expect(await isSettled(admissions)).toBe(true);
  });

  it('count every job where the backend has a memory', async () => {
    const slots = createSlots({ slots: 8, memoryBytes: 3 * GB, machineBytes: 16 * GB });
    const first = await slots.admit(memory(2, false), NEVER);
    const second = slots.admit(memory(2, false), NEVER);
    expect(await isSettled(second)).toBe(false);
    first.release();
    expect(await isSettled(second)).toBe(true);
  });

  it('let a retry that asks for more than there is run alone', async () => {
    const slots = createSlots({ slots: 8, memoryBytes: 4 * GB, machineBytes: 16 * GB });
    const big = await slots.admit(memory(6), NEVER);
    const next = slots.admit(memory(1), NEVER);
    expect(await isSettled(next)).toBe(false);
    big.release();
    expect(await isSettled(next)).toBe(true);
  });

  it('are given back once, however often they are released', async () => {
    const slots = createSlots({ slots: 1, memoryBytes: null, machineBytes: GB });
    const first = await slots.admit(RESOURCES, NEVER);
    first.release();
    first.release();
    await slots.admit(RESOURCES, NEVER);
    expect(await isSettled(slots.admit(RESOURCES, NEVER))).toBe(false);
  });

  it('let smaller jobs through when a big one at the head gives up', async () => {
    const slots = createSlots({ slots: 2, memoryBytes: null, machineBytes: GB });
    await slots.admit(RESOURCES, NEVER);
    const stop = new AbortController();
    const big = slots.admit({ ...RESOURCES, cores: 2 }, stop.signal);
    const small = slots.admit(RESOURCES, NEVER);
    expect(await isSettled(small)).toBe(false);
    stop.abort();
    await expect(big).rejects.toThrow();
    expect(await isSettled(small)).toBe(true);
    await expect(slots.admit(RESOURCES, stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('admit 50,000 waiting jobs in order', async () => {
    const slots = createSlots({ slots: 1, memoryBytes: null, machineBytes: GB });
    const order: number[] = [];
    const { signal } = new AbortController();
    const jobs = Array.from({ length: 50_000 }, async (_, index) => {
      const admission = await slots.admit(RESOURCES, signal);
      order.push(index);
      admission.release();
    });
    await Promise.all(jobs);
    expect(order).toEqual(Array.from({ length: 50_000 }, (_, index) => index));
  });
});
