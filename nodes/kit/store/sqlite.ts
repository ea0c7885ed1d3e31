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

/** What a driver adds; `open` in this file makes a {@link Sqlite} of it. Throws whatever the driver throws. */
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
   * Takes this much of the disk at once, and a WAL beside it, so that the store goes on working within it when something else
   * has filled the disk. Best effort: on a disk that is full already the store opens without.
   */
  preallocateBytes?: number;
}

/** How long another program's use of the file, a backup for example, is waited out. Milliseconds. */
const BUSY_MS = 2000;
/** SQLite's own default, said here because the WAL's reserve follows from it: it is reused from the start at this size. */
const CHECKPOINT_PAGES = 1000;
const PAGE_BYTES = 4096;
const CHUNK_BYTES = 1024 * 1024;

export const defaultDriver = (): SqliteDriver => (nativeSqlite() ? 'node:sqlite' : 'node-sqlite3-wasm');

/**
 * Opens or creates the database file, folders included, for this process alone.
 * Throws STORE_LOCKED when a living process has it (try again later), STORE_CORRUPT, STORE_FULL, STORE_FAILED.
 */
export function openSqlite(path: string, options: SqliteOptions = {}): Sqlite {
  const file = resolve(path);
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (error) {
    throw storeError(error, file);
  }
  const lock = PidLock.take(file);
  try {
    return open(file, options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function open(file: string, options: SqliteOptions, lock: PidLock): Sqlite {
  const driver = options.driver ?? defaultDriver();
  const connect = driver === 'node:sqlite' ? connectNative : connectWasm;
  const database = new Database(driver, file, guarded(file, () => connect(file)), () => lock.release());
  try {
    prepare(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

function prepare(database: Database, { maxBytes, preallocateBytes }: SqliteOptions): void {
  // EXCLUSIVE comes first: the wasm driver has WAL only so. It also needs no shared memory file, which network and container
  // volumes do badly, and makes the native driver's own lock a second guard across containers.
  database.exec(`PRAGMA busy_timeout=${BUSY_MS}; PRAGMA locking_mode=EXCLUSIVE; PRAGMA foreign_keys=ON`);
  const mode = database.all('PRAGMA journal_mode=WAL')[0]?.journal_mode;
  if (mode !== 'wal') throw new CodedError('STORE_FAILED', `${database.file}: SQLite refused WAL and stays in journal mode ${String(mode)}`);
  database.exec(`PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=${CHECKPOINT_PAGES}`);
  if (maxBytes !== undefined) database.all(`PRAGMA max_page_count=${Math.max(1, Math.floor(maxBytes / pageBytes(database)))}`);
  // Takes the lock, and reads the whole schema: damage in there is met here and not by the first caller.
  database.all('SELECT count(*) FROM sqlite_schema');
  if (preallocateBytes) preallocate(database, Math.min(preallocateBytes, maxBytes ?? Infinity));
}

const pragma = (database: Database, name: string): number => Number(Object.values(database.all(`PRAGMA ${name}`)[0] ?? {})[0]);
const pageBytes = (database: Database): number => pragma(database, 'page_size');

/**
 * Fills the file up once and empties it again: SQLite keeps free pages. Also done when the file has its size already, for
 * one WAL's length, since SQLite removes the WAL whenever the file is closed.
 */
function preallocate(database: Database, bytes: number): void {
  const page = pageBytes(database);
  const wal = CHECKPOINT_PAGES * PAGE_BYTES;
  try {
    database.exec('CREATE TABLE IF NOT EXISTS reserve_being_made (filler BLOB)');
    database.transaction(() => {
      for (let filled = 0; filled < wal && roomFor(CHUNK_BYTES); filled += CHUNK_BYTES) fill();
    });
    while (pragma(database, 'page_count') * page < bytes - CHUNK_BYTES && roomFor(CHUNK_BYTES)) fill();
  } catch (error) {
    if (!(error instanceof CodedError && error.code === 'STORE_FULL')) throw error;
  } finally {
    try {
      database.exec('DROP TABLE IF EXISTS reserve_being_made; PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // Not even that fits on the disk: the next start that finds room removes it.
    }
  }

  function fill(): void {
    database.run('INSERT INTO reserve_being_made VALUES (zeroblob(?))', [CHUNK_BYTES]);
  }
  function roomFor(more: number): boolean {
    const free = pragma(database, 'max_page_count') - pragma(database, 'page_count') + pragma(database, 'freelist_count');
    return free * page > more * 1.1;
  }
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

  constructor(driver: SqliteDriver, file: string, connection: Connection, onClose: () => void) {
    this.driver = driver;
    this.file = file;
    this.#connection = connection;
    this.#onClose = onClose;
  }

  exec(sql: string): void {
    this.#assertOpen();
    guarded(this.file, () => this.#connection.exec(sql));
  }

  run(sql: string, params: readonly SqlValue[] = []): { changes: number } {
    this.#assertOpen();
    assertWhole(params, this.file);
    return guarded(this.file, () => this.#connection.run(sql, params));
  }

  all(sql: string, params: readonly SqlValue[] = []): SqlRow[] {
    this.#assertOpen();
    assertWhole(params, this.file);
    return guarded(this.file, () => this.#connection.all(sql, params));
  }

  transaction<T>(work: () => T): T {
    this.#assertOpen();
    if (this.#state === 'in transaction') throw new CodedError('STORE_FAILED', `${this.file}: a transaction within a transaction`);
    // IMMEDIATE: who will write says so at once, instead of failing half-way.
    this.exec('BEGIN IMMEDIATE');
    this.#state = 'in transaction';
    try {
      const result = work();
      if (result instanceof Promise) throw new CodedError('STORE_FAILED', `${this.file}: the work of a transaction must not wait`);
      this.exec('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    } finally {
      this.#state = 'idle';
    }
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
