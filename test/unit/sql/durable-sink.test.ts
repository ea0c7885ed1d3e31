import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodedError } from '../../../nodes/kit/errors';
import type { OutboxItem, PutResult, Send } from '../../../nodes/kit/outbox';
import type { Outcome } from '../../../nodes/sql/apply-batch';
import { DurableSink, type Settled, type SinkItem, type SinkOutbox } from '../../../nodes/sql/durable-sink';
import { ManualClock } from '../support/manual-clock';

/** Lets promises settle. */
const turn = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

/** A database with a ledger: each id once, in the order in which they came first. */
class Ledger {
  readonly applied: string[] = [];
  readonly batches: number[] = [];
  available = true;
  /** Answers only when told to. */
  held: (() => void)[] | undefined;

  async apply(items: readonly SinkItem<string>[]): Promise<Outcome<string>[]> {
    if (this.held) await new Promise<void>((resolve) => this.held?.push(resolve));
    if (!this.available) return items.map(() => ({ state: 'retry', error: new CodedError('SQL_UNAVAILABLE', 'away') }));
    this.batches.push(items.length);
    return items.map(({ id, payload }): Outcome<string> => {
      if (payload === 'poison') return { state: 'dead', error: new CodedError('SQL_ROW_REFUSED', 'does not fit') };
      const known = this.applied.includes(id);
      if (!known) this.applied.push(id);
      return { state: 'done', result: known ? 'already' : 'new' };
    });
  }
}

/** The outbox's contract, on a disk that is an array. */
class Disk implements SinkOutbox {
  items: OutboxItem[];
  failing = false;
  limit = Infinity;
  #send: Send | undefined;
  #draining = false;
  readonly #clock: ManualClock;
  #closed = false;

  constructor(clock: ManualClock, items: OutboxItem[] = []) {
    this.#clock = clock;
    this.items = items;
  }

