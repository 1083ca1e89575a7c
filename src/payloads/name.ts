// Which names payloads and their files may have: safe in file names, in SQL and in database.txt.
import { CafError } from '../domain/errors.ts';

const NAME = /^[A-Za-z0-9_+:-][A-Za-z0-9_.+:-]{0,199}$/;
const EXTENSION = /^\.[A-Za-z0-9]{1,16}$/;

export const isPayloadName = (name: string): boolean => NAME.test(name);

/** CAF_PAYLOAD_NAME. The rule of Belle II: letters, digits and `_ . + : -`; at most 200 characters, not beginning with a dot. */
export function checkPayloadName(name: string): void {
  if (isPayloadName(name)) return;
  const shown = JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}...` : name);
  throw new CafError('CAF_PAYLOAD_NAME', `${shown} is not allowed as the name of a payload`, {
    hint: 'Use letters, digits and _ . + : - (at most 200, not beginning with a dot).',
  });
}

/** The extension of a path when a payload file can carry it, with its dot; '' otherwise. */
export function extensionOf(path: string): string {
  const dot = path.lastIndexOf('.');
  const extension = dot > path.lastIndexOf('/') + 1 ? path.slice(dot) : '';
  return EXTENSION.test(extension) ? extension : '';
}

/** A payload file without its extension, as in `Pedestals_rev_b1946a`. Unambiguous, because an extension has no underscore. */
export const payloadStem = (name: string, revision: string): string => `${name}_rev_${revision}`;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.json': 'application/json',
  '.txt': 'text/plain',
  '.csv': 'text/csv',
  '.xml': 'application/xml',
  '.root': 'application/x-root',
  '.h5': 'application/x-hdf5',
  '.hdf5': 'application/x-hdf5',
};

export const JSON_TYPE = 'application/json';
export const BLOB_TYPE = 'application/octet-stream';

/** The media type of a JSON value written with this version of its definition. */
export const valueType = (version: number): string => (version === 1 ? JSON_TYPE : `${JSON_TYPE};version=${version}`);

/** The version of its definition a payload was written with; null = a file, not a value. */
export function valueVersion(mediaType: string): number | null {
  const found = /^application\/json(?:;version=([1-9]\d{0,8}))?$/.exec(mediaType);
  return found === null ? null : Number(found[1] ?? 1);
}

export const mediaTypeOf = (extension: string): string => MEDIA_TYPES[extension.toLowerCase()] ?? BLOB_TYPE;
