/**
 * A durable, ordered, bounded queue in front of a target. What was put is on disk before the caller hears so; what is sent stays
 * there until the target has it, over restarts, kill -9 and a full disk.
 *
 * An item may be sent more than once (after a crash, or when the store could not note that it was sent): the target, or a ledger
 * in front of it, takes the same id once.
 */
import type { BackoffOptions } from './backoff';
import { systemClock, type Clock, type Random } from './clock';
import { CodedError, type Reason } from './errors';
import { OutboxDrain } from './outbox-drain';
import { toItem, toRow, type OutboxItem, type Send } from './outbox-item';
import { OutboxRows, type NewRow, type OutboxRow, type Totals } from './store/outbox-rows';
import type { Sqlite } from './store/sqlite';
import type { StateStore } from './store/state-store';

export type { ItemResult, OutboxItem, Send, SendResult } from './outbox-item';

export type PutResult =
  /** On disk. */
  | 'stored'
  /** One with this id waits already. */
  | 'known'
  /** The outbox is full (OUTBOX_FULL). */
  | 'refused';

export interface OutboxOptions {
  /** Stable, and the sink's own: what waits under it after a restart is sent by whoever has this name then. */
  name: string;
  maxItems: number;
  /** Of payloads, keys and ids as JSON, with 100 bytes for each item. */
  maxBytes: number;
  whenFull: 'refuse-new' | 'drop-oldest';
  /** Items per call of `send` at most. Default 100. */
  batchSize?: number;
  /** Each batch is of one key, and up to `maxInFlight` (default 4) are sent at a time. Otherwise one batch of many keys. */
  perKey?: boolean;
  maxInFlight?: number;
  /** Between attempts of a key, and of all after `send` rejected. Default: base 2, max 60 (seconds). */
  backoff?: BackoffOptions;
  /** Called before a dead item is removed, and again after a crash in between; where it fails the item stays, and is sent again. */
  onDead?: (item: OutboxItem, reason: Reason) => void | Promise<void>;
  /** Removed unsent to make room for newer ones. Must not throw. */
  onDropped?: (items: OutboxItem[]) => void;
}

export interface OutboxCounts {
  /** Waiting to be sent, in flight included. */
  items: number;
  /** Held on disk; counted as `maxBytes` is. */
  bytes: number;
  oldestAgeMs: number | null;
  inFlight: number;
  /** Since the outbox was opened. */
  delivered: number;
  dead: number;
  dropped: number;
  refused: number;
  /** Why nothing, or not everything, gets on at present: the last error of `send` or of the store, until it succeeds again. */
  failure: CodedError | null;
}

interface Admission {
  results: PutResult[];
  /** To make room: unsent ones, and ones that had been sent already. */
  dropped: OutboxRow[];
  swept: number[];
  totals: Totals;
}

export class Outbox {
  readonly #store: StateStore;
  readonly #options: OutboxOptions;
  readonly #clock: Clock;
  readonly #rows: OutboxRows;
  readonly #drain: OutboxDrain;
  readonly #giveBackName: () => void;
  #totals: Totals;
  #dropped = 0;
  #refused = 0;
  #closing: Promise<void> | undefined;

