/**
 * Space that a database owns before it needs it. A disk that something else has filled up wedges SQLite: not even DELETE works.
 * Within a file filled once and emptied again, since SQLite keeps free pages, and with a WAL of its full size,
 * everything went on at 0 bytes free (facts/reliability.md 6).
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { CodedError } from '../errors';
import type { Sqlite } from './sqlite';

const CHUNK_BYTES = 1024 * 1024;
/** Left to others; and what is taken goes into the WAL first, then into the file. */
const needed = (bytes: number): number => 2 * bytes + CHUNK_BYTES;

const pragma = (database: Sqlite, name: string): number => Number(Object.values(database.all(`PRAGMA ${name}`)[0] ?? {})[0]);

/** The file does not grow beyond `bytes`; nor does it shrink to that. */
export function limit(database: Sqlite, bytes: number): void {
  database.all(`PRAGMA max_page_count=${Math.max(1, Math.floor(bytes / pragma(database, 'page_size')))}`);
}

/** Size of the file, and what of it is free for new rows; bytes. */
export function extent(database: Sqlite): { bytes: number; free: number } {
  const page = pragma(database, 'page_size');
  return { bytes: pragma(database, 'page_count') * page, free: pragma(database, 'freelist_count') * page };
}

/**
 * Makes the file at least `bytes` large, and the WAL `walBytes`: that one at every opening, as SQLite removes it when it closes.
 * Returns whether it is; it is not where the disk or the file's limit has no room. Call it outside a transaction.
 */
export function preallocate(database: Sqlite, file: string, { bytes, walBytes }: { bytes: number; walBytes: number }): boolean {
  if (walBytes > 0 && diskHas(file, needed(walBytes))) takeAndGiveBack(database, () => database.transaction(() => fill(database, () => false, walBytes)));
  const large = (): boolean => extent(database).bytes >= bytes;
  if (!large() && diskHas(file, needed(bytes - extent(database).bytes))) takeAndGiveBack(database, () => fill(database, large, Infinity));
  return large();
}

function fill(database: Sqlite, enough: () => boolean, upTo: number): void {
  const filler = new Uint8Array(Math.min(CHUNK_BYTES, upTo));
  for (let filled = 0; filled < upTo && !enough(); filled += filler.length) database.run('INSERT INTO space_being_taken VALUES (?)', [filler]);
}

function takeAndGiveBack(database: Sqlite, take: () => void): void {
  try {
    database.exec('CREATE TABLE IF NOT EXISTS space_being_taken (filler BLOB)');
    take();
  } catch (error) {
    if (!(error instanceof CodedError && error.code === 'STORE_FULL')) throw error;
  } finally {
    try {
      database.exec('PRAGMA wal_checkpoint(PASSIVE); DROP TABLE IF EXISTS space_being_taken; PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // Not even that fits: the next one that finds room gives it back.
    }
  }
}

function diskHas(file: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize >= bytes;
  } catch {
    return true;
  }
}
