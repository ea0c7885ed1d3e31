/** All SQL of the embedded dialect. Batches are one JSON text that json_each reads; a transaction has the file for itself. */
import type { ColumnType } from './columns';
import type { Statement } from './database';
import { quoteName, quoteTable } from './identifiers';
import { PRUNE_ROWS, utcText } from './ledger';
import type { CounterTable, HistoryColumn, OurTables, Statements, TableSpec } from './statements';

const name = (identifier: string, field: string): string => quoteName(identifier, 'sqlite', field);
const table = (identifier: string): string => quoteTable(identifier, 'sqlite', 'table');

const TYPES: Record<ColumnType, string> = {
  text: 'TEXT',
  integer: 'INTEGER',
  number: 'REAL',
  boolean: 'INTEGER',
  'local-time': 'TEXT',
  'utc-time': 'TEXT',
  json: 'TEXT',
};

export function sqliteStatements(ours: OurTables): Statements {
  const ledger = table(ours.ledger);
  const audit = table(ours.audit);
  return {
    claim: (entries) => ({
      steps: [
        `INSERT INTO ${ledger} (effect, event_id, at)
SELECT json_extract(value, '$.e'), json_extract(value, '$.i'), json_extract(value, '$.t') FROM json_each(@entries) WHERE true
ON CONFLICT DO NOTHING RETURNING effect, event_id`,
      ],
      params: { entries: JSON.stringify(entries.map(({ effect, event, at }) => ({ e: effect, i: event, t: utcText(at) }))) },
    }),

    prune: (at) => ({
      steps: [
        `DELETE FROM ${ledger} WHERE (effect, event_id) IN (SELECT effect, event_id FROM ${ledger} WHERE at < @before LIMIT ${PRUNE_ROWS})`,
        'SELECT changes() AS pruned',
      ],
      params: { before: utcText(at) },
    }),

    insertRows: (into, columns, rows) => ({ steps: [insertText(into, columns)], params: { rows: JSON.stringify(rows) } }),

    lockCounter: () => ({ steps: [], params: {} }),

    moveCount: (counter, event, net, low) =>
      changeCount(counter, event, '@net + max(coalesce(%, 0), @low)', '@net + @low', { net, low }),

    setCount: (counter, event, value) => changeCount(counter, event, '@value', '@value', { value }),

    audit: ({ at, ...entry }) => ({
      steps: [`INSERT INTO ${audit} (at, action, zone, event, previous, value) VALUES (@at, @action, @zone, @event, @previous, @value)`],
      params: { at: utcText(at), ...entry },
    }),

    version: () => ({ steps: [`SELECT 'SQLite ' || sqlite_version() AS version`], params: {} }),

    find: (identifier) => ({
      steps: [`SELECT 1 AS found FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(@table)`],
      params: { table: identifier.slice(identifier.indexOf('.') + 1) },
    }),

    create: (spec) => create(spec, ours).map((text) => ({ steps: [text], params: {} })),
  };
}

function insertText(into: string, columns: readonly HistoryColumn[]): string {
  const values = columns.map((_, index) => `json_extract(value, '$[${index}]')`);
  return `INSERT INTO ${table(into)} (${columns.map(({ column }) => name(column, 'columns')).join(', ')})
SELECT ${values.join(', ')} FROM json_each(@rows)`;
}

/** @param change the new count, with % for the column; @param first what it begins with */
function changeCount({ table: of, eventColumn, countColumn }: CounterTable, event: string, change: string, first: string, params: Statement['params']): Statement {
  const counts = table(of);
  const key = name(eventColumn, 'eventColumn');
  const count = name(countColumn, 'countColumn');
  return {
    steps: [
      `SELECT coalesce(${count}, 0) AS previous FROM ${counts} WHERE ${key} = @event LIMIT 1`,
      `UPDATE ${counts} SET ${count} = ${change.replaceAll('%', () => count)} WHERE ${key} = @event`,
      `INSERT INTO ${counts} (${key}, ${count}) SELECT @event, ${first} WHERE NOT EXISTS (SELECT 1 FROM ${counts} WHERE ${key} = @event)`,
    ],
    params: { event, ...params },
  };
}

function create(spec: TableSpec, ours: OurTables): string[] {
  switch (spec.kind) {
    case 'ledger':
      return [
        `CREATE TABLE IF NOT EXISTS ${table(ours.ledger)} (
  effect TEXT NOT NULL,
  event_id TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (effect, event_id)
) WITHOUT ROWID`,
        `CREATE INDEX IF NOT EXISTS ${name(`${ours.ledger}_at`, 'table')} ON ${table(ours.ledger)} (at)`,
      ];
    case 'audit':
      return [
        `CREATE TABLE IF NOT EXISTS ${table(ours.audit)} (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  action TEXT NOT NULL,
  zone TEXT NOT NULL,
  event TEXT NOT NULL,
  previous INTEGER NOT NULL,
  value INTEGER NOT NULL
)`,
      ];
    case 'history':
      return [
        `CREATE TABLE IF NOT EXISTS ${table(spec.table)} (
  id INTEGER PRIMARY KEY,
${spec.columns
  .filter(({ column }) => column.toLowerCase() !== 'id')
  .map(({ column, type }) => `  ${name(column, 'columns')} ${TYPES[type]}`)
  .join(',\n')}
)`,
      ];
    case 'counter':
      return [
        `CREATE TABLE IF NOT EXISTS ${table(spec.table)} (
  ${name(spec.eventColumn, 'eventColumn')} TEXT NOT NULL PRIMARY KEY,
${spec.countColumns.map((column) => `  ${name(column, 'countColumn')} INTEGER NOT NULL DEFAULT 0`).join(',\n')}
)`,
      ];
  }
}
