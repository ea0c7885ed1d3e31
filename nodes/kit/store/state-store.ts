/**
 * What the pack keeps over restarts: one SQLite file per Node-RED user directory, shared by all nodes of the process.
 *
 * It is acknowledged only when it is on disk, works on within its own space when the disk is full, and when damaged goes on with
 * the rows that can still be read.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { systemClock, type Clock } from '../clock';
import { CodedError } from '../errors';
import { GroupCommit, type Work, type WriteOptions } from './group-commit';
import { extent, limit, preallocate } from './preallocate';
import { salvage, type Salvaged } from './salvage';
import { openDamaged, openSqlite, type Sqlite, type SqliteDriver } from './sqlite';
import { storeError } from './sqlite-error';
import { migrate } from './state-schema';

export interface Recovery extends Salvaged {
  /** Where the damaged file is kept. */
  path: string;
}

export interface StateStoreOptions {
  /** The file is this large from the start, so that the store works on when something else fills the disk. Default 16 MiB. */
  preallocateBytes?: number;
  /** And grows up to this while the disk has room. Default 256 MiB. */
  maxBytes?: number;
  /** A damaged file was set aside, and what could be read of it was saved. Must not throw. */
  onRecovered?: (recovery: Recovery) => void;
  driver?: SqliteDriver;
  clock?: Clock;
}

/** Free space below which the file grows, and by how much. Bytes. */
const GROWTH_BYTES = 1024 * 1024;
/** Damaged files kept; the oldest go. */
const MAX_SET_ASIDE = 3;

const open = new Map<string, SharedStore>();

/**
 * The store of a user directory, opened by the first and closed when the last has released it; the options of the first count,
 * but everybody's `onRecovered`.
 * Throws STORE_LOCKED while another process has it (it may be ending: try again), STORE_FULL, STORE_FAILED.
 */
export function openStateStore(userDir: string, options: StateStoreOptions = {}): StateStore {
  const path = resolve(userDir, 'camera-events', 'state.sqlite');
  const shared = open.get(path) ?? new SharedStore(path, options);
  return new StateStore(shared, options.onRecovered);
}

/** One user's hold on the shared store. */
export class StateStore {
  readonly #shared: SharedStore;
  #released = false;

  constructor(shared: SharedStore, onRecovered: ((recovery: Recovery) => void) | undefined) {
    this.#shared = shared;
    shared.hold(this, onRecovered);
  }

  get path(): string {
    return this.#shared.path;
  }

