/** Takes what waits in an outbox to its target: in order, in batches, and again after a failure. */
import { Backoff, type BackoffOptions } from './backoff';
import { pause, type Clock, type Random } from './clock';
import { CodedError, coded, type Reason } from './errors';
import { toItem, type ItemResult, type OutboxItem, type Send } from './outbox-item';
import type { OutboxRow, OutboxRows, Totals } from './store/outbox-rows';
import type { StateStore } from './store/state-store';

export interface OutboxDrainOptions {
  store: StateStore;
  rows: OutboxRows;
  batchSize: number;
  perKey: boolean;
  maxInFlight: number;
  backoff: BackoffOptions;
  onDead: (item: OutboxItem, reason: Reason) => void | Promise<void>;
  onTotals: (totals: Totals) => void;
  clock: Clock;
  random: Random;
}

/** How long closing waits for what is being sent. Milliseconds. */
const CLOSE_MS = 1500;
/** Rows per DELETE. */
const MAX_DELETED = 1000;

/**
 * Memory holds the batches in flight, the keys that wait for another attempt, and the numbers of items that were sent and are not
 * deleted yet (few, unless the disk is full); all else is read from the store when its turn comes.
 */
export class OutboxDrain {
  /** By sequence number: being sent; sent but still on disk. */
  readonly sending = new Set<number>();
  readonly sent = new Set<number>();
  delivered = 0;
  dead = 0;

  readonly #options: OutboxDrainOptions;
  readonly #abort = new AbortController();
  readonly #batches = new Set<Promise<void>>();
  /** Everything before it is sent, being sent, or of a blocked key. */
  #next = 0;
  /** Keys whose items must wait, with the first that does: one batch of theirs is in flight, or failed a while ago. */
  readonly #blocked = new Map<string, number>();
  readonly #keyBackoffs = new Map<string, Backoff>();
  readonly #backoff: Backoff;
  readonly #deleteBackoff: Backoff;
  #send: Send | undefined;
  /** The target, or the store, is away. */
  #paused = false;
  #sendFailure: CodedError | undefined;
  #deleteFailure: CodedError | undefined;
  #woken = false;
  #deleting: Promise<void> | undefined;

  constructor(options: OutboxDrainOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#deleteBackoff = new Backoff({ base: 2, max: 30 }, options.random);
  }

  start(send: Send): void {
    if (this.#send) throw new CodedError('NODE_FAILED', 'an outbox is drained to one target');
    this.#send = send;
    this.wake();
  }

  /** There may be something to send. Looks once for many calls. */
  wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    queueMicrotask(() => {
      this.#woken = false;
      this.#dispatch();
    });
  }

  get failure(): CodedError | undefined {
    return this.#sendFailure ?? this.#deleteFailure;
  }

  /** They are gone from the store. */
  deleted(seqs: Iterable<number>): void {
    for (const seq of seqs) this.sent.delete(seq);
  }

  /** The first item that is not sent, or undefined where there is none or the store cannot be read. */
  oldest(): OutboxRow | undefined {
    const { store, rows } = this.#options;
    try {
      return store.read((database) => rows.oldest(database, this.sent));
    } catch {
      return undefined;
    }
  }

  /** Never rejects. */
  async close(): Promise<void> {
    this.#abort.abort();
    const given = new AbortController();
    await Promise.race([Promise.all(this.#batches), pause(this.#options.clock, CLOSE_MS, given.signal)]);
    given.abort();
    // An attempt under way settles with the commit; what came in since is one more.
    for (let left = -1; this.sent.size !== left; ) {
      left = this.sent.size;
      this.#deleteSent();
      this.#options.store.flush();
      await this.#deleting;
    }
    this.#options.store.flush();
  }

  #dispatch(): void {
    const { maxInFlight } = this.#options;
    while (this.#send && !this.#paused && !this.#closed && this.#batches.size < maxInFlight) {
      let batch: OutboxRow[];
      try {
        batch = this.#take();
      } catch (error) {
        this.#pause(coded(error, 'STORE_FAILED'));
        return;
      }
      if (batch.length === 0) return;
      for (const { seq } of batch) this.sending.add(seq);
      const sending = this.#deliver(batch, this.#send).finally(() => {
        this.#batches.delete(sending);
        this.wake();
      });
      this.#batches.add(sending);
    }
  }

