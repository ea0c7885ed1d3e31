/** History rows, each event's once. */
import type { Cell } from './columns';
import type { Database } from './database';
import { ledgerKey, type LedgerEntry } from './ledger';
import { racing } from './sql-error';
import type { HistoryColumn } from './statements';

export interface HistoryItem {
  /** The event's id. */
  id: string;
  /** When it happened, ms since 1970. */
  at: number;
  /** Values in the order of the columns. */
  row: readonly Cell[];
}

export interface HistoryTarget {
  database: Database;
  table: string;
  columns: readonly HistoryColumn[];
  /** {@link effectName} */
  effect: string;
}

/** `already`: this effect has had the event, now or at any time that the ledger remembers. */
export type HistoryResult = 'inserted' | 'already';

/** All items in one transaction. @throws SqlError */
export function applyHistory(items: readonly HistoryItem[], { database, table, columns, effect }: HistoryTarget): Promise<HistoryResult[]> {
  const keyed = items.map((item) => ({ ...item, key: ledgerKey(item.id) }));
  const first = new Map<string, (typeof keyed)[number]>();
  for (const item of keyed) if (!first.has(item.key)) first.set(item.key, item);
  const { statements } = database;
  return database.transaction(async (session) => {
    const claimed = await racing(session.query(statements.claim(entriesOf(first.values(), effect))));
    const fresh = new Set(claimed.map((row) => row.event_id));
    const rows = [...first.values()].filter(({ key }) => fresh.has(key)).map(({ row }) => row);
    if (rows.length > 0) await session.query(statements.insertRows(table, columns, rows));
    return keyed.map((item) => (fresh.has(item.key) && first.get(item.key) === item ? 'inserted' : 'already'));
  });
}

/** By key, so that two workers lock in the same order. */
function entriesOf(items: Iterable<{ key: string; at: number }>, effect: string): LedgerEntry[] {
  return [...items].map(({ key, at }) => ({ effect, event: key, at })).sort((a, b) => (a.event < b.event ? -1 : 1));
}
