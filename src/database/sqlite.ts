// The door to better-sqlite3 for local databases: loaded at the first use, so that importing this room costs nothing.
import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';

export type Sqlite = BetterSqlite3.Database;

const requireHere = createRequire(import.meta.url);
let loaded: typeof BetterSqlite3 | null = null;

/** The library itself, for those who open files their own way. */
export function constructorOf(): typeof BetterSqlite3 {
  loaded ??= requireHere('better-sqlite3') as typeof BetterSqlite3;
  return loaded;
}

/** An empty database in memory, to be filled once and serialised: nothing of it needs a journal. */
export function createInMemory(): Sqlite {
  const sqlite = new (constructorOf())(':memory:');
  sqlite.pragma('journal_mode = OFF');
  sqlite.pragma('foreign_keys = OFF'); // every reference is made by the code that fills it, and checked by verify
  return sqlite;
}

/** A sealed image, from its bytes or from its file. Somebody else's file is data: it cannot make us run its SQL functions, nor be changed. */
export function openReadOnly(source: Buffer | string): Sqlite {
  const sqlite = new (constructorOf())(source, typeof source === 'string' ? { readonly: true, fileMustExist: true } : { readonly: true });
  sqlite.pragma('trusted_schema = OFF');
  sqlite.pragma('query_only = ON');
  return sqlite;
}

export const isSqliteError = (error: unknown): error is Error & { readonly code: string } =>
  loaded !== null && error instanceof loaded.SqliteError;
