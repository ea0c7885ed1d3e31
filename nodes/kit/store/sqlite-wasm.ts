/** The driver for `node-sqlite3-wasm`. */
import { createRequire } from 'node:module';
import { LRUCache } from 'lru-cache';
import type { Statement } from 'node-sqlite3-wasm';
import type { Connection, SqlRow, SqlValue } from './sqlite';
import { MAX_STATEMENTS } from './sqlite-native';

type WasmModule = typeof import('node-sqlite3-wasm');

/** Loaded when first used: some 20 MiB of memory that a runtime with `node:sqlite` need not spend. */
const load = createRequire(__filename);

/**
 * The caller holds the file's {@link PidLock}. The driver's own lock is the folder `<file>.lock`, which a killed process leaves
 * behind and which then refuses everybody: it is removed in {@link PidLock.take}, by whoever knows the owner to be dead.
 */
export function connectWasm(file: string): Connection {
  const { Database } = load('node-sqlite3-wasm') as WasmModule;
  const database = new Database(file);
  const statements = new LRUCache<string, Statement>({ max: MAX_STATEMENTS, dispose: finalize });

  function using<T>(sql: string, use: (statement: Statement) => T): T {
    let statement = statements.get(sql);
    if (!statement) statements.set(sql, (statement = database.prepare(sql)));
    try {
      return use(statement);
    } catch (error) {
      // A statement that failed refuses the next use of it: "Could not reset statement".
      statements.delete(sql);
      throw error;
    }
  }

  return {
    exec: (sql) => database.exec(sql),
    run: (sql, params) => ({ changes: using(sql, (statement) => statement.run(params as SqlValue[])).changes }),
    all: (sql, params) => using(sql, (statement) => statement.all(params as SqlValue[]) as SqlRow[]),
    close: () => {
      statements.clear();
      database.close();
    },
  };
}

function finalize(statement: Statement): void {
  try {
    statement.finalize();
  } catch {
    // Repeats the error of the statement's last use; finalized it is.
  }
}
