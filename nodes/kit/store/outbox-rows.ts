/** The rows of one outbox in the state store. */
import type { Sqlite, SqlRow } from './sqlite';
import { toText } from './text';

/** As stored: `key` and `id` in the form of {@link toText}, `payload` as JSON, which damage may have broken. */
export interface OutboxRow {
  seq: number;
  key: string;
  id: string;
  payload: string;
  bytes: number;
  /** ms since 1970. */
  putAt: number;
}

export type NewRow = Omit<OutboxRow, 'seq'>;

export interface Totals {
  items: number;
  bytes: number;
}

const COLUMNS = 'seq, key, id, payload, bytes, put_at';

export class OutboxRows {
  readonly #outbox: string;

  constructor(name: string) {
    this.#outbox = toText(name);
  }

  totals(database: Sqlite): Totals {
    const [row] = database.all('SELECT items, bytes FROM outbox_totals WHERE outbox = ?', [this.#outbox]);
    return { items: Number(row?.items ?? 0), bytes: Number(row?.bytes ?? 0) };
  }

  has(database: Sqlite, id: string): boolean {
    return database.all('SELECT 1 FROM outbox_items WHERE outbox = ? AND id = ?', [this.#outbox, id]).length > 0;
  }

  insert(database: Sqlite, { key, id, payload, bytes, putAt }: NewRow): void {
    const values = [this.#outbox, key, id, payload, bytes, putAt];
    database.run('INSERT INTO outbox_items (outbox, key, id, payload, bytes, put_at) VALUES (?, ?, ?, ?, ?, ?)', values);
  }

  delete(database: Sqlite, seqs: Iterable<number>): void {
    const list = JSON.stringify([...seqs]);
    database.run('DELETE FROM outbox_items WHERE outbox = ? AND seq IN (SELECT value FROM json_each(?))', [this.#outbox, list]);
  }

  /** In order, from `seq` on, of all keys but these. */
  next(database: Sqlite, { from, exceptKeys, limit }: { from: number; exceptKeys: Iterable<string>; limit: number }): OutboxRow[] {
    const sql = `SELECT ${COLUMNS} FROM outbox_items
      WHERE outbox = ? AND seq >= ? AND key NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?`;
    return database.all(sql, [this.#outbox, from, JSON.stringify([...exceptKeys]), limit]).map(toRow);
  }

  /** The same of one key. */
  nextOfKey(database: Sqlite, { key, from, limit }: { key: string; from: number; limit: number }): OutboxRow[] {
    const sql = `SELECT ${COLUMNS} FROM outbox_items WHERE outbox = ? AND key = ? AND seq >= ? ORDER BY seq LIMIT ?`;
    return database.all(sql, [this.#outbox, key, from, limit]).map(toRow);
  }

  /** The first of all but these. */
  oldest(database: Sqlite, exceptSeqs: Iterable<number>): OutboxRow | undefined {
    const sql = `SELECT ${COLUMNS} FROM outbox_items
      WHERE outbox = ? AND seq NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT 1`;
    return database.all(sql, [this.#outbox, JSON.stringify([...exceptSeqs])]).map(toRow)[0];
  }
}

const toRow = ({ seq, key, id, payload, bytes, put_at: putAt }: SqlRow): OutboxRow => ({
  seq: Number(seq),
  key: String(key),
  id: String(id),
  payload: String(payload),
  bytes: Number(bytes),
  putAt: Number(putAt),
});