  async put(items: readonly OutboxItem[]): Promise<PutResult[]> {
    await turn();
    if (this.failing || this.#closed) throw new CodedError('STORE_FULL', 'no room');
    const results = items.map((item): PutResult => {
      if (this.items.some(({ id }) => id === item.id)) return 'known';
      if (this.items.length >= this.limit) return 'refused';
      this.items.push(structuredClone(item));
      return 'stored';
    });
    void this.#drain();
    return results;
  }

  drain(send: Send): void {
    this.#send = send;
    void this.#drain();
  }

  counts(): ReturnType<SinkOutbox['counts']> {
    return { items: this.items.length, bytes: 0, oldestAgeMs: 0, inFlight: 0, delivered: 0, dead: 0, dropped: 0, refused: 0, failure: null };
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    while (this.items.length > 0 && this.#send && !this.#closed) {
      const batch = this.items.slice(0, 3);
      let retry: boolean;
      try {
        const results = await this.#send(batch, new AbortController().signal);
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it changes while it is sent
        if (this.#closed) return;
        const gone = new Set(batch.filter((_, at) => results[at] !== 'retry'));
        retry = gone.size < batch.length;
        this.items = this.items.filter((item) => !gone.has(item));
      } catch {
        retry = true;
      }
      if (retry) await new Promise<void>((resolve) => this.#clock.after(1000, resolve));
    }
    this.#draining = false;
  }
}

interface Rig {
  clock: ManualClock;
  ledger: Ledger;
  disk: Disk;
  sink: DurableSink<string, string>;
  settledLater: string[];
  told: string[];
}

function rig(disk = true, before: Partial<Rig> = {}): Rig {
  const clock = before.clock ?? new ManualClock();
  const ledger = before.ledger ?? new Ledger();
  const made: Rig = { clock, ledger, disk: new Disk(clock, before.disk?.items), settledLater: [], told: [], sink: undefined as never };
  made.sink = new DurableSink<string, string>({
    apply: (items) => ledger.apply(items),
    onSettled: ({ id }, settled) => made.settledLater.push(`${id} ${settled.state}`),
    onDown: ({ code }) => made.told.push(code),
    onUp: () => made.told.push('up'),
    batchSize: 4,
    lingerMs: 50,
    clock,
    random: () => 0.5,
  });
  if (disk) made.sink.use(made.disk);
  return made;
}

const states = async (puts: Promise<Settled<string>>[]): Promise<string[]> => (await Promise.all(puts.map((put) => put.catch((error: unknown) => ({ state: (error as CodedError).code }))))).map(({ state }) => state);

async function pass({ clock }: Rig, ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 50) {
    await turn();
    clock.advance(50);
  }
  await turn();
}

describe('while the database answers', () => {
  test('what comes together goes together, and nothing touches the disk', async () => {
    const { sink, ledger, disk, ...rest } = rig();
    const puts = Array.from({ length: 10 }, (_, n) => sink.put({ id: String(n), payload: '' }));
    await pass({ sink, ledger, disk, ...rest }, 100);
    expect(await states(puts)).toEqual(Array<string>(10).fill('done'));
    expect(ledger.batches).toEqual([4, 4, 2]);
    expect(disk.items).toEqual([]);
  });

  test('what it refuses for good is dead, at once', async () => {
    const made = rig();
    const puts = ['', 'poison', ''].map((payload, n) => made.sink.put({ id: String(n), payload }));
    await pass(made, 100);
    expect(await states(puts)).toEqual(['done', 'dead', 'done']);
  });
});

describe('while the database is away', () => {
  test('messages are done when they are on disk, and go there in order when it is back', async () => {
    const made = rig();
    made.ledger.available = false;
    const puts = ['a', 'b'].map((id) => made.sink.put({ id, payload: '' }));
    await pass(made, 100);
    expect(await states(puts)).toEqual(['waiting', 'waiting']);
    expect(await states([made.sink.put({ id: 'c', payload: '' })])).toEqual(['waiting']);
    expect(made.sink.waiting).toBe(3);
    made.ledger.available = true;
    await pass(made, 2000);
    expect(made.ledger.applied).toEqual(['a', 'b', 'c']);
    expect(made.settledLater).toEqual(['a done', 'b done', 'c done']);
    expect(made.told).toEqual(['SQL_UNAVAILABLE', 'SQL_UNAVAILABLE', 'up']);
    expect(made.sink.waiting).toBe(0);
  });

  test('one that does not answer keeps nobody waiting', async () => {
    const made = rig();
    made.ledger.held = [];
    const puts = ['a', 'b', 'c', 'd', 'e'].map((id) => made.sink.put({ id, payload: '' }));
    await pass(made, 2500);
    expect(await states(puts)).toEqual(Array<string>(5).fill('waiting'));
    for (const answer of made.ledger.held) answer();
    made.ledger.held = undefined;
    await pass(made, 2000);
    expect(made.ledger.applied).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(made.disk.items).toEqual([]);
  });

  test('without a disk they wait in memory, in order, and the next ones too', async () => {
    const made = rig(false);
    made.ledger.available = false;
    const puts = ['a', 'b'].map((id) => made.sink.put({ id, payload: '' }));
    await pass(made, 500);
    puts.push(made.sink.put({ id: 'c', payload: '' }));
    made.ledger.available = true;
    await pass(made, 60_000);
    expect(await states(puts)).toEqual(['done', 'done', 'done']);
    expect(made.ledger.applied).toEqual(['a', 'b', 'c']);
  });

  test('with a disk that takes nothing they wait in memory as well, in order', async () => {
    const made = rig();
    made.ledger.available = false;
    made.disk.failing = true;
    const puts = ['a', 'b'].map((id) => made.sink.put({ id, payload: '' }));
    made.clock.advance(50);
    for (let n = 0; n < 30; n++) {
      await Promise.resolve();
      puts.push(made.sink.put({ id: `c${n}`, payload: '' }));
    }
    await pass(made, 500);
    made.ledger.available = true;
    await pass(made, 60_000);
    expect(new Set(await states(puts))).toEqual(new Set(['done']));
    expect(made.ledger.applied).toEqual(['a', 'b', ...Array.from({ length: 30 }, (_, n) => `c${n}`)]);
  });

  test('a full outbox refuses, and memory is bounded where there is none', async () => {
    const full = rig();
    full.ledger.available = false;
    full.disk.limit = 1;
    const puts = ['a', 'b'].map((id) => full.sink.put({ id, payload: '' }));
    await pass(full, 100);
    expect(await states(puts)).toEqual(['waiting', 'OUTBOX_FULL']);

    const none = rig(false);
    none.ledger.available = false;
    const many = Array.from({ length: 50_010 }, (_, n) => none.sink.put({ id: String(n), payload: '' }));
    expect(await states(many.slice(-10))).toEqual(Array<string>(10).fill('OUTBOX_FULL'));
  });

  test('stopping puts what is in memory on disk, and says so to whoever waits', async () => {
    const made = rig();
    const puts = ['a', 'b'].map((id) => made.sink.put({ id, payload: '' }));
    const closed = made.sink.close();
    await pass(made, 5000);
    await closed;
    expect(await states(puts)).toEqual(['waiting', 'waiting']);
    const next = rig(true, made);
    await pass(next, 2000);
    expect(next.ledger.applied).toEqual(['a', 'b']);
  });

  test('stopping without a disk fails what is left, so that a Catch node has it', async () => {
    const made = rig(false);
    made.ledger.available = false;
    const put = made.sink.put({ id: 'a', payload: '' });
    await pass(made, 200);
    const closed = made.sink.close();
    await pass(made, 5000);
    await closed;
    expect(await states([put])).toEqual(['SQL_UNAVAILABLE']);
  });
});

test('whatever comes and goes, what was taken is applied once, and in order while the disk works', async () => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.constant('put' as const) },
    { weight: 2, arbitrary: fc.constant('wait' as const) },
    { weight: 1, arbitrary: fc.constantFrom('down' as const, 'up' as const, 'hang' as const, 'answer' as const, 'restart' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      let made = rig();
      const taken: { id: string; put: Promise<Settled<string>> }[] = [];
      for (const what of actions) {
        if (what === 'put') taken.push({ id: String(taken.length), put: made.sink.put({ id: String(taken.length), payload: '' }) });
        else if (what === 'wait') await pass(made, 700);
        else if (what === 'down') made.ledger.available = false;
        else if (what === 'up') made.ledger.available = true;
        else if (what === 'hang') made.ledger.held ??= [];
        else if (what === 'answer') release(made);
        else {
          const closed = made.sink.close();
          await pass(made, 5000);
          await closed;
          made = rig(true, made);
        }
      }
      made.ledger.available = true;
      release(made);
      await pass(made, 10_000);
      expect(await states(taken.map(({ put }) => put))).not.toContain('dead');
      expect(made.ledger.applied).toEqual(taken.map(({ id }) => id));
      expect(made.sink.waiting).toBe(0);
    }),
    { numRuns: 150 },
  );
});

function release({ ledger }: Rig): void {
  const held = ledger.held ?? [];
  ledger.held = undefined;
  for (const answer of held) answer();
}
