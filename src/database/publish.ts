// Writes a database: resolved, sealed, with its three identities, in a directory that appears by one rename.
import type { Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import { CafError } from '../domain/errors.ts';
import { objectPath, syncObjects } from '../payloads/store.ts';
import type { ChainLock } from '../worker/contract.ts';
import { type Content, resolveContent } from './content.ts';
import { columnsOf, type EntryList } from './entries.ts';
import { chainDigestOf, contentIdOf, sha256Of, versionIdOf } from './identity.ts';
import { buildImage } from './image.ts';
import { formatDatabaseText, formatVersionFile, IMAGE_FILE, LOCK_FILE, payloadFileName, TEXT_FILE, VERSION_FILE } from './layout.ts';
import { type PayloadSource, placeDirectory, placePayload, refuseExisting, writeSealed } from './place.ts';
import type { DatabaseInput, EntryInput, PublishedVersion } from './types.ts';

/** The content id that these entries will have when they are published. CAF_IOV_*. */
export const contentIdOfEntries = (entries: readonly EntryInput[]): string => contentIdOf(columnsOf(entries));

/** What is published: entries one by one, or as columns. */
export interface PublishInput extends Omit<DatabaseInput, 'entries'> {
  readonly entries: EntryList;
}

export interface PublishOptions {
  /** The directory to make, for instance `<calibration>/<iteration>/localdb`. */
  readonly directory: string;
  /** The object store that holds the payloads' bytes. */
  readonly objects: string;
}

export interface WriteOptions {
  readonly directory: string;
  readonly sourceOf: (payload: Content['payloads'][number]) => PayloadSource;
  /** Store whose objects are made durable first; null when the payloads come from elsewhere. */
  readonly objects: string | null;
}

/** A draft has no version: its content id names it. */
export type DraftVersion = Omit<PublishedVersion, 'versionId'> & { readonly versionId: null };

/**
 * Seals and publishes with fsync. Errors: CAF_DB_EXISTS (never overwritten), CAF_DB_PAYLOAD_MISSING, CAF_IOV_*, CAF_PAYLOAD_NAME,
 * CAF_DISK_FULL. A crash leaves only `*.tmp-*`.
 */
export const publishDatabase = (input: DatabaseInput, options: PublishOptions): Promise<PublishedVersion> =>
  publishFrom(input, { directory: options.directory, objects: options.objects, sourceOf: fromStore(options.objects) });

/** publishDatabase for payloads that lie anywhere. */
export async function publishFrom(input: PublishInput, options: WriteOptions): Promise<PublishedVersion> {
  refuseExisting(options.directory);
  const content = resolveContent(input.entries);
  const version = versionOf(input, content, true);
  await write(input, content, version, options, true);
  return { versionId: version.versionId ?? '', ...publicPart(content, options.directory) };
}

/** The same format for the running iteration, without fsync and without a version; replaces what is there. */
export async function writeDraft(input: DatabaseInput, options: PublishOptions): Promise<DraftVersion> {
  const content = resolveContent(input.entries);
  const source = { directory: options.directory, objects: null, sourceOf: fromStore(options.objects) };
  await write(input, content, versionOf(input, content, false), source, false);
  return { versionId: null, ...publicPart(content, options.directory) };
}

const fromStore =
  (objects: string): WriteOptions['sourceOf'] =>
  ({ sha256 }) => ({ path: objectPath(objects, sha256), mayLink: true });

const publicPart = (content: Content, directory: string): Omit<PublishedVersion, 'versionId'> => ({
  contentId: content.contentId,
  viewId: content.viewId,
  entries: content.entries.length,
  directory: resolve(directory),
});

interface Version {
  readonly versionId: string | null;
  readonly chainDigest: string | null;
}

function versionOf(input: PublishInput, { contentId, entries }: Content, isFinal: boolean): Version {
  const { parents, transactions } = input;
  checkReferences(input, entries);
  const chainDigest = input.chain === null ? null : chainDigestOf(input.chain);
  return { versionId: isFinal ? versionIdOf({ contentId, parents, transactions, chainDigest }) : null, chainDigest };
}

function checkReferences({ transactions, parents }: PublishInput, entries: Content['entries']): void {
  const lost = entries.transaction.find((transaction) => transaction < 0 || transaction >= transactions.length);
  if (lost !== undefined) throw new Error(`an entry names transaction ${lost} of ${transactions.length}`);
  const bad = parents.find(({ versionId }) => !/^[0-9a-f]{64}$/.test(versionId));
  if (bad !== undefined) {
    throw new CafError('CAF_DB_VERSION_MISMATCH', `'${bad.versionId}' is not a version id of a ${bad.role} database`, {
      hint: 'Name the database by the version id that `caf db show` prints.',
    });
  }
}

/** A database is as old as its last transaction: the same entries made again give the same bytes. */
const createdAt = ({ transactions }: PublishInput): string =>
  transactions
    .map(({ at }) => at)
    .sort()
    .at(-1) ?? new Date().toISOString();

async function write(input: PublishInput, content: Content, version: Version, options: WriteOptions, isFinal: boolean): Promise<void> {
  const image = buildImage({
    content,
    transactions: input.transactions,
    parents: input.parents,
    meta: {
      format: 'caf-localdb',
      state: isFinal ? 'committed' : 'draft',
      created_at: createdAt(input),
      hash_algo: 'sha256',
      content_id: content.contentId,
      view_id: content.viewId,
      ...(version.versionId === null ? {} : { version_id: version.versionId }),
      ...(version.chainDigest === null ? {} : { chain_digest: version.chainDigest }),
    },
  });
  const versionText = formatVersionFile({
    versionId: version.versionId,
    contentId: content.contentId,
    viewId: content.viewId,
    image: sha256Of(image),
    lock: input.chain === null ? null : sha256Of(formatLock(input.chain)),
    parents: input.parents,
  });
  const texts: readonly (readonly [string, string | Uint8Array])[] = [
    [IMAGE_FILE, image],
    [TEXT_FILE, formatDatabaseText(content.entries)],
    ...(input.chain === null ? [] : [[LOCK_FILE, formatLock(input.chain)] as const]),
    [VERSION_FILE, versionText],
  ];
  await placeDirectory({
    directory: resolve(options.directory),
    durable: isFinal,
    existing: isFinal ? 'refuse' : 'replace',
    fill: async (temporary) => {
      const copied = await placePayloads(content, temporary, options);
      return [...copied, ...texts.map(([file, data]) => writeSealed(join(temporary, file), data))];
    },
  });
}

export const formatLock = (lock: ChainLock): string => `${JSON.stringify(lock, null, 2)}\n`;

/** Returns the copies, which need an fsync of their own; linked objects were made durable in the store. */
async function placePayloads(content: Content, directory: string, options: WriteOptions): Promise<readonly string[]> {
  const own: string[] = [];
  const linked = new Map<string, Stats>();
  for (const payload of content.payloads) {
    const target = join(directory, payloadFileName(payload, payload.extension));
    const stats = await placePayload(options.sourceOf(payload), payload, target);
    if (stats === null || options.objects === null) own.push(target);
    else linked.set(payload.sha256, stats);
  }
  if (options.objects !== null) await syncObjects(options.objects, linked.keys(), linked);
  return own;
}
