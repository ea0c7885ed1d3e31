/**
 * All SQL of the SQL Server dialect, within what SQL Server 2016+, Azure SQL and Babelfish take alike (facts/sql-server.md).
 * Batches are one JSON parameter that OPENJSON reads. What must not happen twice is decided by a key of ours, never by a lock
 * hint, which Babelfish ignores. No OUTPUT on the users' tables: it is refused where they have triggers.
 */
import type { ColumnType } from './columns';
import type { Statement } from './database';
import { quoteName, quoteTable } from './identifiers';
import { MAX_EFFECT, MAX_KEY, PRUNE_ROWS, ledgerKey, utcText } from './ledger';
import type { CounterTable, HistoryColumn, OurTables, Statements, TableSpec } from './statements';

const name = (identifier: string, field: string): string => quoteName(identifier, 'sqlserver', field);
const table = (identifier: string): string => quoteTable(identifier, 'sqlserver', 'table');

/** Ids that differ in case only are two events; the database's own collation would swallow one (facts/reliability.md 5). */
const EXACT = 'COLLATE Latin1_General_BIN2';

/** As OPENJSON reads them. A text too long for its column is then the server's error, not a text cut short. */
const READ: Record<ColumnType, string> = {
  text: 'nvarchar(max)',
  integer: 'bigint',
  number: 'float',
  boolean: 'bit',
  'local-time': 'datetime2(3)',
  'utc-time': 'datetime2(3)',
  json: 'nvarchar(max)',
};

/** In tables that are made for the user. */
const STORED: Record<ColumnType, string> = { ...READ, text: 'nvarchar(255)' };

export function sqlserverStatements(ours: OurTables): Statements {
  const ledger = table(ours.ledger);
  const audit = table(ours.audit);
  return {
    claim: (entries) => ({
      steps: [
        `INSERT INTO ${ledger} ([effect], [event_id], [at])
OUTPUT inserted.[effect] AS [effect], inserted.[event_id] AS [event_id]
SELECT b.[effect], b.[event_id], b.[at]
FROM OPENJSON(@entries) WITH ([effect] varchar(${MAX_EFFECT}) '$.e', [event_id] varchar(${MAX_KEY}) '$.i', [at] datetime2(3) '$.t') AS b
WHERE NOT EXISTS (SELECT 1 FROM ${ledger} AS l WHERE l.[effect] = b.[effect] ${EXACT} AND l.[event_id] = b.[event_id] ${EXACT})
ORDER BY b.[effect], b.[event_id]`,
      ],
      params: { entries: JSON.stringify(entries.map(({ effect, event, at }) => ({ e: effect, i: event, t: utcText(at) }))) },
    }),

    prune: (at) => ({
      steps: [`DELETE TOP (${PRUNE_ROWS}) FROM ${ledger} WHERE [at] < CAST(@before AS datetime2(3))`, 'SELECT @@ROWCOUNT AS [pruned]'],
      params: { before: utcText(at) },
    }),

    insertRows: (into, columns, rows) => ({
      steps: [insertText(into, columns)],
      params: { rows: JSON.stringify(rows.map((row, n) => ({ n, ...Object.fromEntries(row.map((value, index) => [`c${index}`, value])) }))) },
    }),

    // A row of our own, because the users' tables need not have a key that would keep two workers from inserting the same counter.
    lockCounter: ({ table: of, countColumn }, at) => ({
      steps: [
        `UPDATE ${ledger} SET [at] = CAST(@at AS datetime2(3)) WHERE [effect] = CAST(@effect AS varchar(${MAX_EFFECT})) AND [event_id] = CAST(@counter AS varchar(${MAX_KEY}))`,
        `INSERT INTO ${ledger} ([effect], [event_id], [at]) SELECT CAST(@effect AS varchar(${MAX_EFFECT})), CAST(@counter AS varchar(${MAX_KEY})), CAST(@at AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM ${ledger} WHERE [effect] = CAST(@effect AS varchar(${MAX_EFFECT})) AND [event_id] = CAST(@counter AS varchar(${MAX_KEY})))`,
      ],
      params: { at: utcText(at), effect: 'lock', counter: ledgerKey(`${of}.${countColumn}`.toLowerCase()) },
    }),

    moveCount: (counter, event, net, low) =>
      changeCount(counter, event, '@net + CASE WHEN COALESCE(%, 0) > @low THEN COALESCE(%, 0) ELSE @low END', '@net + @low', { net, low }),

    setCount: (counter, event, value) => changeCount(counter, event, '@value', '@value', { value }),

    audit: ({ at, ...entry }) => ({
      steps: [
        `INSERT INTO ${audit} ([at], [action], [zone], [event], [previous], [value]) VALUES (CAST(@at AS datetime2(3)), @action, @zone, @event, @previous, @value)`,
      ],
      params: { at: utcText(at), ...entry },
    }),

    version: () => ({ steps: ['SELECT @@VERSION AS [version]'], params: {} }),

    find: (identifier) => ({
      steps: ['SELECT 1 AS [found] WHERE OBJECT_ID(@table) IS NOT NULL'],
      params: { table: table(identifier) },
    }),

    create: (spec) => create(spec, ours).map((text) => ({ steps: [text], params: {} })),
  };
}

