/** What the nodes that write to a database have in common: outbox, batches, counters, status. */
import type { z } from 'zod';
import { Backoff } from '../kit/backoff';
import { field } from '../kit/config';
import { CodedError, coded, reasonOf } from '../kit/errors';
import type { Kit } from '../kit/node';
import { Outbox, type OutboxOptions } from '../kit/outbox';
import { openStateStore, type StateStore } from '../kit/store/state-store';
import { applyBatch, type Outcome } from './apply-batch';
import { DurableSink, type Settled, type SinkItem } from './durable-sink';
import type { SqlConnection } from './sql-connection';

/** Properties of every sink. */
export const sinkFields = {
  database: field.text(''),
  /** Name of the effect in the ledger; the same in all workers. */
  effect: field.text(''),
  /** What the event of the schedule is called where the message does not say. */
  eventName: field.text(''),
  batchSize: field.number({ min: 1, max: 1000, fallback: 500, integer: true }),
  lingerMs: field.number({ min: 0, max: 5000, fallback: 50, integer: true }),
  outboxMaxItems: field.number({ min: 1, max: 10_000_000, fallback: 100_000, integer: true }),
  outboxMaxMegabytes: field.number({ min: 1, max: 10_000, fallback: 64 }),
  whenFull: field.choice(['refuse-new', 'drop-oldest'], 'refuse-new'),
};
export type SinkConfig = z.infer<z.ZodObject<typeof sinkFields>>;

/** What is kept of a message: what is needed to write it, and to send it on. JSON. */
export type Excerpt = Record<string, unknown>;

/** @throws CodedError BAD_MESSAGE where it is not JSON */
export function excerptOf(msg: object, properties: Iterable<string>): Excerpt {
  const all = msg as Record<string, unknown>;
  const chosen: Excerpt = {};
  for (const name of properties) if (all[name] !== undefined) chosen[name] = all[name];
  try {
    return JSON.parse(JSON.stringify(chosen)) as Excerpt;
  } catch (cause) {
    throw new CodedError('BAD_MESSAGE', 'the message holds what is not JSON', { cause });
  }
}

/** The event of the schedule that the message belongs to, or ''. */
export function eventNameOf(msg: object, fallback: string): string {
  const { event } = msg as { event?: { name?: unknown } | null };
  return typeof event?.name === 'string' && event.name.trim() !== '' ? event.name.trim() : fallback;
}

export interface SinkWork<Item, Result> {
  kit: Kit<SinkConfig>;
  connection: SqlConnection;
  /** Of the whole node. */
  effect: string;
  /** What is to be written of an excerpt, and when it happened, ms since 1970. @throws CodedError: it never can be */
  read: (excerpt: Excerpt, id: string) => Item & { at: number };
  /** All in one transaction, a result for each. */
  apply: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Of one that had been waiting, on the outputs, or null. */
  message: (excerpt: Excerpt, result: Result) => (object | null)[] | null;
  /** What the status `written` says; how many were written, if left out. */
  written?: () => Record<string, string | number>;
}

const STATUS_MS = 1000;
const AGE_MS = 5000;
const MEGABYTE = 1_000_000;

export class SinkNode<Item, Result> {
  readonly #work: SinkWork<Item, Result>;
  readonly #sink: DurableSink<Excerpt, Result>;
  #failure: CodedError | undefined;
  #statusDue: (() => void) | undefined;
  #release: () => void = () => undefined;

