/** The driver for `node:sqlite`. */
import { LRUCache } from 'lru-cache';
import type { Connection, SqlRow, SqlValue } from './sqlite';

/** The part of `node:sqlite` used here; the types of Node 20 do not know it. */
interface NativeModule {
  DatabaseSync: new (path: string) => NativeDatabase;
}
interface NativeDatabase {
  exec(sql: string): void;
  prepare(sql: string): NativeStatement;
  close(): void;
}
interface NativeStatement {
  setReadBigInts(on: boolean): void;
  run(...params: SqlValue[]): { changes: number | bigint };
  all(...params: SqlValue[]): SqlRow[];
}

/** Prepared statements kept per connection; the pack's own number some dozens. */
export const MAX_STATEMENTS = 128;

let loaded: NativeModule | null | undefined;

/** `node:sqlite`, or null where the runtime has none, or only behind a flag. */
export function nativeSqlite(): NativeModule | null {
  loaded ??= withoutExperimentalWarning(builtin) ?? null;
  return loaded;
}

/** Undefined also on a Node so old that it cannot be asked. */
function builtin(): NativeModule | undefined {
  const { process: host } = globalThis as { process: { getBuiltinModule?: (id: string) => unknown } };
  return host.getBuiltinModule?.('node:sqlite') as NativeModule | undefined;
}

/** Node 22 warns once, at load, of an interface that it has kept since; only that one warning is held back. */
function withoutExperimentalWarning<T>(load: () => T): T {
  const host = process as { emitWarning: (...args: unknown[]) => void };
  const { emitWarning } = host;
  host.emitWarning = (...args) => {
    if (!String(args[0]).startsWith('SQLite is an experimental feature')) emitWarning.apply(process, args);
  };
  try {
    return load();
  } finally {
    host.emitWarning = emitWarning;
  }
}

export function connectNative(file: string): Connection {
  const native = nativeSqlite();
  if (!native) throw new Error(`node:sqlite is not part of Node ${process.version}`);
  const database = new native.DatabaseSync(file);
  const statements = new LRUCache<string, NativeStatement>({ max: MAX_STATEMENTS });

  function prepared(sql: string): NativeStatement {
    let statement = statements.get(sql);
    if (!statement) {
      statement = database.prepare(sql);
      // Else an integer beyond 2^53 is an error, after the statement has run.
      statement.setReadBigInts(true);
      statements.set(sql, statement);
    }
    return statement;
  }

  return {
    exec: (sql) => database.exec(sql),
    run: (sql, params) => ({ changes: Number(prepared(sql).run(...params.map(bound)).changes) }),
    all: (sql, params) => {
      const rows = prepared(sql).all(...params.map(bound));
      return rows.map(plain);
    },
    close: () => {
      statements.clear();
      database.close();
    },
  };
}

/** `node:sqlite` binds every number as REAL, so that 5 is the text '5.0' in an expression; the other driver binds integers. */
const bound = (value: SqlValue): SqlValue => (Number.isSafeInteger(value) ? BigInt(value as number) : value);

function plain(row: SqlRow): SqlRow {
  const result: SqlRow = {};
  for (const [column, value] of Object.entries(row)) {
    const number = Number(value);
    result[column] = typeof value === 'bigint' && Number.isSafeInteger(number) ? number : value;
  }
  return result;
}