  /**
   * Runs `work` in a transaction with what others write within 50 ms, and resolves with its result once that is on disk.
   * When `work` throws, its own changes are undone and the promise rejects with what it threw; otherwise rejects with the
   * store's errors. Where a commit fails `work` is run again: it must change nothing but the database, and not wait.
   */
  write<T>(work: Work<T>, options: WriteOptions = {}): Promise<T> {
    if (this.#released) return Promise.reject(new CodedError('STORE_FAILED', `${this.path}: the store was released`));
    return this.#shared.commits.write(work, options);
  }

  /** Reads what has been committed. Throws the store's errors. */
  read<T>(work: Work<T>): T {
    if (this.#released) throw new CodedError('STORE_FAILED', `${this.path}: the store was released`);
    return this.#shared.read(work);
  }

  /** Commits what waits, without waiting for more; the promises of its writes settle. */
  flush(): void {
    this.#shared.commits.flush();
  }

  /**
   * Reserves a name, of an outbox for example, for one user of this process; the returned function gives it back.
   * Throws CONFIG_INVALID where it is taken: two under one name would take each other's for done.
   */
  claim(name: string): () => void {
    return this.#shared.claim(name);
  }

  /** Commits what waits; the last one closes the file. May be called twice. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#shared.letGo(this);
  }
}

class SharedStore {
  readonly path: string;
  readonly commits: GroupCommit;
  readonly #options: StateStoreOptions;
  readonly #holders = new Map<StateStore, ((recovery: Recovery) => void) | undefined>();
  readonly #claims = new Set<string>();
  #database: Sqlite | undefined;
  /** Found at the opening, before anybody could be told. */
  #untold: Recovery[] = [];

  constructor(path: string, options: StateStoreOptions) {
    this.path = path;
    this.#options = options;
    this.commits = new GroupCommit(
      { database: () => this.#opened(), makeRoom: () => this.#grow(), recover: () => this.#recover() },
      options.clock ?? systemClock,
    );
    this.#opened();
    open.set(path, this);
  }

  hold(holder: StateStore, onRecovered: ((recovery: Recovery) => void) | undefined): void {
    this.#holders.set(holder, onRecovered);
    this.#tell();
  }

  letGo(holder: StateStore): void {
    this.commits.flush();
    this.#holders.delete(holder);
    if (this.#holders.size > 0) return;
    open.delete(this.path);
    this.#close();
  }

  read<T>(work: Work<T>): T {
    try {
      return work(this.#opened());
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      this.#recover();
      return work(this.#opened());
    }
  }

  claim(name: string): () => void {
    if (this.#claims.has(name)) throw new CodedError('CONFIG_INVALID', `"${name}" is in use by another node: each needs a name of its own`);
    this.#claims.add(name);
    return () => this.#claims.delete(name);
  }

  /** Opens it again where an earlier attempt, after damage, has failed. */
  #opened(): Sqlite {
    if (this.#database) return this.#database;
    try {
      this.#database = this.#open();
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      this.#recover();
      this.#database = this.#open();
    }
    return this.#database;
  }

  #open(): Sqlite {
    const replacement = `${this.path}.new`;
    // An earlier recovery was cut off between its two renames: the damaged file is aside, and this one is complete.
    if (!existsSync(this.path) && existsSync(replacement)) renameSync(replacement, this.path);
    const database = openSqlite(this.path, { ...this.#settings(), preallocateBytes: this.#options.preallocateBytes ?? 16 * 1024 * 1024 });
    try {
      const [check] = database.all('PRAGMA quick_check(1)');
      if (check?.quick_check !== 'ok') throw new CodedError('STORE_CORRUPT', `${this.path}: ${String(check?.quick_check)}`);
      migrate(database);
      limit(database, extent(database).bytes);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  #settings(): { driver?: SqliteDriver; maxBytes: number } {
    const { driver, maxBytes = 256 * 1024 * 1024 } = this.#options;
    return { ...(driver && { driver }), maxBytes };
  }

  /**
   * Lets the file grow a step, while the disk has room for that and for what is written until the next. The limit in between keeps
   * SQLite from growing it unasked: on a full disk the WAL could then not be written back, and would fill up too.
   */
  #grow(): boolean {
    const database = this.#opened();
    const { maxBytes } = this.#settings();
    const before = extent(database).bytes;
    const wanted = Math.min(before + GROWTH_BYTES, maxBytes);
    if (wanted <= before) return false;
    limit(database, Math.min(wanted + GROWTH_BYTES, maxBytes));
    preallocate(database, this.path, { bytes: wanted, walBytes: 0 });
    const after = extent(database).bytes;
    limit(database, after);
    return after > before;
  }

  /** Sets the damaged file aside, after copying what can be read of it into a new one. Throws the store's errors. */
  #recover(): void {
    this.#close();
    const { driver, clock = systemClock } = this.#options;
    const replacement = `${this.path}.new`;
    removeDatabase(replacement);
    const damaged = openDamaged(this.path, driver);
    let salvaged: Salvaged;
    try {
      const fresh = openSqlite(replacement, this.#settings());
      try {
        migrate(fresh);
        // Microseconds: more than any count of items.
        salvaged = salvage(damaged, fresh, clock.now() * 1000);
      } finally {
        fresh.close();
      }
    } finally {
      damaged.close();
    }
    const path = this.#setAside();
    renameDatabase(replacement, this.path);
    this.#untold.push({ ...salvaged, path });
    this.#tell();
  }

  #setAside(): string {
    const folder = dirname(this.path);
    const clock = this.#options.clock ?? systemClock;
    const name = (time: number): string => join(folder, `state.corrupt-${new Date(time).toISOString().replaceAll(/[:.]/g, '-')}.sqlite`);
    let time = clock.now();
    while (existsSync(name(time))) time++;
    renameDatabase(this.path, name(time));
    const kept = readdirSync(folder).filter((file) => /^state\.corrupt-.*\.sqlite$/.test(file)).sort();
    for (const old of kept.slice(0, -MAX_SET_ASIDE)) removeDatabase(join(folder, old));
    return name(time);
  }

  #close(): void {
    try {
      this.#database?.close();
    } catch {
      // Damaged, or on a full disk: what was committed is in the file or its WAL.
    }
    this.#database = undefined;
  }

  #tell(): void {
    if (this.#holders.size === 0) return;
    for (const recovery of this.#untold) for (const onRecovered of this.#holders.values()) onRecovered?.(recovery);
    this.#untold = [];
  }
}

const isCorrupt = (error: unknown): boolean => error instanceof CodedError && error.code === 'STORE_CORRUPT';

/** The WAL may hold what the file does not: they belong together. */
function renameDatabase(from: string, to: string): void {
  try {
    if (existsSync(`${from}-wal`)) renameSync(`${from}-wal`, `${to}-wal`);
    renameSync(from, to);
  } catch (error) {
    throw storeError(error, from);
  }
}

function removeDatabase(path: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
}
