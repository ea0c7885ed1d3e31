/** What SQLite, its drivers and the file system say, as coded errors. */
import { rmSync, writeFileSync } from 'node:fs';
import { CodedError, type ErrorCode } from '../errors';

interface Meaning {
  code: ErrorCode;
  text: string;
}

const FULL: Meaning = { code: 'STORE_FULL', text: 'the disk is full, or the store has reached its size limit' };
const CORRUPT: Meaning = { code: 'STORE_CORRUPT', text: 'the file is damaged' };
const LOCKED: Meaning = { code: 'STORE_LOCKED', text: 'another program is using the file' };

/** SQLite's primary result codes, as `node:sqlite` gives them. */
const BY_RESULT_CODE: Record<number, Meaning> = { 5: LOCKED, 6: LOCKED, 11: CORRUPT, 13: FULL, 26: CORRUPT };
const IO_ERROR = 10;

/** The wasm driver gives no result code, only `sqlite3_errmsg`, whose words for these codes are fixed. */
const BY_MESSAGE: Record<string, Meaning> = {
  'database is locked': LOCKED,
  'database table is locked': LOCKED,
  'database disk image is malformed': CORRUPT,
  'database or disk is full': FULL,
  'file is not a database': CORRUPT,
};
const IO_ERROR_MESSAGE = 'disk I/O error';

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT']);

/** A CodedError of the store for whatever was thrown; one that is coded already stays as it is. */
export function storeError(error: unknown, file: string): CodedError {
  if (error instanceof CodedError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  const primary = typeof errcode === 'number' ? errcode & 0xff : undefined;
  const meaning =
    (primary === undefined ? BY_MESSAGE[message] : BY_RESULT_CODE[primary]) ??
    (NO_SPACE.has(String(code)) || ((primary === IO_ERROR || message === IO_ERROR_MESSAGE) && diskIsFull(file)) ? FULL : undefined);
  if (meaning) return new CodedError(meaning.code, `${file}: ${meaning.text} (${message})`, { cause: error });
  return new CodedError('STORE_FAILED', `${file}: ${message}`, { cause: error });
}

/** The wasm driver calls a full disk a "disk I/O error", and both do so for a quota (facts/reliability.md 6): ask the disk itself. */
function diskIsFull(file: string): boolean {
  const probe = `${file}.probe`;
  try {
    writeFileSync(probe, Buffer.alloc(64 * 1024));
    return false;
  } catch (error) {
    return NO_SPACE.has(String((error as NodeJS.ErrnoException).code));
  } finally {
    rmSync(probe, { force: true });
  }
}
