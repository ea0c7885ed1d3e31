/**
 * Between a node's messages and its database. While the database answers, messages gather for a moment and go there as one batch.
 * While it does not, they go to the outbox on disk and from there, in order, when it is back; new ones queue up behind.
 *
 * What is both in flight and in the outbox is applied twice, and the ledger makes that once.
 */
import { Backoff } from '../kit/backoff';
import { pause, type Clock, type Random } from '../kit/clock';
import { CodedError, coded, reasonOf } from '../kit/errors';
import type { ItemResult, Outbox, OutboxItem } from '../kit/outbox';
import type { Outcome } from './apply-batch';

export interface SinkItem<Payload> {
  /** Two with the same one, while the first still waits, are one item. */
  id: string;
  /** JSON. */
  payload: Payload;
}

/** What became of an item: the database has it, it never will, or it waits on disk. */
export type Settled<Result> = { state: 'done'; result: Result } | { state: 'dead'; error: CodedError } | { state: 'waiting' };

/** As much of it as is used here. */
export type SinkOutbox = Pick<Outbox, 'put' | 'drain' | 'counts' | 'close'>;

export interface SinkOptions<Payload, Result> {
  /** An outcome for each, in order; never throws. */
  apply: (items: readonly SinkItem<Payload>[]) => Promise<Outcome<Result>[]>;
  /** Of an item that had been waiting. Throws where it cannot be handed on now; it is then settled again later. */
  onSettled: (item: SinkItem<Payload>, settled: Exclude<Settled<Result>, { state: 'waiting' }>) => void;
  /** The database, or the outbox, does not work, or works again. */
  onDown: (error: CodedError) => void;
  onUp: () => void;
  /** Items per batch, and how long the first of a batch waits for others, ms. */
  batchSize: number;
  lingerMs: number;
  clock: Clock;
  random: Random;
}

interface Entry<Payload, Result> {
  item: SinkItem<Payload>;
  /** In the order of arrival. */
  seq: number;
  /** On disk: it settles from there. */
  kept: boolean;
  settle: (settled: Settled<Result>) => void;
  reject: (error: CodedError) => void;
}

/** After so long without an answer the messages go to disk, so that whoever waits for them need not. */
const PATIENCE_MS = 2000;
/** Messages that wait in memory; more go to disk. */
const MAX_PENDING = 5000;
/** Messages in memory, those on their way to disk included; more are refused. */
const MAX_HELD = 50_000;
const CLOSE_MS = 4000;

export class DurableSink<Payload, Result> {
  readonly #options: SinkOptions<Payload, Result>;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  #outbox: SinkOutbox | undefined;
  #pending: Entry<Payload, Result>[] = [];
  #inFlight: Entry<Payload, Result>[] = [];
  #working: Promise<void> | undefined;
  #seq = 0;
  /** On disk, and on the way there. Below 0 for a moment where an item is sent before its put has returned. */
  #waiting = 0;
  #spilling = 0;
  readonly #keeping = new Set<Promise<boolean>>();

  constructor(options: SinkOptions<Payload, Result>) {
    this.#options = options;
    this.#backoff = new Backoff({ base: 2, max: 30 }, options.random);
  }

  /** In memory and on disk. */
  get waiting(): number {
    return this.#waiting + this.#spilling + this.#pending.length + this.#inFlight.length;
  }

