// Canonical bytes of values: one form per value, and a clear refusal of what JSON cannot hold.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CafError } from '../../src/domain/errors.ts';
import { canonicalJson, decodePayload, encodePayload, isCanonical, MAX_DEPTH } from '../../src/payloads/codec.ts';

const refusalOf = (value: unknown): string => {
  try {
    encodePayload(value);
  } catch (error) {
    if (error instanceof CafError && error.code === 'CAF_PAYLOAD_INVALID') return error.message;
    throw error;
  }
  return 'accepted';
};

const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { x: value };
  return value;
};

describe('encoding', () => {
  it.each([
    [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
    [-0, '0'],
    [[1e21, 1e-7, 0.1, 100, -1.5], '[1e+21,1e-7,0.1,100,-1.5]'],
    ['ä\n"\ud800', '"ä\\n\\"\\ud800"'],
    [{ é: 1, z: 2, Z: 3, '€': 4, '\ud83d\ude00': 5, '\ufb33': 6 }, '{"Z":3,"z":2,"é":1,"€":4,"\ud83d\ude00":5,"\ufb33":6}'],
    [JSON.parse('{"__proto__":{"x":1},"constructor":2}'), '{"__proto__":{"x":1},"constructor":2}'],
    [Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
  ])('writes %j in its one form', (value, expected) => {
    expect(canonicalJson(value)).toBe(expected);
    expect(isCanonical(encodePayload(value))).toBe(true);
  });

  it('does not depend on the order in which keys were set', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (record) => {
        const reversed = Object.fromEntries(Object.entries(record).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(record));
      }),
    );
  });

  it('is undone by decoding, and gives the same bytes again', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const bytes = encodePayload(value);
        expect(encodePayload(decodePayload(bytes)).equals(bytes)).toBe(true);
        expect(JSON.parse(bytes.toString())).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  const withHole = [1, 2, 3];
  delete withHole[1];
  const circle: Record<string, unknown> = { a: [1] };
  (circle.a as unknown[]).push({ back: circle });
  it.each([
    [{ mean: [1, 2, 3, { x: Number.NaN }] }, 'mean[3].x is NaN, not a finite number'],
    [Number.POSITIVE_INFINITY, 'value is Infinity, not a finite number'],
    [{ a: undefined }, 'a is undefined'],
    [withHole, '[1] is undefined'],
    [{ 'odd key': [() => 1] }, '["odd key"][0] is a function'],
    [{ n: 12n }, 'n is the BigInt 12n'],
    [{ s: Symbol('s') }, 's is a symbol'],
    [{ at: new Date(0) }, 'at is a Date, not a plain object'],
    [{ m: new Map() }, 'm is a Map, not a plain object'],
    [{ values: new Float64Array(2) }, 'values is a Float64Array, not a plain object'],
    [{ [Symbol('s')]: 1 }, 'value has a symbol as a key'],
    [circle, 'a[1].back contains itself'],
    [undefined, 'value is undefined'],
  ])('refuses case %#, naming the place', (value, expected) => {
    expect(refusalOf(value)).toBe(expected);
  });

  it('accepts one object in two places, which is no circle', () => {
    const shared = { x: 1 };
    expect(canonicalJson({ a: shared, b: [shared, shared] })).toBe('{"a":{"x":1},"b":[{"x":1},{"x":1}]}');
  });

  it('limits the depth in both directions without overflowing the stack', () => {
    expect(refusalOf(nested(MAX_DEPTH))).toBe('accepted');
    expect(refusalOf(nested(MAX_DEPTH + 1))).toContain(`nested more than ${MAX_DEPTH} deep`);
    expect(refusalOf(nested(100_000))).toContain('nested more than');
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(() => decodePayload(Buffer.from(deep))).toThrow(/nested more than/);
    expect(decodePayload(Buffer.from(`"${'[\\"'.repeat(500)}"`))).toBe('["'.repeat(500));
  });
});

describe('decoding', () => {
  it('treats keys of prototypes as data', () => {
    const value = decodePayload(Buffer.from('{"__proto__":{"polluted":true}}')) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each([[Buffer.from([0xff, 0xfe])], [Buffer.from('{"a":')], [Buffer.from('')], [Buffer.from('NaN')]])(
    'refuses bytes that are no JSON',
    (bytes) => {
      expect(() => decodePayload(bytes)).toThrow(CafError);
      expect(isCanonical(bytes)).toBe(false);
    },
  );

  it('tells canonical bytes from others', () => {
    expect(isCanonical(Buffer.from('{"a":1}'))).toBe(true);
    expect(isCanonical(Buffer.from('{"a": 1}'))).toBe(false);
    expect(isCanonical(Buffer.from('{"b":1,"a":1}'))).toBe(false);
    expect(isCanonical(Buffer.from('1.0'))).toBe(false);
  });
});