  get #closed(): boolean {
    return this.#abort.signal.aborted;
  }

  #take(): OutboxRow[] {
    for (;;) {
      const found = this.#read();
      const unsent = found.filter(({ seq }) => !this.sent.has(seq));
      const [first] = unsent;
      const seen = this.#options.perKey ? (first ?? found.at(-1)) : found.at(-1);
      if (seen) this.#next = seen.seq + 1;
      if (first) return this.#options.perKey ? this.#takeOfKey(first) : unsent;
      if (!seen) return [];
    }
  }

  #takeOfKey({ key, seq }: OutboxRow): OutboxRow[] {
    const { store, rows, batchSize } = this.#options;
    const found = store.read((database) => rows.nextOfKey(database, { key, from: seq, limit: batchSize }));
    this.#blocked.set(key, (found.at(-1)?.seq ?? seq) + 1);
    return found.filter((row) => !this.sent.has(row.seq));
  }

  #read(): OutboxRow[] {
    const { store, rows, batchSize } = this.#options;
    return store.read((database) => rows.next(database, { from: this.#next, exceptKeys: this.#blocked.keys(), limit: batchSize }));
  }

  async #deliver(batch: readonly OutboxRow[], send: Send): Promise<void> {
    let results: readonly ItemResult[];
    try {
      results = await this.#results(batch, send);
    } catch (error) {
      for (const { seq, key } of batch) {
        this.sending.delete(seq);
        this.#unblock(key, seq);
      }
      if (!this.#closed) this.#pause(coded(error));
      return;
    }
    this.#backoff.reset();
    this.#sendFailure = undefined;
    const retried = new Map<string, number>();
    for (const [at, row] of batch.entries()) {
      const done = await this.#settle(row, results[at]);
      this.sending.delete(row.seq);
      if (done) this.sent.add(row.seq);
      else if (!retried.has(row.key)) retried.set(row.key, row.seq);
    }
    for (const { key } of batch) if (!retried.has(key)) this.#succeeded(key);
    for (const [key, seq] of retried) this.#retryLater(key, seq);
    this.#deleteSent();
  }

  /** Those of damaged items need no sending. */
  async #results(batch: readonly OutboxRow[], send: Send): Promise<readonly ItemResult[]> {
    const items = batch.map(toItem);
    const whole = items.filter(({ payload }) => payload !== undefined);
    const sent = whole.length > 0 ? await send(whole, this.#abort.signal) : [];
    if (sent.length !== whole.length) throw new CodedError('NODE_FAILED', `${whole.length} items were sent, but ${sent.length} results came back`);
    const results = sent.values();
    const damaged: ItemResult = { dead: { code: 'STORE_CORRUPT', text: 'the item was damaged in the state store' } };
    return items.map(({ payload }) => (payload === undefined ? damaged : (results.next().value ?? 'retry')));
  }

  /** Whether the item is done with. */
  async #settle(row: OutboxRow, result: ItemResult | undefined): Promise<boolean> {
    if (result === 'delivered') {
      this.delivered++;
      return true;
    }
    if (typeof result !== 'object') return false;
    try {
      await this.#options.onDead(toItem(row), result.dead);
      this.dead++;
      return true;
    } catch (error) {
      this.#sendFailure = coded(error);
      return false;
    }
  }

  #succeeded(key: string): void {
    this.#keyBackoffs.delete(key);
    const from = this.#blocked.get(key);
    if (from !== undefined) this.#unblock(key, from);
  }

  #unblock(key: string, from: number): void {
    this.#blocked.delete(key);
    this.#next = Math.min(this.#next, from);
  }

  #retryLater(key: string, seq: number): void {
    const { backoff: options, clock, random } = this.#options;
    let backoff = this.#keyBackoffs.get(key);
    if (!backoff) this.#keyBackoffs.set(key, (backoff = new Backoff(options, random)));
    this.#blocked.set(key, seq);
    clock.after(backoff.next(), () => {
      this.#unblock(key, seq);
      this.wake();
    });
  }

  #pause(failure: CodedError): void {
    this.#sendFailure = failure;
    if (this.#paused) return;
    this.#paused = true;
    this.#options.clock.after(this.#backoff.next(), () => {
      this.#paused = false;
      this.wake();
    });
  }

  /** While that fails, as on a full disk, sending goes on: the numbers are remembered and deleted when the store can. */
  #deleteSent(): void {
    if (this.#deleting || this.sent.size === 0) return;
    const { store, rows, onTotals, clock } = this.#options;
    const seqs = [...this.sent].slice(0, MAX_DELETED);
    const deletion = store.write(
      (database) => {
        rows.delete(database, seqs);
        return rows.totals(database);
      },
      { frees: true },
    );
    this.#deleting = deletion.then(
      (totals) => {
        this.#deleting = undefined;
        this.#deleteBackoff.reset();
        this.#deleteFailure = undefined;
        this.deleted(seqs);
        onTotals(totals);
        this.#deleteSent();
      },
      (error: unknown) => {
        this.#deleting = undefined;
        this.#deleteFailure = coded(error, 'STORE_FAILED');
        if (!this.#closed) clock.after(this.#deleteBackoff.next(), () => this.#deleteSent());
      },
    );
  }
}