  /** Age of the oldest on disk, ms; null where nothing is there. Reads the disk, and sets {@link waiting} right. */
  oldestOnDisk(): number | null {
    const counts = this.#outbox?.counts();
    if (!counts) return null;
    if (this.#keeping.size === 0) this.#waiting = counts.items;
    return counts.oldestAgeMs;
  }

  /** What was waiting since an earlier run begins to go out. Once. */
  use(outbox: SinkOutbox): void {
    this.#outbox = outbox;
    this.#waiting = outbox.counts().items;
    outbox.drain((items) => this.#drain(items));
  }

  /** Dropped from the outbox to make room. */
  dropped(count: number): void {
    this.#waiting -= count;
  }

  /** Rejects with OUTBOX_FULL where the database is away and the item cannot be kept either. */
  put(item: SinkItem<Payload>): Promise<Settled<Result>> {
    return new Promise((settle, reject) => {
      const entry = { item, seq: this.#seq++, kept: false, settle, reject };
      if (this.#pending.length + this.#spilling >= MAX_HELD) {
        reject(new CodedError('OUTBOX_FULL', 'the database does not take messages and no more can be kept; this one is refused'));
      } else if (this.#closing.signal.aborted) {
        void this.#keepOrReject([entry]);
      } else {
        this.#pending.push(entry);
        const first = this.#pending.length === 1;
        if ((this.#behind && first) || this.#pending.length % MAX_PENDING === 0) void this.#keep(this.#pending);
        this.#start();
      }
    });
  }

  /** What is in memory goes to disk. At most some 4 s. */
  async close(): Promise<void> {
    this.#closing.abort();
    const given = new AbortController();
    await Promise.race([this.#working, pause(this.#options.clock, CLOSE_MS, given.signal)]);
    given.abort();
    await Promise.all(this.#keeping);
    const left = [...this.#inFlight, ...this.#pending].filter(({ kept }) => !kept);
    this.#inFlight = [];
    this.#pending = [];
    await this.#keepOrReject(left);
    await this.#outbox?.close();
  }

  /** There is something on disk, or about to be, that must go first. */
  get #behind(): boolean {
    return this.#outbox !== undefined && this.#waiting + this.#spilling > 0;
  }

  #start(): void {
    if (this.#working || this.#pending.length === 0 || this.#closing.signal.aborted) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
      this.#start();
    });
  }

  async #work(): Promise<void> {
    const { batchSize, lingerMs, clock } = this.#options;
    const { signal } = this.#closing;
    if (this.#pending.length < batchSize) await pause(clock, lingerMs, signal);
    while (this.#pending.length > 0 && !signal.aborted) {
      if (this.#behind && (await this.#keep(this.#pending))) continue;
      this.#inFlight = this.#pending.splice(0, batchSize);
      const outOfPatience = clock.after(PATIENCE_MS, () => void this.#keep([...this.#inFlight, ...this.#pending]));
      const outcomes = await this.#options.apply(this.#inFlight.map(({ item }) => item));
      outOfPatience();
      const failure = this.#settleBatch(outcomes);
      if (failure) await this.#afterFailure(failure);
      else this.#succeeded();
    }
  }

  /** What is left of the batch in flight stays in front of what is pending. */
  #settleBatch(outcomes: readonly Outcome<Result>[]): CodedError | undefined {
    const left: Entry<Payload, Result>[] = [];
    let failure: CodedError | undefined;
    for (const [index, entry] of this.#inFlight.entries()) {
      const outcome = outcomes[index];
      if (outcome?.state === 'done' || outcome?.state === 'dead') {
        entry.settle(outcome);
        continue;
      }
      failure ??= outcome?.error;
      if (!entry.kept) left.push(entry);
    }
    this.#inFlight = [];
    this.#pending.unshift(...left);
    return failure;
  }

  async #afterFailure(failure: CodedError): Promise<void> {
    this.#options.onDown(failure);
    if (this.#pending.length === 0 || (await this.#keep(this.#pending))) return;
    await pause(this.#options.clock, this.#backoff.next(), this.#closing.signal);
  }

  #succeeded(): void {
    this.#backoff.reset();
    this.#options.onUp();
  }

  async #keepOrReject(entries: readonly Entry<Payload, Result>[]): Promise<void> {
    if (entries.length === 0 || (await this.#keep(entries))) return;
    for (const { reject } of entries) reject(new CodedError('SQL_UNAVAILABLE', 'the node was stopped before the database had the message'));
  }

  /** Puts them on disk, in this order. False where that did not work: then they are where they were. */
  #keep(given: readonly Entry<Payload, Result>[]): Promise<boolean> {
    if (!this.#outbox) return Promise.resolve(false);
    const keeping = this.#keepIn(this.#outbox, [...given]).finally(() => this.#keeping.delete(keeping));
    this.#keeping.add(keeping);
    return keeping;
  }

  async #keepIn(outbox: SinkOutbox, entries: readonly Entry<Payload, Result>[]): Promise<boolean> {
    const moved = new Set(entries);
    const held = this.#pending.filter((entry) => moved.has(entry));
    this.#pending = this.#pending.filter((entry) => !moved.has(entry));
    this.#spilling += entries.length;
    try {
      const results = await outbox.put(entries.map(({ item }) => ({ key: 'sink', ...item })));
      this.#waiting += results.filter((result) => result === 'stored').length;
      for (const [index, entry] of entries.entries()) {
        entry.kept = true;
        if (results[index] === 'refused') entry.reject(new CodedError('OUTBOX_FULL', 'the database is away and the outbox is full; this message is refused'));
        else entry.settle({ state: 'waiting' });
      }
      return true;
    } catch (error) {
      this.#options.onDown(coded(error));
      this.#pending = [...held, ...this.#pending].sort((a, b) => a.seq - b.seq);
      return false;
    } finally {
      this.#spilling -= entries.length;
      this.#start();
    }
  }

  async #drain(items: readonly OutboxItem[]): Promise<ItemResult[]> {
    const sinkItems = items.map(({ id, payload }) => ({ id, payload: payload as Payload }));
    const outcomes = await this.#options.apply(sinkItems);
    const [first] = outcomes;
    if (first?.state === 'retry') {
      this.#options.onDown(first.error);
      throw first.error;
    }
    const results = outcomes.map((outcome, index): ItemResult => {
      const item = sinkItems[index];
      if (!item || outcome.state === 'retry') return 'retry';
      try {
        this.#options.onSettled(item, outcome);
      } catch {
        return 'retry';
      }
      this.#waiting--;
      return outcome.state === 'done' ? 'delivered' : { dead: reasonOf(outcome.error) };
    });
    if (!results.includes('retry')) this.#options.onUp();
    return results;
  }
}
