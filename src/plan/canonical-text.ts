// One text for equal values, to compare options: like JSON with sorted keys, and never failing on what JSON leaves out.

/** Functions become `<function>`: what they do is compared as code. Undefined members are left out, as in JSON. */
export function canonicalText(value: unknown): string {
  return textOf(value, new Set());
}

function textOf(value: unknown, within: Set<object>): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'function':
      return '<function>';
    case 'object':
      return value === null ? 'null' : textOfObject(value, within);
    case 'bigint':
      return `${value}n`;
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
    case 'undefined':
    case 'symbol':
      return String(value);
    default:
      throw new Error(`unknown type ${typeof value}`);
  }
}

function textOfObject(value: object, within: Set<object>): string {
  // Thousands of argument lists are compared at each start.
  if (Array.isArray(value) && value.every((member) => typeof member === 'string')) return JSON.stringify(value);
  if (value instanceof RegExp || value instanceof URL) return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '<no date>' : value.toISOString();
  if (within.has(value)) return '<circle>';
  within.add(value);
  let text: string;
  if (value instanceof Map) text = `map${textOf([...value], within)}`;
  else if (value instanceof Set) text = `set${textOf([...value], within)}`;
  else if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    text = `[${Array.from(value as ArrayLike<unknown>, (member) => textOf(member, within)).join(',')}]`;
  } else {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : 1));
    text = `{${members.map(([key, member]) => `${JSON.stringify(key)}:${textOf(member, within)}`).join(',')}}`;
  }
  within.delete(value);
  return text;
}