  /** @throws CodedError CONFIG_INVALID */
  constructor(work: SinkWork<Item, Result>) {
    const { kit } = work;
    this.#work = work;
    this.#sink = new DurableSink<Excerpt, Result>({
      apply: (items) => this.#apply(items),
      onSettled: (item, settled) => this.#settledLater(item.payload, settled),
      onDown: (error) => {
        this.#failure = error;
        kit.down(error);
        this.#show();
      },
      onUp: () => {
        this.#failure = undefined;
        kit.up('the database takes events again');
        this.#show();
      },
      batchSize: kit.config.batchSize,
      lingerMs: kit.config.lingerMs,
      clock: kit.clock,
      random: kit.random,
    });
    this.#openOutbox(new Backoff({ base: 2, max: 60 }, kit.random));
    this.#show();
  }

  /** Resolves when the database has it or has refused it, or the disk has it. Rejects where neither takes it. */
  async put(id: string, excerpt: Excerpt): Promise<Settled<Result>> {
    const settled = await this.#sink.put({ id, payload: excerpt });
    if (settled.state === 'dead') this.#work.kit.counters.dead_lettered++;
    this.#show();
    return settled;
  }

  async close(): Promise<void> {
    this.#statusDue?.();
    await this.#sink.close();
    this.#release();
  }

  async #apply(items: readonly SinkItem<Excerpt>[]): Promise<Outcome<Result>[]> {
    const { kit, connection, read, apply } = this.#work;
    const outcomes: Outcome<Result>[] = [];
    const good: { at: number; item: Item & { at: number } }[] = [];
    for (const [at, { id, payload }] of items.entries()) {
      try {
        const item = read(payload, id);
        connection.retention.assertRemembered(item.at, kit.clock.now());
        good.push({ at, item });
      } catch (error) {
        outcomes[at] = { state: 'dead', error: coded(error) };
      }
    }
    const applied = await applyBatch(
      good.map(({ item }) => item),
      {
        apply: async (part) => {
          await connection.prepare();
          return apply(part);
        },
        clock: kit.clock,
        random: kit.random,
        signal: kit.signal,
      },
    );
    for (const [index, outcome] of applied.entries()) {
      const at = good[index]?.at;
      if (at !== undefined) outcomes[at] = outcome;
    }
    return outcomes;
  }

  /** Throws once the node is stopped: then it cannot send, and the next one settles it. */
  #settledLater(excerpt: Excerpt, settled: Exclude<Settled<Result>, { state: 'waiting' }>): void {
    const { kit, message } = this.#work;
    if (kit.signal.aborted) throw new CodedError('CONNECTION_LOST', 'the node was stopped');
    this.#show();
    if (settled.state === 'dead') {
      kit.counters.dead_lettered++;
      kit.send([null, { ...excerpt, reason: reasonOf(settled.error) }]);
      return;
    }
    const messages = message(excerpt, settled.result);
    if (messages) kit.send(messages);
  }

  #openOutbox(backoff: Backoff): void {
    const { kit, effect } = this.#work;
    const { outboxMaxItems: maxItems, outboxMaxMegabytes, whenFull } = kit.config;
    const options: Omit<OutboxOptions, 'name'> = {
      maxItems,
      maxBytes: outboxMaxMegabytes * MEGABYTE,
      whenFull,
      batchSize: kit.config.batchSize,
      backoff: { base: 2, max: 30 },
      // Refused ones have been sent on already; what damage to the file has left unreadable has not.
      onDead: ({ payload }, { code, text }) => {
        if (payload !== undefined) return;
        kit.counters.dead_lettered++;
        kit.warnRarely(new CodedError(code, text));
      },
      onDropped: (items) => {
        this.#sink.dropped(items.length);
        kit.counters.failed += items.length;
        const reason = { code: 'OUTBOX_FULL', text: 'dropped to make room for newer events while the database was away' };
        for (const { payload } of items) kit.send([null, { ...(payload as Excerpt), reason }]);
      },
    };
    try {
      const store = openStateStore(kit.userDir, {
        onRecovered: ({ path }) => kit.warn(new CodedError('STORE_CORRUPT', `the store was damaged; what could be read of it is kept, the file is set aside as ${path}`)),
      });
      try {
        this.#sink.use(openNamed(store, [`sql ${effect}`, `sql ${effect} ${kit.id}`], options, kit));
      } catch (error) {
        store.release();
        throw error;
      }
      this.#release = () => store.release();
      this.#show();
    } catch (error) {
      // A process that is ending may hold the store for a while; until then events go to the database directly, or wait in memory.
      kit.warnRarely(coded(error));
      const cancel = kit.clock.after(backoff.next(), kit.guard(() => this.#openOutbox(backoff)));
      kit.signal.addEventListener('abort', cancel, { once: true });
    }
  }

  /** At most once a second, and every few seconds while something waits, for its age. */
  #show(afterMs = STATUS_MS): void {
    const { kit } = this.#work;
    if (this.#statusDue || kit.signal.aborted) return;
    this.#statusDue = kit.clock.after(
      afterMs,
      kit.guard(() => {
        this.#statusDue = undefined;
        const seconds = Math.round((this.#sink.oldestOnDisk() ?? 0) / 1000);
        const count = this.#sink.waiting;
        if (this.#failure) {
          kit.status('red', 'ring', 'away', { reason: kit.translate(`reason.${this.#failure.code}`), count, seconds });
        } else if (count > 0) kit.status('yellow', 'ring', 'waiting', { count, seconds });
        else kit.status('green', 'dot', 'written', this.#work.written?.() ?? { count: kit.counters.published });
        if (this.#failure || count > 0) this.#show(AGE_MS);
      }),
    );
  }
}

/** Two nodes of one effect each have an outbox of their own; the first has the name that also survives an import. */
function openNamed(store: StateStore, names: readonly string[], options: Omit<OutboxOptions, 'name'>, { clock, random }: Pick<Kit<unknown>, 'clock' | 'random'>): Outbox {
  const [name = '', ...others] = names;
  try {
    return new Outbox(store, { ...options, name }, { clock, random });
  } catch (error) {
    if (others.length === 0 || !(error instanceof CodedError && error.code === 'CONFIG_INVALID')) throw error;
    return openNamed(store, others, options, { clock, random });
  }
}
