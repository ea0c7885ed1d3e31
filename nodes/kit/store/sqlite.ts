/**
 * The embedded SQL database behind one synchronous interface: `node:sqlite` where the runtime has it (Node >= 22.13), else
 * `node-sqlite3-wasm`, which needs no install script (facts/dependencies.md 4). A file written with one opens with the other.
 *
 * Every commit is on disk when it returns (`synchronous=FULL`; facts/reliability.md 6: with NORMAL a power cut takes back what
 * was acknowledged). Calls block the event loop: keep transactions short, and put many rows into one.
 */
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CodedError } from '../errors';
import { PidLock } from './pid-lock';
import { limit, preallocate } from './preallocate';
import { storeError } from './sqlite-error';
import { connectNative, nativeSqlite } from './sqlite-native';
import { connectWasm } from './sqlite-wasm';

export type SqlValue = string | number | bigint | null | Uint8Array;
/** Integers are numbers, and bigints beyond 2^53; blobs are Uint8Array. */
export type SqlRow = Record<string, SqlValue>;

/**
 * Throws a CodedError from all its methods: STORE_FULL, STORE_CORRUPT, STORE_LOCKED, else STORE_FAILED with SQLite's own words.
 * Text with a NUL character is refused, since the drivers would cut it; JSON text never has one.
 */
export interface Sqlite {
  readonly driver: 'node:sqlite' | 'node-sqlite3-wasm';
  /** One or more statements without parameters. */
  exec(sql: string): void;
  /** One statement that returns no rows (for RETURNING use `all`). `changes` is of use after INSERT, UPDATE and DELETE only. */
  run(sql: string, params?: readonly SqlValue[]): { changes: number };
  /** One statement and all its rows. */
  all(sql: string, params?: readonly SqlValue[]): SqlRow[];
  /** All of the synchronous `work` or, when it throws, nothing of it. Not nested. */
  transaction<T>(work: () => T): T;
  /** May be called twice. */
  close(): void;
}

export type SqliteDriver = Sqlite['driver'];

/** What a driver adds; this file makes a {@link Sqlite} of it. Throws whatever the driver throws. */
export interface Connection {
  exec(sql: string): void;
  run(sql: string, params: readonly SqlValue[]): { changes: number };
  all(sql: string, params: readonly SqlValue[]): SqlRow[];
  close(): void;
}

export interface SqliteOptions {
  /** Default: node:sqlite where the runtime has it. */
  driver?: SqliteDriver;
  /** The file does not grow beyond this; then STORE_FULL. Default: no limit. */
  maxBytes?: number;
  /**
   * Takes this much of the disk at once, and the WAL's part too, so that the database goes on working within it when something
   * else has filled the disk. Best effort: without on a disk that is full already.
   */
  preallocateBytes?: number;
}

/** How long another program's use of the file, a backup for example, is waited out. Milliseconds. */
const BUSY_MS = 2000;
/** The WAL is written back at about this size, and then used again from its start. */
const CHECKPOINT_BYTES = 2 * 1024 * 1024;
const CHANGES_ROWS = /^\s*(?:INSERT|UPDATE|DELETE|REPLACE|WITH)\b/i;

export const defaultDriver = (): SqliteDriver => (nativeSqlite() ? 'node:sqlite' : 'node-sqlite3-wasm');

/**
 * Opens or creates the database file, folders included, for this process alone.
 * Throws STORE_LOCKED when a living process has it (try again later), STORE_CORRUPT, STORE_FULL, STORE_FAILED.
 */
export function openSqlite(path: string, options: SqliteOptions = {}): Sqlite {
  const database = connect(path, options.driver ?? defaultDriver());
  return orClose(database, () => prepare(database, options));
}

/** As {@link openSqlite} for a file known to be damaged: changes nothing about it, so that what is readable can be read. */
export function openDamaged(path: string, driver: SqliteDriver = defaultDriver()): Sqlite {
  const database = connect(path, driver);
  return orClose(database, () => database.exec('PRAGMA locking_mode=EXCLUSIVE'));
}

function connect(path: string, driver: SqliteDriver): Database {
  const file = resolve(path);
  guarded(file, () => mkdirSync(dirname(file), { recursive: true }));
  const lock = PidLock.take(file);
  try {
    const connection = guarded(file, () => (driver === 'node:sqlite' ? connectNative(file) : connectWasm(file)));
    return new Database(driver, file, connection, () => lock.release());
  } catch (error) {
    lock.release();
    throw error;
  }
}

