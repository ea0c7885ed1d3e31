/**
 * Names of tables and columns: the only part of a statement that is not a parameter. Whatever passes here is a name to the
 * server once it is quoted, and nothing else.
 */
import { CodedError } from '../kit/errors';
import type { Dialect } from './database';

const MAX_LENGTH = 128;

// eslint-disable-next-line no-control-regex -- they are what it is for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/**
 * One identifier, quoted for the dialect. SQL Server would take `]` doubled, but Babelfish does not (facts/sql-server.md).
 * @param field the property that holds it, for the error; @throws CodedError SQL_NAME_INVALID
 */
export function quoteName(name: string, dialect: Dialect, field: string): string {
  if (name === '' || name !== name.trim()) throw invalid(field, 'is empty or begins or ends with a blank');
  if (name.length > MAX_LENGTH) throw invalid(field, `is longer than ${MAX_LENGTH} characters`);
  if (UNPRINTABLE.test(name)) throw invalid(field, 'holds a character that cannot be printed');
  if (dialect === 'sqlite') return `"${name.replaceAll('"', '""')}"`;
  if (name.includes(']')) throw invalid(field, 'holds a ], write names without brackets');
  return `[${name}]`;
}

/** A table as `table` or `schema.table`, quoted. @throws CodedError SQL_NAME_INVALID */
export function quoteTable(name: string, dialect: Dialect, field: string): string {
  const parts = name.split('.');
  if (parts.length > 2) throw invalid(field, 'has more than one dot, write table or schema.table');
  return parts.map((part) => quoteName(part, dialect, field)).join('.');
}

const invalid = (field: string, what: string): CodedError => new CodedError('SQL_NAME_INVALID', `${field}: the name ${what}`, { field });
