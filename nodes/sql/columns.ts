/** Rows of a history table: which column gets what of a message, and as what. */
import { z } from 'zod';
import { CodedError } from '../kit/errors';
import { formatLocal } from '../kit/zone';
import { cleanText } from './clean-text';
import { utcText } from './ledger';
import { parsePath, valueAt } from './message-path';

/**
 * - `local-time`: an instant (ISO 8601 text, ms since 1970 or Date) as the wall clock of the database's time zone shows it.
 * - `utc-time`: the same in UTC.
 * - `json`: any value, as JSON text.
 */
export const COLUMN_TYPES = ['text', 'integer', 'number', 'boolean', 'local-time', 'utc-time', 'json'] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

export const columnSchema = z.object({
  column: z.string().trim().min(1, 'a column has no name'),
  /** A path into the message, or the text itself. */
  source: z.enum(['msg', 'literal']).default('msg'),
  value: z.string().default(''),
  type: z.enum(COLUMN_TYPES).default('text'),
});
export type ColumnConfig = z.infer<typeof columnSchema>;

const from = (column: string, value: string, type: ColumnType = 'text'): ColumnConfig => ({ column, source: 'msg', value, type });

/** What the stadium's table has (facts/avigilon-een.md A7). */
export const DEFAULT_COLUMNS: readonly ColumnConfig[] = [
  from('analyticEventName', 'payload.data.analyticEventName'),
  from('area', 'payload.data.area'),
  from('activity', 'payload.data.activity'),
  from('cameraID', 'payload.data.cameraId'),
  from('timestamp', 'payload.time', 'local-time'),
  from('nombre_evento', 'event.name'),
];

export type Cell = string | number | boolean | null;

/** A compiled mapping. */
export interface RowMapping {
  columns: readonly { column: string; type: ColumnType }[];
  /** The properties of the message that it reads. */
  roots: readonly string[];
  /** Values in the order of the columns. @throws CodedError SQL_ROW_REFUSED that names the column, never the value */
  row(msg: object): Cell[];
}

/** @throws CodedError CONFIG_INVALID, field columns */
export function rowMapping(columns: readonly ColumnConfig[], zone: string): RowMapping {
  const names = columns.map(({ column }) => column.toLowerCase());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new CodedError('CONFIG_INVALID', `columns: ${twice} is there twice`, { field: 'columns' });
  if (columns.length === 0) throw new CodedError('CONFIG_INVALID', 'columns: must name at least one', { field: 'columns' });

  const sources = columns.map(({ column, source, value, type }) => ({ column, type, literal: value, path: source === 'msg' ? parsePath(value) : undefined }));
  return {
    columns: sources.map(({ column, type }) => ({ column, type })),
    roots: [...new Set(sources.flatMap(({ path }) => path?.slice(0, 1) ?? []))],
    row: (msg) => sources.map(({ column, type, literal, path }) => cell(path ? valueAt(msg, path) : literal, type, column, zone)),
  };
}

function cell(value: unknown, type: ColumnType, column: string, zone: string): Cell {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'text':
      return text(value);
    case 'json':
      return cleanText(JSON.stringify(value));
    case 'integer': {
      const number = numberOf(value);
      if (Number.isSafeInteger(number)) return number;
      throw refused(column, 'a whole number');
    }
    case 'number': {
      const number = numberOf(value);
      if (Number.isFinite(number)) return number;
      throw refused(column, 'a number');
    }
    case 'boolean':
      if (typeof value === 'boolean') return value;
      if (value === 1 || value === 'true' || value === '1') return true;
      if (value === 0 || value === 'false' || value === '0') return false;
      throw refused(column, 'true or false');
    case 'local-time':
      return formatLocal(zone, instant(value, column));
    case 'utc-time':
      return utcText(instant(value, column)).replace('T', ' ');
  }
}

function text(value: unknown): string {
  if (typeof value === 'string') return cleanText(value);
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : cleanText(JSON.stringify(value));
}

const numberOf = (value: unknown): number => (typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN);

/** ISO 8601 with its zone: a time without one could be anybody's. */
const ISO_INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

function instant(value: unknown, column: string): number {
  const at = typeof value === 'number' ? value : typeof value === 'string' && ISO_INSTANT.test(value) ? Date.parse(value) : value instanceof Date ? value.getTime() : NaN;
  // Years of four digits are what both databases read.
  if (at >= -62_135_596_800_000 && at < 253_402_214_400_000) return at;
  throw refused(column, 'a time (ISO 8601 with its zone, or milliseconds since 1970)');
}

const refused = (column: string, what: string): CodedError => new CodedError('SQL_ROW_REFUSED', `the value for column ${column} is not ${what}`);
