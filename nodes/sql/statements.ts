/** What is asked of a database, in words of the sinks. One implementation per dialect holds all SQL of the pack. */
import type { ColumnType } from './columns';
import type { Statement } from './database';
import { AUDIT_TABLE, LEDGER_TABLE, type LedgerEntry } from './ledger';

/** A column of a history table. */
export interface HistoryColumn {
  column: string;
  type: ColumnType;
}

/** A counter: one row per event of the schedule. Names as the user wrote them. */
export interface CounterTable {
  table: string;
  eventColumn: string;
  countColumn: string;
}

/** A table of ours, or one of the users' that can be made for them where it is missing. */
export type TableSpec =
  | { kind: 'ledger' }
  | { kind: 'audit' }
  | { kind: 'history'; table: string; columns: readonly HistoryColumn[] }
  | { kind: 'counter'; table: string; eventColumn: string; countColumns: readonly string[] };

export interface AuditEntry {
  /** ms since 1970 */
  at: number;
  action: 'set' | 'reset';
  zone: string;
  event: string;
  previous: number;
  value: number;
}

export interface Statements {
  /** Enters what is not there yet. Rows `{effect, event_id}`: what was not. In the order given, which must be by key. */
  claim(entries: readonly LedgerEntry[]): Statement;
  /** Forgets up to {@link PRUNE_ROWS} entries from before `at`. One row `{pruned}`. */
  prune(at: number): Statement;
  /** @param rows values in the order of the columns */
  insertRows(table: string, columns: readonly HistoryColumn[], rows: readonly (readonly unknown[])[]): Statement;
  /** Until the end of the transaction nobody else changes this counter through us, also where it has no row yet. */
  lockCounter(counter: CounterTable, at: number): Statement;
  /** Adds `net` to the larger of the count and `low`. A row `{previous}` where the counter had one. */
  moveCount(counter: CounterTable, event: string, net: number, low: number): Statement;
  /** A row `{previous}` where the counter had one. */
  setCount(counter: CounterTable, event: string, value: number): Statement;
  audit(entry: AuditEntry): Statement;
  /** One row `{version}`. */
  version(): Statement;
  /** A row `{found}` where there is a table or view of this name. */
  find(table: string): Statement;
  /** Makes the table where it is missing, each a statement of its own. */
  create(spec: TableSpec): Statement[];
}

/** Names of the tables that are the pack's own. */
export interface OurTables {
  ledger: string;
  audit: string;
}

export const OUR_TABLES: OurTables = { ledger: LEDGER_TABLE, audit: AUDIT_TABLE };

export const tableOf = (spec: TableSpec, ours: OurTables): string =>
  spec.kind === 'ledger' ? ours.ledger : spec.kind === 'audit' ? ours.audit : spec.table;