function insertText(into: string, columns: readonly HistoryColumn[]): string {
  const read = columns.map(({ type }, index) => `[c${index}] ${READ[type]} '$.c${index}'`);
  return `INSERT INTO ${table(into)} (${columns.map(({ column }) => name(column, 'columns')).join(', ')})
SELECT ${columns.map((_, index) => `b.[c${index}]`).join(', ')}
FROM OPENJSON(@rows) WITH ([n] int '$.n', ${read.join(', ')}) AS b
ORDER BY b.[n]`;
}

/** @param change the new count, with % for the column; @param first what it begins with */
function changeCount({ table: of, eventColumn, countColumn }: CounterTable, event: string, change: string, first: string, params: Statement['params']): Statement {
  const counts = table(of);
  const key = name(eventColumn, 'eventColumn');
  const count = name(countColumn, 'countColumn');
  return {
    steps: [
      `SELECT TOP (1) COALESCE(${count}, 0) AS [previous] FROM ${counts} WITH (UPDLOCK) WHERE ${key} = @event`,
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
        missing(
          ours.ledger,
          `(
  [effect] varchar(${MAX_EFFECT}) ${EXACT} NOT NULL,
  [event_id] varchar(${MAX_KEY}) ${EXACT} NOT NULL,
  [at] datetime2(3) NOT NULL,
  PRIMARY KEY ([effect], [event_id])
)`,
          `CREATE INDEX ${name(`${ours.ledger.replace(/^.*\./, '')}_at`, 'table')} ON ${table(ours.ledger)} ([at])`,
        ),
      ];
    case 'audit':
      return [
        missing(
          ours.audit,
          `(
  [id] int IDENTITY(1, 1) PRIMARY KEY,
  [at] datetime2(3) NOT NULL,
  [action] varchar(10) NOT NULL,
  [zone] nvarchar(255) NOT NULL,
  [event] nvarchar(255) NOT NULL,
  [previous] int NOT NULL,
  [value] int NOT NULL
)`,
        ),
      ];
    case 'history':
      return [
        missing(
          spec.table,
          `(
  [id] int IDENTITY(1, 1) PRIMARY KEY,
${spec.columns
  .filter(({ column }) => column.toLowerCase() !== 'id')
  .map(({ column, type }) => `  ${name(column, 'columns')} ${STORED[type]} NULL`)
  .join(',\n')}
)`,
        ),
      ];
    case 'counter':
      return [
        missing(
          spec.table,
          `(
  ${name(spec.eventColumn, 'eventColumn')} nvarchar(255) NOT NULL PRIMARY KEY,
${spec.countColumns.map((column) => `  ${name(column, 'countColumn')} int NOT NULL DEFAULT 0`).join(',\n')}
)`,
        ),
      ];
  }
}

function missing(identifier: string, definition: string, index = ''): string {
  const quoted = table(identifier);
  const body = [`CREATE TABLE ${quoted} ${definition}`, index].filter((part) => part !== '').join(';\n');
  return `IF OBJECT_ID(N'${quoted.replaceAll("'", "''")}') IS NULL\nBEGIN\n${body};\nEND`;
}