function orClose(database: Database, finish: () => void): Database {
  try {
    finish();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepare(database: Database, { maxBytes, preallocateBytes }: SqliteOptions): void {
  // EXCLUSIVE comes first: the wasm driver has WAL only so. It also needs no shared memory file, which network and container
  // volumes do badly, and makes the native driver's own lock a second guard across containers.
  database.exec(`PRAGMA busy_timeout=${BUSY_MS}; PRAGMA locking_mode=EXCLUSIVE; PRAGMA foreign_keys=ON`);
  const mode = database.all('PRAGMA journal_mode=WAL')[0]?.journal_mode;
  if (mode !== 'wal') throw new CodedError('STORE_FAILED', `${database.file}: SQLite refused WAL and stays in journal mode ${String(mode)}`);
  // No automatic checkpoint: when it fails, on a full disk, COMMIT reports that although it has committed.
  database.exec('PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0');
  if (maxBytes !== undefined) limit(database, maxBytes);
  // Takes the lock, and reads the whole schema: damage in there is met here and not by the first caller.
  database.all('SELECT count(*) FROM sqlite_schema');
  if (preallocateBytes) preallocate(database, database.file, { bytes: preallocateBytes, walBytes: Math.min(2 * CHECKPOINT_BYTES, preallocateBytes) });
}

function guarded<T>(file: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw storeError(error, file);
  }
}

class Database implements Sqlite {
  readonly driver: SqliteDriver;
  readonly file: string;
  readonly #connection: Connection;
  readonly #onClose: () => void;
  #state: 'idle' | 'in transaction' | 'closed' = 'idle';
  /** What the WAL may have grown by since it was last written back; an estimate, since SQLite does not tell. */
  #walBytes = 0;

  constructor(driver: SqliteDriver, file: string, connection: Connection, onClose: () => void) {
    this.driver = driver;
    this.file = file;
    this.#connection = connection;
    this.#onClose = onClose;
  }

  exec(sql: string): void {
    this.#assertOpen();
    guarded(this.file, () => this.#connection.exec(sql));
    this.#count(0, [sql]);
  }

  run(sql: string, params: readonly SqlValue[] = []): { changes: number } {
    this.#assertOpen();
    assertWhole(params, this.file);
    const done = guarded(this.file, () => this.#connection.run(sql, params));
    // After anything else `changes` is that of an earlier statement.
    this.#count(CHANGES_ROWS.test(sql) ? done.changes : 0, params);
    if (this.#state === 'idle') this.#committed();
    return done;
  }

  all(sql: string, params: readonly SqlValue[] = []): SqlRow[] {
    this.#assertOpen();
    assertWhole(params, this.file);
    const rows = guarded(this.file, () => this.#connection.all(sql, params));
    this.#count(0, params);
    return rows;
  }

  transaction<T>(work: () => T): T {
    this.#assertOpen();
    if (this.#state === 'in transaction') throw new CodedError('STORE_FAILED', `${this.file}: a transaction within a transaction`);
    // IMMEDIATE: who will write says so at once, instead of failing half-way.
    guarded(this.file, () => this.#connection.run('BEGIN IMMEDIATE', []));
    this.#state = 'in transaction';
    let result: T;
    try {
      result = work();
      if (result instanceof Promise) throw new CodedError('STORE_FAILED', `${this.file}: the work of a transaction must not wait`);
      this.run('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    } finally {
      this.#leave();
    }
    this.#committed();
    return result;
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    try {
      guarded(this.file, () => this.#connection.close());
    } finally {
      this.#onClose();
    }
  }

  /** Pages changed are not known: rows at a guess, and values twice for the indexes they may be in. */
  #count(rows: number, params: readonly SqlValue[]): void {
    for (const value of params) if (typeof value === 'string' || value instanceof Uint8Array) this.#walBytes += 2 * value.length;
    this.#walBytes += 512 * rows;
  }

  #committed(): void {
    // At least some whole pages.
    this.#walBytes += 16_384;
    if (this.#walBytes < CHECKPOINT_BYTES) return;
    this.#walBytes = 0;
    try {
      this.#connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // What was committed is safe in the WAL; the next checkpoint takes it along.
    }
  }

  #leave(): void {
    if (this.#state === 'in transaction') this.#state = 'idle';
  }

  #rollBack(): void {
    try {
      this.#connection.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself, as it does on a full disk; the error that led here is the one to know.
    }
  }

  #assertOpen(): void {
    if (this.#state === 'closed') throw new CodedError('STORE_FAILED', `${this.file}: the database is closed`);
  }
}

function assertWhole(params: readonly SqlValue[], file: string): void {
  for (const value of params)
    if (typeof value === 'string' && value.includes('\0')) throw new CodedError('STORE_FAILED', `${file}: text with a NUL character cannot be stored`);
}
