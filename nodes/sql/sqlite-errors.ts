/** The embedded database's errors by what can be done about them. SQLite's words are fixed and never translated. */
import { CodedError, coded, type ErrorCode } from '../kit/errors';
import { SqlError, type FailureKind } from './sql-error';

/** Primary result codes, as node:sqlite gives them; the other driver gives only the words. */
const CONSTRAINT = 19;
const MISMATCH = 20;
const TOO_BIG = 18;
const IO = 10;

const ROW_WORDS = /^(NOT NULL|CHECK|FOREIGN KEY|UNIQUE) constraint failed|^datatype mismatch|^cannot store |^string or blob too big/;
const WORDS: [RegExp, ErrorCode][] = [
  [/^no such table/, 'SQL_TABLE_MISSING'],
  [/^no such column|has no column named/, 'SQL_COLUMN_MISSING'],
];

/** Codes of the store that time, or room on the disk, mends. */
const PASSING = new Set<ErrorCode>(['STORE_FULL', 'STORE_LOCKED']);

export function sqliteError(error: unknown): CodedError {
  if (error instanceof SqlError) return error;
  // Not SQLite's, then: its driver speaks in codes of the store only.
  if (!(error instanceof CodedError) || !error.code.startsWith('STORE_')) return coded(error);
  if (error.code !== 'STORE_FAILED') return fail(PASSING.has(error.code) ? 'retry' : 'configuration', error.code, error.message, error);

  const cause = (error.cause ?? {}) as { errcode?: unknown; message?: string };
  const primary = typeof cause.errcode === 'number' ? cause.errcode & 0xff : undefined;
  const words = cause.message ?? '';
  if (primary === CONSTRAINT || primary === MISMATCH || primary === TOO_BIG || ROW_WORDS.test(words)) {
    return fail('row', 'SQL_ROW_REFUSED', words || 'a value does not fit its column', error);
  }
  if (primary === IO || words === 'disk I/O error' || error.cause === undefined) return fail('retry', error.code, error.message, error);
  return fail('configuration', WORDS.find(([pattern]) => pattern.test(words))?.[1] ?? 'SQL_REFUSED', error.message, error);
}

const fail = (kind: FailureKind, code: ErrorCode, text: string, cause: unknown): SqlError => new SqlError(kind, code, text, { cause });
