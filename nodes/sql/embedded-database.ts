/** The embedded database: one file, for this process alone, shared by all nodes that name it. */
import { resolve } from 'node:path';
import { openSqlite, type Sqlite, type SqlValue as Bound } from '../kit/store/sqlite';
import type { Database, Row, Session, SqlValue, Statement } from './database';
import { positional } from './named-parameters';
import { SqlError } from './sql-error';
import { sqliteError } from './sqlite-errors';
import { OUR_TABLES, type OurTables, type Statements } from './statements';
import { sqliteStatements } from './statements-sqlite';

export interface EmbeddedSettings {
  file: string;
  /** Replaced in tests. */
  open?: (file: string) => Sqlite;
  ours?: OurTables;
}

/** An open file, and the order in which those who share it have it for themselves. */
interface Shared {
  sqlite: Sqlite;
  users: number;
  turn: Promise<unknown>;
}
const files = new Map<string, Shared>();

export class EmbeddedDatabase implements Database {
  readonly dialect = 'sqlite';
  readonly name: string;
  readonly statements: Statements;
  readonly #file: string;
  readonly #open: (file: string) => Sqlite;
  #shared: Shared | undefined;
  #closed = false;

  constructor({ file, open = openSqlite, ours = OUR_TABLES }: EmbeddedSettings) {
    this.#file = resolve(file);
    this.name = this.#file.replace(/^.*[\\/]/, '');
    this.#open = open;
    this.statements = sqliteStatements(ours);
  }

  query(statement: Statement): Promise<Row[]> {
    return this.#alone((sqlite) => run(sqlite, statement));
  }

  execute(statement: Statement): Promise<{ rows: Row[]; changes: number }> {
    return this.#alone((sqlite) => {
      const total = (): number => Number(sqlite.all('SELECT total_changes() AS total')[0]?.total ?? 0);
      const before = total();
      const rows = run(sqlite, statement);
      return { rows, changes: total() - before };
    });
  }

  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#alone(async (sqlite) => {
      let open = true;
      const session: Session = {
        // eslint-disable-next-line @typescript-eslint/require-await -- synchronous, behind the interface of both databases
        query: async (statement) => {
          if (!open) throw new SqlError('retry', 'SQL_UNAVAILABLE', `${this.name}: the transaction is over`);
          return coded(() => run(sqlite, statement));
        },
      };
      sqlite.exec('BEGIN IMMEDIATE');
      try {
        const result = await work(session);
        sqlite.exec('COMMIT');
        return result;
      } catch (error) {
        rollBack(sqlite);
        throw error;
      } finally {
        open = false;
      }
    });
  }

  /** Waits for what is under way, by whomever. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const shared = this.#shared;
    if (!shared) return;
    await shared.turn;
    if (--shared.users > 0) return;
    files.delete(this.#file);
    shared.sqlite.close();
  }

  /** SQLite has one transaction at a time, and its steps wait for each other. */
  #alone<T>(work: (sqlite: Sqlite) => T | Promise<T>): Promise<T> {
    let shared: Shared;
    try {
      shared = this.#opened();
    } catch (error) {
      return Promise.reject(sqliteError(error));
    }
    const turn = shared.turn.then(async () => {
      try {
        return await work(shared.sqlite);
      } catch (error) {
        throw sqliteError(error);
      }
    });
    shared.turn = turn.catch(() => undefined);
    return turn;
  }

  #opened(): Shared {
    if (this.#closed) throw new SqlError('retry', 'SQL_UNAVAILABLE', `${this.name}: the database was closed`);
    if (this.#shared) return this.#shared;
    let shared = files.get(this.#file);
    if (!shared) files.set(this.#file, (shared = { sqlite: this.#open(this.#file), users: 0, turn: Promise.resolve() }));
    shared.users++;
    return (this.#shared = shared);
  }
}

const run = (sqlite: Sqlite, { steps, params }: Statement): Row[] =>
  steps.flatMap((step) => {
    const { sql, names } = positional(step);
    return sqlite.all(sql, names.map((name) => bound(params[name] ?? null)));
  });

function bound(value: SqlValue): Bound {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Date ? value.toISOString() : value;
}

function coded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw sqliteError(error);
  }
}

function rollBack(sqlite: Sqlite): void {
  try {
    sqlite.exec('ROLLBACK');
  } catch {
    // SQLite has rolled back by itself, as it does on a full disk.
  }
}
