/** The outbox against a model that is a plain list: any sequence of puts, answers, failures, waits and restarts. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ItemResult } from '../../../nodes/kit/outbox';
import { A_WHILE, OutboxRig } from './store/support/outbox-rig';

type Action =
  | { do: 'put'; items: { key: string; again: boolean }[] }
  | { do: 'answer'; batch: number; results: ('delivered' | 'retry' | 'dead')[] }
  | { do: 'fail'; batch: number }
  | { do: 'wait'; ms: number }
  | { do: 'restart' };

const aKey = fc.constantFrom('a', 'b', 'c');
const anAction: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('put' as const), items: fc.array(fc.record({ key: aKey, again: fc.boolean() }), { minLength: 1, maxLength: 4 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      batch: fc.nat(3),
      results: fc.array(fc.constantFrom('delivered' as const, 'delivered' as const, 'retry' as const, 'dead' as const), { minLength: 4, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), batch: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(200, 5000, A_WHILE) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

const DEAD: ItemResult = { dead: { code: 'BAD_MESSAGE', text: 'refused for good' } };

const keyOf = (id: string): string => id.split(':')[0]!;

class Model {
  /** What waits, in order; in flight included. */
  waiting: string[] = [];
  readonly delivered: string[] = [];
  readonly dead: string[] = [];
  readonly dropped: string[] = [];
  #count = 0;

  /** A new id, or one that waits already. */
  idFor({ key, again }: { key: string; again: boolean }): string {
    const known = again ? this.waiting.find((id) => keyOf(id) === key) : undefined;
    return known ?? `${key}:${++this.#count}`;
  }

  put(id: string, { maxItems, drops, inFlight }: { maxItems: number; drops: boolean; inFlight: string[] }): string {
    if (this.waiting.includes(id)) return 'known';
    if (this.waiting.length >= maxItems) {
      const oldest = drops ? this.waiting.find((waiting) => !inFlight.includes(waiting)) : undefined;
      if (oldest === undefined) return 'refused';
      this.#remove(oldest);
      this.dropped.push(oldest);
    }
    this.waiting.push(id);
    return 'stored';
  }

  answer(id: string, result: 'delivered' | 'retry' | 'dead'): void {
    if (result === 'retry') return;
    this.#remove(id);
    this[result].push(id);
  }

  #remove(id: string): void {
    this.waiting = this.waiting.filter((waiting) => waiting !== id);
  }
}

/** Each batch in flight begins with the head of each of its keys and goes on without a gap; no key is in two batches. */
function checkOrder(model: Model, rig: OutboxRig): void {
  const seen = new Set<string>();
  for (const { ids } of rig.sending) {
    expect(ids.length).toBeLessThanOrEqual(4);
    const keys = [...new Set(ids.map(keyOf))];
    if (rig.options.perKey) expect(keys).toHaveLength(1);
    for (const key of keys) {
      expect(seen).not.toContain(key);
      seen.add(key);
      const mine = ids.filter((id) => keyOf(id) === key);
      expect(mine).toEqual(model.waiting.filter((id) => keyOf(id) === key).slice(0, mine.length));
    }
    if (!rig.options.perKey) expect(ids).toEqual(model.waiting.filter((id) => ids.includes(id)));
  }
}

async function play(actions: readonly Action[], rig: OutboxRig): Promise<void> {
  const model = new Model();
  await rig.drain();
  const limits = { maxItems: rig.options.maxItems, drops: rig.options.whenFull === 'drop-oldest' };
  for (const action of actions) {
    if (action.do === 'put') {
      const ids = action.items.map((item) => model.idFor(item));
      const inFlight = rig.sending.flatMap((sending) => sending.ids);
      expect(await rig.put(...ids)).toEqual(ids.map((id) => model.put(id, { ...limits, inFlight })));
    } else if (action.do === 'answer' || action.do === 'fail') {
      const sending = rig.sending[action.batch % Math.max(1, rig.sending.length)];
      if (!sending) continue;
      if (action.do === 'fail') sending.fail(new Error('target is away'));
      else {
        const results = sorted(sending.ids, action.results);
        sending.ids.forEach((id, at) => model.answer(id, results[at]!));
        sending.answer(results.map((result) => (result === 'dead' ? DEAD : result)));
      }
      await rig.quiet();
    } else if (action.do === 'wait') await rig.pass(action.ms);
    else await rig.restart();
    checkOrder(model, rig);
    expect(rig.outbox.counts().items).toBe(model.waiting.length);
  }
  expect([...rig.dead].sort()).toEqual([...model.dead].sort());
  expect(rig.dropped).toEqual(model.dropped);
  const rest = await rig.deliverAll();
  for (const key of ['a', 'b', 'c']) expect(rest.filter((id) => keyOf(id) === key)).toEqual(model.waiting.filter((id) => keyOf(id) === key));
  expect(rig.outbox.counts()).toMatchObject({ items: 0, bytes: 0, oldestAgeMs: null, inFlight: 0 });
  await rig.stop();
}

/** A target that keeps its promise: after an item that is to come again, none of the same key is done with. */
function sorted(ids: readonly string[], results: readonly ('delivered' | 'retry' | 'dead')[]): ('delivered' | 'retry' | 'dead')[] {
  const held = new Set<string>();
  return ids.map((id, at) => {
    const result = results[at] ?? 'delivered';
    if (result === 'retry') held.add(keyOf(id));
    return held.has(keyOf(id)) ? 'retry' : result;
  });
}

describe.each([
  { perKey: false, whenFull: 'refuse-new' },
  { perKey: true, whenFull: 'refuse-new' },
  { perKey: false, whenFull: 'drop-oldest' },
  { perKey: true, whenFull: 'drop-oldest' },
] as const)('an outbox (%o)', (options) => {
  it('sends each item until it is done with, in the order of its key, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anAction, { maxLength: 40 }), async (actions) => {
        await play(actions, new OutboxRig({ ...options, batchSize: 4, maxItems: 8, maxInFlight: 2, backoff: { base: 2, max: 60 } }));
      }),
      { numRuns: 50 },
    );
  }, 120_000);
});
