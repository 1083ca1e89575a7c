// The files of a local database directory: their names, and the two small text files beside the image.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatIov, keysToIov } from '../domain/iov.ts';
import { payloadStem, valueVersion } from '../payloads/name.ts';
import type { PayloadRow } from './content.ts';
import type { EntryColumns } from './entries.ts';
import { createLineWriter } from './line-bytes.ts';
import type { ParentInput } from './types.ts';

export const IMAGE_FILE = 'conditions.sqlite';
export const VERSION_FILE = 'VERSION';
export const TEXT_FILE = 'database.txt';
export const LOCK_FILE = 'chain.lock.json';

/** Images up to this size are read whole: no locks, and nothing to clean up. */
export const IN_MEMORY_BYTES = 64 * 1024 * 1024;

/** What VERSION says. `image` = SHA-256 of conditions.sqlite: an edited or damaged image is not served. */
export interface VersionFile {
  readonly versionId: string | null;
  readonly contentId: string;
  readonly viewId: string;
  readonly image: string;
  /** SHA-256 of chain.lock.json; null when there is none, or when the database was written before this was recorded. */
  readonly lock: string | null;
  readonly parents: readonly Pick<ParentInput, 'role' | 'versionId'>[];
}

const FIRST_LINE = 'caf local database 1';

export function formatVersionFile(version: VersionFile): string {
  const lines = [
    FIRST_LINE,
    ...(version.versionId === null ? ['draft'] : [`version_id ${version.versionId}`]),
    `content_id ${version.contentId}`,
    `view_id ${version.viewId}`,
    `image_sha256 ${version.image}`,
    ...(version.lock === null ? [] : [`lock_sha256 ${version.lock}`]),
    ...version.parents.map(({ role, versionId }) => `parent ${role} ${versionId}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Null when the text is not a whole VERSION file. */
export function parseVersionFile(text: string): VersionFile | null {
  const [first, ...lines] = text.split('\n');
  const value = (key: string): string | null => lines.find((line) => line.startsWith(`${key} `))?.slice(key.length + 1) ?? null;
  const versionId = value('version_id');
  const contentId = value('content_id');
  const viewId = value('view_id');
  const image = value('image_sha256');
  if (first !== FIRST_LINE || contentId === null || viewId === null || image === null) return null;
  if (versionId === null && !lines.includes('draft')) return null;
  const parents = lines
    .filter((line) => line.startsWith('parent '))
    .map((line) => line.split(' '))
    .map(([, role = '', id = '']) => ({ role: role as ParentInput['role'], versionId: id }));
  return { versionId, contentId, viewId, image, lock: value('lock_sha256'), parents };
}

/** One line of database.txt, in the form of Belle II. */
export const formatLine = (name: string, revision: string, lo: number, hi: number): string =>
  `dbstore/${name} ${revision} ${formatIov(keysToIov(lo, hi))}\n`;

/** What Belle II's line cannot say of a payload, as a comment before its first line: `# caf: Gains b1946a application/json;version=2 intrarun`. */
export function formatForm({ name, mediaType, parts }: PayloadRow, revision: string): string {
  if ((valueVersion(mediaType) ?? 1) === 1 && parts === undefined) return '';
  return `# caf: ${name} ${revision} ${mediaType}${parts === undefined ? '' : ' intrarun'}\n`;
}

/** The bytes of database.txt. */
export function formatDatabaseText({ length, carried, carries, lo, hi }: EntryColumns<{ readonly payload: PayloadRow }>): Buffer {
  const pieces: Buffer[] = [];
  const lines = createLineWriter((piece) => void pieces.push(Buffer.from(piece)));
  const beginnings = new Map<PayloadRow, Uint8Array>();
  for (let at = 0; at < length; at++) {
    const payload = carried[carries[at] ?? 0]?.payload;
    if (payload === undefined) throw new Error(`entry ${at + 1} carries nothing`);
    let beginning = beginnings.get(payload);
    if (beginning === undefined) {
      beginning = Buffer.from(`dbstore/${payload.name} ${payload.revision} `, 'utf8');
      beginnings.set(payload, beginning);
      const form = formatForm(payload, payload.revision);
      if (form !== '') lines.addBytes(Buffer.from(form, 'utf8'));
    }
    lines.add(beginning, lo[at] ?? 0, hi[at] ?? 0);
  }
  lines.finish();
  return Buffer.concat(pieces);
}

export const payloadFileName = (payload: Pick<PayloadRow, 'name' | 'revision'>, extension: string): string =>
  `${payloadStem(payload.name, payload.revision)}${extension}`;

/** Payload files of a directory by their name without extension; several files when it is not unique. */
export function indexPayloadFiles(directory: string): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, string[]>();
  for (const file of readdirSync(directory).sort()) {
    const stem = file.replace(/\.[A-Za-z0-9]{1,16}$/, '');
    const found = index.get(stem);
    if (found === undefined) index.set(stem, [join(directory, file)]);
    else found.push(join(directory, file));
  }
  return index;
}
