// Builds a sealed SQLite image in memory: nobody ever opens a published file for writing.
import { createRowWriter, type ImageInput } from './image-rows.ts';
import { APPLICATION_ID, CONDITIONS_SCHEMA, SCHEMA_VERSION } from './schema.ts';
import { createInMemory, type Sqlite } from './sqlite.ts';

/** Up to so many entries an image is built in one that is kept: what is not written to disk must not stay in memory. */
const SMALL = 2000;

/** The bytes of the image: rollback-journal format, sealed. */
export const buildImage = (input: ImageInput): Buffer =>
  input.content.entries.length <= SMALL ? buildSmallImage(input) : buildLargeImage(input);

const INDEX = 'CREATE INDEX iov_by_name ON iov(name_id, seq);';

function buildLargeImage(input: ImageInput): Buffer {
  const sqlite = createInMemory();
  try {
    // The triggers guard what is sealed, and the index is sorted once: made last, they cost nothing while a million rows go in.
    const [beforeIndex = '', afterIndex = ''] = CONDITIONS_SCHEMA.split(INDEX);
    const triggers = afterIndex.indexOf('CREATE TRIGGER');
    sqlite.exec(beforeIndex + afterIndex.slice(0, triggers));
    sqlite.exec('BEGIN');
    createRowWriter(sqlite)(input);
    sqlite.exec('COMMIT');
    sqlite.exec(INDEX + afterIndex.slice(triggers));
    return sqlite.serialize();
  } finally {
    sqlite.close();
  }
}

/** An image with the schema and no rows; what is written into it is taken back once its bytes are known. */
let blank: { readonly sqlite: Sqlite; readonly write: (input: ImageInput) => void } | null = null;

/** Making the schema and preparing the statements costs as much as 200 rows: every iteration after the first is spared it. */
function buildSmallImage(input: ImageInput): Buffer {
  if (blank === null) {
    const sqlite = createInMemory();
    sqlite.pragma('journal_mode = MEMORY'); // to roll back
    sqlite.exec(CONDITIONS_SCHEMA);
    blank = { sqlite, write: createRowWriter(sqlite) };
  }
  const { sqlite, write } = blank;
  try {
    sqlite.exec('BEGIN');
    write(input);
    const image = sqlite.serialize();
    sqlite.exec('ROLLBACK');
    return image;
  } catch (error) {
    // Rows that were not yet inserted must not come into the next image.
    blank = null;
    sqlite.close();
    throw error;
  }
}

/** The schema every image must have, as sqlite_schema tells it. */
export function schemaFingerprint(sqlite: Sqlite): string {
  return JSON.stringify(sqlite.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').raw().all());
}

let expectedSchema: string | null = null;
export function expectedFingerprint(): string {
  if (expectedSchema === null) {
    const sqlite = createInMemory();
    sqlite.exec(CONDITIONS_SCHEMA);
    expectedSchema = schemaFingerprint(sqlite);
    sqlite.close();
  }
  return expectedSchema;
}

/** What the header of an SQLite file says, read without SQLite (https://www.sqlite.org/fileformat.html). */
export interface ImageHeader {
  readonly applicationId: number;
  readonly schemaVersion: number;
  /** Page size times number of pages. */
  readonly size: number;
}

/** Null when these bytes do not begin an SQLite file. */
export function readHeader(bytes: Buffer): ImageHeader | null {
  if (bytes.length < 100 || bytes.toString('latin1', 0, 16) !== 'SQLite format 3\0') return null;
  const pageSize = bytes.readUInt16BE(16);
  return {
    applicationId: bytes.readUInt32BE(68),
    schemaVersion: bytes.readUInt32BE(60),
    size: (pageSize === 1 ? 65536 : pageSize) * bytes.readUInt32BE(28),
  };
}

export const isOurs = (header: ImageHeader): boolean => header.applicationId === APPLICATION_ID;
export const isReadable = (header: ImageHeader): boolean => header.schemaVersion >= 1 && header.schemaVersion <= SCHEMA_VERSION;
