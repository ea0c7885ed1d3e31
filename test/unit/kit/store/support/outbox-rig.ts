/** An outbox on a real store, a clock that stands still, and a target that answers when it is told to. */
import { onTestFinished } from 'vitest';
import { Outbox, type ItemResult, type OutboxItem, type OutboxOptions, type PutResult, type SendResult } from '../../../../../nodes/kit/outbox';
import { openStateStore, type StateStore, type StateStoreOptions } from '../../../../../nodes/kit/store/state-store';
import { ManualClock } from '../../../support/manual-clock';
import { temporaryFolder } from './folder';

/** Long enough for any back-off of these tests. */
export const A_WHILE = 120_000;

/** A batch that the target has been given and has not answered yet. */
export class Sending {
  readonly items: readonly OutboxItem[];
  readonly answer: (results: SendResult) => void;
  readonly fail: (error: Error) => void;
  readonly result: Promise<SendResult>;

  constructor(items: readonly OutboxItem[], signal: AbortSignal) {
    this.items = items;
    let [answer, fail]: [(results: SendResult) => void, (error: Error) => void] = [() => undefined, () => undefined];
    this.result = new Promise((resolve, reject) => ([answer, fail] = [resolve, reject]));
    this.answer = answer;
    this.fail = fail;
    signal.addEventListener('abort', () => fail(new Error('aborted')));
  }

  get ids(): string[] {
    return this.items.map(({ id }) => id);
  }
}

export class OutboxRig {
  readonly clock = new ManualClock();
  readonly options: OutboxOptions;
  readonly dead: string[] = [];
  readonly dropped: string[] = [];
  /** In flight, in the order in which they were sent. */
  readonly sending: Sending[] = [];
  readonly #userDir = temporaryFolder();
  readonly #storeOptions: StateStoreOptions;
  store: StateStore;
  outbox: Outbox;

  constructor(options: Partial<OutboxOptions> = {}, storeOptions: StateStoreOptions = {}) {
    this.#storeOptions = { preallocateBytes: 64 * 1024, clock: this.clock, ...storeOptions };
    this.options = {
      name: 'sink',
      maxItems: 1000,
      maxBytes: 10_000_000,
      whenFull: 'refuse-new',
      batchSize: 3,
      onDead: ({ id }) => void this.dead.push(id),
      onDropped: (items) => void this.dropped.push(...items.map(({ id }) => id)),
      ...options,
    };
    [this.store, this.outbox] = this.#open();
    onTestFinished(() => this.stop());
  }

  #open(): [StateStore, Outbox] {
    const store = openStateStore(this.#userDir, this.#storeOptions);
    return [store, new Outbox(store, this.options, { clock: this.clock, random: () => 0.5 })];
  }

  /** `key:n` makes an item of that key with that id. */
  async put(...ids: string[]): Promise<PutResult[]> {
    const put = this.outbox.put(ids.map((id) => ({ key: id.split(':')[0]!, id, payload: { id } })));
    await this.quiet();
    return put;
  }

  async drain(): Promise<void> {
    this.outbox.drain((items, signal) => {
      const sending = new Sending(items, signal);
      this.sending.push(sending);
      return sending.result.finally(() => this.sending.splice(this.sending.indexOf(sending), 1));
    });
    await this.quiet();
  }

  /** Answers the batch that has been in flight longest, all alike or one by one. */
  async answer(results: ItemResult | ItemResult[]): Promise<string[]> {
    const sending = this.sending[0];
    if (!sending) throw new Error('nothing is being sent');
    sending.answer(Array.isArray(results) ? results : sending.items.map(() => results));
    await this.quiet();
    return sending.ids;
  }

  async fail(): Promise<string[]> {
    const sending = this.sending[0];
    if (!sending) throw new Error('nothing is being sent');
    sending.fail(new Error('target is away'));
    await this.quiet();
    return sending.ids;
  }

  /** Delivers all there is, and gives the ids in the order in which they were sent. */
  async deliverAll(): Promise<string[]> {
    const ids: string[] = [];
    for (let idle = 0; idle < 2; idle++) {
      while (this.sending.length > 0) {
        ids.push(...(await this.answer('delivered')));
        idle = 0;
      }
      await this.pass(A_WHILE);
    }
    return ids;
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.quiet();
  }

  /** Until commits are made and everything that follows from them has happened. */
  async quiet(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      this.store.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async stop(): Promise<void> {
    await this.outbox.close();
    this.store.release();
  }

  async restart(): Promise<void> {
    await this.stop();
    [this.store, this.outbox] = this.#open();
    await this.drain();
  }
}
