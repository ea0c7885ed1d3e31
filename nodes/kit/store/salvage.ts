/** What can still be read of a damaged store, copied into a new one row by row. */
import { CodedError } from '../errors';
import type { Sqlite, SqlRow, SqlValue } from './sqlite';
import { NUMBERED, SALVAGED } from './state-schema';

export interface Salvaged {
  saved: number;
  /** Rows known to have been there and not readable; null where not even that can be told. */
  lost: number | null;
}

type Table = (typeof SALVAGED)[number];

const PAGE_ROWS = 100;
const INSERT_ROWS = 500;
/**
 * Where no index tells which rows there were, row ids are tried one by one: so many of them before the last that is known,
 * and beyond it.
 */
const MAX_GAP = 1_000_000;
const MAX_BEYOND = 10_000;

/**
 * `to` is empty and has the current schema. New rows of it get numbers that `from` has not given yet: its own last one or, where that
 * cannot be read, `unusedSeq`. Throws only what `to` throws.
 */
export function salvage(from: Sqlite, to: Sqlite, unusedSeq: number): Salvaged {
  const sum: Salvaged = { saved: 0, lost: 0 };
  for (const table of SALVAGED) {
    const { saved, lost } = salvageTable(from, to, table);
    sum.saved += saved;
    sum.lost = lost === null || sum.lost === null ? null : sum.lost + lost;
  }
  keepSequence(from, to, unusedSeq);
  return sum;
}

/** Whoever is at work remembers items by their number. */
function keepSequence(from: Sqlite, to: Sqlite, unusedSeq: number): void {
  const last = attempt(() => from.all(`SELECT seq FROM sqlite_sequence WHERE name = '${NUMBERED}'`));
  const seq = last ? Number(last[0]?.seq ?? 0) : unusedSeq;
  to.transaction(() => {
    to.run(`INSERT INTO sqlite_sequence (name, seq) SELECT '${NUMBERED}', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = '${NUMBERED}')`);
    to.run(`UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = '${NUMBERED}'`, [seq]);
  });
}

function salvageTable(from: Sqlite, to: Sqlite, { table, json, total }: Table): Salvaged {
  const known = new Set(columns(from, table));
  if (known.size === 0) return { saved: 0, lost: attempt(() => from.all('SELECT name FROM sqlite_schema')) === undefined ? null : 0 };
  const common = columns(to, table).filter((column) => known.has(column));
  const listed = rowids(from, table);
  const list = common.join(', ');
  const insert = `INSERT OR IGNORE INTO ${table} (${list}) VALUES (${common.map(() => '?').join(', ')})`;
  let saved = 0;
  for (let at = 0; at < listed.ids.length; at += INSERT_ROWS) {
    saved += to.transaction(() => {
      let inserted = 0;
      for (const id of listed.ids.slice(at, at + INSERT_ROWS)) {
        const row = attempt(() => from.all(`SELECT ${list} FROM ${table} WHERE rowid = ?`, [id])[0]);
        if (row && json.every((column) => isJson(row[column]))) inserted += insertRow(to, insert, common.map((column) => row[column] ?? null));
      }
      return inserted;
    });
  }
  const counted = total === undefined ? undefined : attempt(() => Number(from.all(total)[0]?.total ?? 0));
  const were = Math.max(listed.complete ? listed.ids.length : -1, counted ?? -1);
  return { saved, lost: were < 0 ? null : Math.max(0, were - saved) };
}

/** A row that damage has made impossible is one lost, not the end of it. */
function insertRow(to: Sqlite, sql: string, values: SqlValue[]): number {
  try {
    return to.run(sql, values).changes > 0 ? 1 : 0;
  } catch (error) {
    if (error instanceof CodedError && error.code !== 'STORE_FAILED') throw error;
    return 0;
  }
}

/** Ascending. `complete` where an index, which is stored apart from the rows, names them all. */
function rowids(from: Sqlite, table: string): { ids: number[]; complete: boolean } {
  const found = new Set<number>();
  let complete = false;
  for (const index of indexes(from, table)) {
    const rows = attempt(() => from.all(`SELECT rowid AS id FROM ${table} INDEXED BY "${index}"`));
    for (const { id } of rows ?? []) found.add(Number(id));
    complete ||= rows !== undefined;
  }
  const upward = walk(from, table, '>', 'ASC', Number.MIN_SAFE_INTEGER);
  for (const id of upward.ids) found.add(id);
  if (!upward.ended) {
    const downward = walk(from, table, '<', 'DESC', Number.MAX_SAFE_INTEGER);
    for (const id of downward.ids) found.add(id);
    const low = upward.ids.at(-1) ?? 0;
    const high = downward.ids.at(-1) ?? low + MAX_BEYOND;
    if (!complete) for (let id = Math.max(low + 1, high - MAX_GAP); id < high; id++) found.add(id);
  }
  return { ids: [...found].sort((a, b) => a - b), complete: complete || upward.ended };
}

/** Row ids in the table's own order, up to the first page that cannot be read. */
function walk(from: Sqlite, table: string, beyond: '<' | '>', order: 'ASC' | 'DESC', start: number): { ids: number[]; ended: boolean } {
  const ids: number[] = [];
  let last = start;
  for (let size = PAGE_ROWS; size > 0; ) {
    const rows = attempt(() => from.all(`SELECT rowid AS id FROM ${table} NOT INDEXED WHERE rowid ${beyond} ? ORDER BY rowid ${order} LIMIT ${size}`, [last]));
    if (rows === undefined) {
      size = Math.floor(size / 2);
      continue;
    }
    for (const { id } of rows) ids.push(Number(id));
    const next = ids.at(-1) ?? last;
    // Damage can lead back to where the walk has been.
    const forward = beyond === '>' ? next > last : next < last;
    if (rows.length < size || !forward) return { ids, ended: forward || rows.length === 0 };
    last = next;
  }
  return { ids, ended: false };
}

const columns = (database: Sqlite, table: string): string[] => names(database, `PRAGMA table_info(${table})`);
const indexes = (database: Sqlite, table: string): string[] => names(database, `PRAGMA index_list(${table})`);
const names = (database: Sqlite, sql: string): string[] => (attempt(() => database.all(sql)) ?? []).map(({ name }: SqlRow) => String(name));

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function isJson(text: SqlValue | undefined): boolean {
  return typeof text === 'string' && attempt(() => JSON.parse(text) as unknown) !== undefined;
}