  /** Throws CONFIG_INVALID when the name is in use in this process, and the store's errors. */
  constructor(store: StateStore, options: OutboxOptions, { clock = systemClock, random = Math.random }: { clock?: Clock; random?: Random } = {}) {
    this.#store = store;
    this.#options = options;
    this.#clock = clock;
    this.#rows = new OutboxRows(options.name);
    this.#giveBackName = store.claim(`outbox ${options.name}`);
    try {
      this.#totals = store.read((database) => this.#rows.totals(database));
    } catch (error) {
      this.#giveBackName();
      throw error;
    }
    this.#drain = new OutboxDrain({
      store,
      rows: this.#rows,
      batchSize: options.batchSize ?? 100,
      perKey: options.perKey ?? false,
      maxInFlight: options.perKey ? (options.maxInFlight ?? 4) : 1,
      backoff: options.backoff ?? { base: 2, max: 60 },
      onDead: options.onDead ?? (() => undefined),
      onTotals: (totals) => (this.#totals = totals),
      clock,
      random,
    });
  }

  /**
   * Resolves, when the stored ones are on disk, with one result per item. Rejects, with none stored, with BAD_MESSAGE for a payload that is
   * not JSON, with STORE_FULL when the disk is full (and dropping the oldest did not help), and with the store's other errors.
   */
  async put(items: readonly OutboxItem[]): Promise<PutResult[]> {
    if (this.#closing) throw new CodedError('STORE_FAILED', `outbox ${this.#options.name} is closed`);
    if (items.length === 0) return [];
    const rows = items.map((item) => toRow(item, this.#clock.now()));
    const { results, dropped, swept, totals } = await this.#admitted(rows);
    this.#totals = totals;
    this.#drain.deleted(swept);
    this.#dropped += dropped.length;
    this.#refused += results.filter((result) => result === 'refused').length;
    if (dropped.length > 0) this.#options.onDropped?.(dropped.map(toItem));
    this.#drain.wake();
    return results;
  }

  /** Begins to send, and goes on until {@link close}. To be called once. */
  drain(send: Send): void {
    this.#drain.start(send);
  }

  counts(): OutboxCounts {
    const oldest = this.#drain.oldest();
    return {
      items: Math.max(0, this.#totals.items - this.#drain.sent.size),
      bytes: this.#totals.bytes,
      oldestAgeMs: oldest ? Math.max(0, this.#clock.now() - oldest.putAt) : null,
      inFlight: this.#drain.sending.size,
      delivered: this.#drain.delivered,
      dead: this.#drain.dead,
      dropped: this.#dropped,
      refused: this.#refused,
      failure: this.#drain.failure ?? null,
    };
  }

  /**
   * Takes no more, aborts what is being sent, waits at most 1.5 s for its results, and commits what is known by then. Items without a result
   * are sent again by the next outbox of this name. Never rejects; does not release the store.
   */
  close(): Promise<void> {
    this.#closing ??= this.#drain.close().finally(() => this.#giveBackName());
    return this.#closing;
  }

  /** While the disk is full, what the oldest items give back is all there is. */
  async #admitted(rows: readonly NewRow[]): Promise<Admission> {
    const asked = rows.reduce((sum, { bytes }) => sum + bytes, 0);
    for (let factor = 0; ; factor = factor === 0 ? 2 : factor * 4) {
      try {
        return await this.#store.write((database) => this.#admit(database, rows, factor * asked));
      } catch (error) {
        const full = error instanceof CodedError && error.code === 'STORE_FULL';
        if (!full || this.#options.whenFull === 'refuse-new' || factor > 2) throw error;
      }
    }
  }

  #admit(database: Sqlite, rows: readonly NewRow[], bytesToFree: number): Admission {
    const made: Admission = { results: [], dropped: [], swept: [], totals: this.#rows.totals(database) };
    if (bytesToFree > 0) this.#sweep(database, made);
    for (let freed = 0; freed < bytesToFree; ) {
      const row = this.#dropOldest(database, made);
      if (!row) break;
      freed += row.bytes;
    }
    for (const row of rows) made.results.push(this.#admitOne(database, row, made));
    return made;
  }

  #admitOne(database: Sqlite, row: NewRow, made: Admission): PutResult {
    if (this.#rows.has(database, row.id)) return 'known';
    if (!this.#makeRoom(database, row, made)) return 'refused';
    this.#rows.insert(database, row);
    made.totals = this.#rows.totals(database);
    return 'stored';
  }

  #makeRoom(database: Sqlite, { bytes }: NewRow, made: Admission): boolean {
    const { maxItems, maxBytes, whenFull } = this.#options;
    if (bytes > maxBytes) return false;
    const fits = (): boolean => made.totals.items < maxItems && made.totals.bytes + bytes <= maxBytes;
    if (!fits()) this.#sweep(database, made);
    while (!fits()) if (whenFull === 'refuse-new' || !this.#dropOldest(database, made)) return false;
    return true;
  }

  /** What was sent but could not be deleted yet goes before anything unsent. */
  #sweep(database: Sqlite, made: Admission): void {
    if (made.swept.length > 0) return;
    made.swept = [...this.#drain.sent];
    this.#rows.delete(database, made.swept);
    made.totals = this.#rows.totals(database);
  }

  /** Not one that is being sent: it may arrive all the same. */
  #dropOldest(database: Sqlite, made: Admission): OutboxRow | undefined {
    const row = this.#rows.oldest(database, this.#drain.sending);
    if (!row) return undefined;
    this.#rows.delete(database, [row.seq]);
    made.dropped.push(row);
    made.totals = this.#rows.totals(database);
    return row;
  }
}
