/** The outbox: what it takes, in which order it sends, what it does when the target or the disk does not. */
import { describe, expect, it, vi } from 'vitest';
import { CodedError } from '../../../nodes/kit/errors';
import { Outbox, type ItemResult } from '../../../nodes/kit/outbox';
import { A_WHILE, OutboxRig } from './store/support/outbox-rig';

const dead: ItemResult = { dead: { code: 'BAD_MESSAGE', text: 'refused for good' } };
const numbered = (key: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${key}:${n + 1}`);

describe('putting', () => {
  it('resolves when the items are on disk', async () => {
    const rig = new OutboxRig();
    expect(await rig.put('a:1', 'a:2')).toEqual(['stored', 'stored']);
    await rig.restart();
    expect(await rig.deliverAll()).toEqual(['a:1', 'a:2']);
  });

  it('keeps one of two items with the same id', async () => {
    const rig = new OutboxRig();
    expect(await rig.put('a:1', 'a:1')).toEqual(['stored', 'known']);
    expect(await rig.put('a:1')).toEqual(['known']);
    await rig.drain();
    expect(await rig.deliverAll()).toEqual(['a:1']);
  });

  it('takes the same id again once it was delivered', async () => {
    const rig = new OutboxRig();
    await rig.drain();
    await rig.put('a:1');
    await rig.answer('delivered');
    expect(await rig.put('a:1')).toEqual(['stored']);
  });

  it('tells ids apart that SQLite would not', async () => {
    const rig = new OutboxRig();
    expect(await rig.put('a:1\0x', 'a:1\0y', 'a:1', 'a:\ud800', 'a:\ud801')).toEqual(Array(5).fill('stored'));
    await rig.drain();
    expect(await rig.deliverAll()).toEqual(['a:1\0x', 'a:1\0y', 'a:1', 'a:\ud800', 'a:\ud801']);
  });

  it.each([[undefined], [() => 1], [1n]])('refuses what is not JSON, with all that came with it', async (payload) => {
    const rig = new OutboxRig();
    await expect(rig.outbox.put([{ key: 'a', id: '1', payload: 1 }, { key: 'a', id: '2', payload }])).rejects.toMatchObject({ code: 'BAD_MESSAGE' });
    expect(rig.outbox.counts().items).toBe(0);
  });

  it('gives payloads as they were put', async () => {
    const rig = new OutboxRig();
    const payloads = [null, 'niño\0', { a: [1, { b: null }] }, 0];
    const put = rig.outbox.put(payloads.map((payload, n) => ({ key: 'a', id: String(n), payload })));
    await rig.quiet();
    await put;
    await rig.drain();
    expect([...rig.sending[0]!.items].map(({ payload }) => payload)).toEqual(payloads.slice(0, 3));
  });

  it('is not possible once the outbox is closed', async () => {
    const rig = new OutboxRig();
    await rig.outbox.close();
    await expect(rig.outbox.put([{ key: 'a', id: '1', payload: 1 }])).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('is for one outbox of a name', async () => {
    const rig = new OutboxRig();
    expect(() => new Outbox(rig.store, rig.options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    const other = new Outbox(rig.store, { ...rig.options, name: 'other' }, { clock: rig.clock });
    await rig.put('a:1');
    expect(other.counts().items).toBe(0);
    await other.close();
  });
});

describe('a full outbox that refuses', () => {
  it('keeps what it has, and takes again when something was delivered', async () => {
    const rig = new OutboxRig({ maxItems: 3 });
    expect(await rig.put(...numbered('a', 5))).toEqual(['stored', 'stored', 'stored', 'refused', 'refused']);
    expect(rig.outbox.counts()).toMatchObject({ items: 3, refused: 2, dropped: 0 });
    await rig.drain();
    await rig.answer('delivered');
    expect(await rig.put('a:4')).toEqual(['stored']);
    expect(await rig.deliverAll()).toEqual(['a:4']);
  });

  it('counts bytes as well, and refuses what could never fit', async () => {
    const rig = new OutboxRig({ maxBytes: 1000 });
    const put = rig.outbox.put(['small', 'x'.repeat(2000), 'y'.repeat(500), 'z'.repeat(500)].map((payload, n) => ({ key: 'a', id: String(n), payload })));
    await rig.quiet();
    expect(await put).toEqual(['stored', 'refused', 'stored', 'refused']);
    expect(rig.outbox.counts().bytes).toBeLessThanOrEqual(1000);
  });
});

describe('a full outbox that drops', () => {
  it('drops the oldest, and says which', async () => {
    const rig = new OutboxRig({ maxItems: 3, whenFull: 'drop-oldest' });
    expect(await rig.put(...numbered('a', 5))).toEqual(Array(5).fill('stored'));
    expect(rig.dropped).toEqual(['a:1', 'a:2']);
    expect(rig.outbox.counts()).toMatchObject({ items: 3, dropped: 2 });
    await rig.drain();
    expect(await rig.deliverAll()).toEqual(['a:3', 'a:4', 'a:5']);
  });

  it('does not drop what is being sent', async () => {
    const rig = new OutboxRig({ maxItems: 4, whenFull: 'drop-oldest' });
    await rig.drain();
    await rig.put(...numbered('a', 4));
    expect(rig.sending[0]!.ids).toEqual(['a:1', 'a:2', 'a:3']);
    await rig.put('a:5');
    expect(rig.dropped).toEqual(['a:4']);
    expect(await rig.deliverAll()).toEqual(['a:1', 'a:2', 'a:3', 'a:5']);
  });

  it('refuses when all it has is being sent', async () => {
    const rig = new OutboxRig({ maxItems: 3, whenFull: 'drop-oldest' });
    await rig.drain();
    await rig.put(...numbered('a', 3));
    expect(await rig.put('a:4')).toEqual(['refused']);
  });

  it('drops the oldest, too, when it is the disk that is full', async () => {
    const rig = new OutboxRig({ whenFull: 'drop-oldest', maxBytes: 1e9 }, { maxBytes: 5 * 1024 * 1024 });
    const large = async (n: number): Promise<void> => {
      const put = rig.outbox.put([{ key: 'a', id: String(n), payload: 'x'.repeat(200_000) }]);
      for (let attempt = 0; attempt < 3; attempt++) await rig.quiet();
      expect(await put).toEqual(['stored']);
    };
    for (let n = 0; n < 60; n++) await large(n);
    expect(rig.dropped.length).toBeGreaterThan(30);
    expect(rig.dropped).toEqual(rig.dropped.map((_, n) => String(n)));
    await rig.drain();
    expect(await rig.deliverAll()).toEqual(Array.from({ length: 60 - rig.dropped.length }, (_, n) => String(n + rig.dropped.length)));
  });
});

describe('draining', () => {
  it('sends in order, one batch at a time', async () => {
    const rig = new OutboxRig();
    await rig.put('a:1', 'b:1', 'a:2', 'b:2', 'a:3');
    await rig.drain();
    expect(rig.sending.map(({ ids }) => ids)).toEqual([['a:1', 'b:1', 'a:2']]);
    await rig.answer('delivered');
    expect(rig.sending.map(({ ids }) => ids)).toEqual([['b:2', 'a:3']]);
    await rig.answer('delivered');
    expect(rig.sending).toEqual([]);
    await rig.put('a:4');
    expect(rig.sending.map(({ ids }) => ids)).toEqual([['a:4']]);
  });

  it('per key, sends a batch of each of several keys at a time', async () => {
    const rig = new OutboxRig({ perKey: true, maxInFlight: 2, batchSize: 2 });
    await rig.put('a:1', 'b:1', 'a:2', 'c:1', 'a:3', 'b:2');
    await rig.drain();
    expect(rig.sending.map(({ ids }) => ids)).toEqual([['a:1', 'a:2'], ['b:1', 'b:2']]);
    await rig.answer('delivered');
    // The oldest of those that may go.
    expect(rig.sending.map(({ ids }) => ids)).toEqual([['b:1', 'b:2'], ['c:1']]);
    await rig.answer('delivered');
    expect(rig.sending.map(({ ids }) => ids)).toEqual([['c:1'], ['a:3']]);
  });

  it('holds back a key of which one is to be sent again, and goes on with the others', async () => {
    const rig = new OutboxRig();
    await rig.put('a:1', 'b:1', 'a:2', 'a:3', 'b:2');
    await rig.drain();
    await rig.answer(['retry', 'delivered', 'retry']);
    expect(rig.sending.map(({ ids }) => ids)).toEqual([['b:2']]);
    await rig.answer('delivered');
    expect(rig.sending).toEqual([]);
    await rig.pass(A_WHILE);
    expect(rig.sending.map(({ ids }) => ids)).toEqual([['a:1', 'a:2', 'a:3']]);
  });

  it('waits longer each time before the same key is tried again', async () => {
    const rig = new OutboxRig({ backoff: { base: 2, max: 60 } });
    await rig.drain();
    await rig.put('a:1');
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      const before = rig.clock.now();
      await rig.answer('retry');
      while (rig.sending.length === 0) await rig.pass(100);
      waits.push(rig.clock.now() - before);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000]);
  });

  it('sends nothing for a while after the target failed, then the same again', async () => {
    const rig = new OutboxRig({ perKey: true });
    await rig.put('a:1', 'b:1', 'a:2');
    await rig.drain();
    expect(await rig.fail()).toEqual(['a:1', 'a:2']);
    expect(await rig.fail()).toEqual(['b:1']);
    expect(rig.sending).toEqual([]);
    expect(rig.outbox.counts()).toMatchObject({ items: 3, inFlight: 0, failure: { message: 'target is away' } });
    await rig.put('c:1');
    expect(rig.sending).toEqual([]);
    await rig.pass(A_WHILE);
    expect(await rig.deliverAll()).toEqual(['a:1', 'a:2', 'b:1', 'c:1']);
    expect(rig.outbox.counts()).toMatchObject({ items: 0, delivered: 4, failure: null });
  });

  it('takes an answer for too few or too many items for a failure', async () => {
    const rig = new OutboxRig();
    await rig.put('a:1', 'a:2');
    await rig.drain();
    await rig.answer(['delivered']);
    expect(rig.outbox.counts()).toMatchObject({ items: 2, failure: { code: 'NODE_FAILED' } });
    await rig.pass(A_WHILE);
    expect(await rig.deliverAll()).toEqual(['a:1', 'a:2']);
  });

  it('hands over what can never be delivered, and removes it', async () => {
    const rig = new OutboxRig();
    await rig.put('a:1', 'a:2', 'a:3');
    await rig.drain();
    await rig.answer(['delivered', dead, 'delivered']);
    expect(rig.dead).toEqual(['a:2']);
    expect(rig.outbox.counts()).toMatchObject({ items: 0, delivered: 2, dead: 1 });
    await rig.restart();
    expect(rig.sending).toEqual([]);
  });

  it('keeps a dead item that could not be handed over', async () => {
    let works = false;
    const taken: string[] = [];
    const rig = new OutboxRig({
      onDead: ({ id }) => {
        if (!works) throw new Error('no room');
        taken.push(id);
      },
    });
    await rig.put('a:1', 'a:2');
    await rig.drain();
    await rig.answer([dead, 'retry']);
    expect(rig.outbox.counts()).toMatchObject({ items: 2, failure: { message: 'no room' } });
    works = true;
    await rig.pass(A_WHILE);
    expect(await rig.answer([dead, 'delivered'])).toEqual(['a:1', 'a:2']);
    expect(taken).toEqual(['a:1']);
    expect(rig.outbox.counts().items).toBe(0);
  });

  it('does not send an item that the disk has damaged, but hands it over as dead', async () => {
    const rig = new OutboxRig();
    await rig.put('a:1', 'a:2');
    const damaged = rig.store.write((database) => database.run(`UPDATE outbox_items SET payload = '{"id":' WHERE id = 'a:1'`));
    await rig.quiet();
    await damaged;
    await rig.drain();
    expect(rig.sending[0]!.ids).toEqual(['a:2']);
    await rig.deliverAll();
    expect(rig.dead).toEqual(['a:1']);
  });

  it('is to one target', async () => {
    const rig = new OutboxRig();
    await rig.drain();
    await expect(rig.drain()).rejects.toMatchObject({ code: 'NODE_FAILED' });
  });
});

describe('a restart', () => {
  it('sends again, in order, what was not answered, and nothing that was', async () => {
    const rig = new OutboxRig();
    await rig.put(...numbered('a', 7));
    await rig.drain();
    await rig.answer('delivered');
    expect(rig.sending[0]!.ids).toEqual(['a:4', 'a:5', 'a:6']);
    await rig.restart();
    expect(await rig.deliverAll()).toEqual(['a:4', 'a:5', 'a:6', 'a:7']);
  });

  it('forgets no answer that came before the outbox was closed', async () => {
    const rig = new OutboxRig();
    await rig.put(...numbered('a', 4));
    await rig.drain();
    rig.sending[0]!.answer(['delivered', 'delivered', 'retry']);
    await rig.restart();
    expect(await rig.deliverAll()).toEqual(['a:3', 'a:4']);
  });
});

describe('a store that cannot delete', () => {
  it('does not keep the outbox from sending, and nothing is sent twice', async () => {
    const rig = new OutboxRig();
    await rig.put(...numbered('a', 8));
    const write = vi.spyOn(rig.store, 'write').mockRejectedValue(new CodedError('STORE_FULL', 'full'));
    await rig.drain();
    expect(await rig.deliverAll()).toEqual(numbered('a', 8));
    expect(rig.outbox.counts()).toMatchObject({ items: 0, delivered: 8, failure: { code: 'STORE_FULL' } });
    expect(rig.outbox.counts().bytes).toBeGreaterThan(0);
    write.mockRestore();
    await rig.pass(A_WHILE);
    expect(rig.outbox.counts()).toMatchObject({ bytes: 0, failure: null });
    await rig.restart();
    expect(rig.sending).toEqual([]);
  });

  it('per key neither', async () => {
    const rig = new OutboxRig({ perKey: true });
    await rig.put('a:1', 'b:1', 'a:2', 'b:2', 'a:3', 'a:4', 'c:1');
    const write = vi.spyOn(rig.store, 'write').mockRejectedValue(new CodedError('STORE_FULL', 'full'));
    await rig.drain();
    await rig.answer(['delivered', 'retry', 'retry']);
    expect((await rig.deliverAll()).sort()).toEqual(['a:2', 'a:3', 'a:4', 'b:1', 'b:2', 'c:1']);
    write.mockRestore();
    await rig.pass(A_WHILE);
    expect(rig.outbox.counts()).toMatchObject({ items: 0, bytes: 0 });
  });

  it('nor does it send again what a target delivered out of turn', async () => {
    const rig = new OutboxRig({ perKey: true });
    await rig.put('a:1', 'a:2', 'a:3');
    vi.spyOn(rig.store, 'write').mockRejectedValue(new CodedError('STORE_FULL', 'full'));
    await rig.drain();
    await rig.answer(['retry', 'delivered', 'retry']);
    expect(await rig.deliverAll()).toEqual(['a:1', 'a:3']);
  });

  it('nor from taking new items when there was room but for those', async () => {
    const rig = new OutboxRig({ maxItems: 3 });
    await rig.put(...numbered('a', 3));
    const write = vi.spyOn(rig.store, 'write').mockRejectedValueOnce(new CodedError('STORE_FULL', 'full'));
    await rig.drain();
    await rig.answer('delivered');
    expect(write).toHaveBeenCalled();
    expect(await rig.put('a:4', 'a:5', 'a:6')).toEqual(['stored', 'stored', 'stored']);
    expect(rig.outbox.counts().items).toBe(3);
    expect(await rig.deliverAll()).toEqual(['a:4', 'a:5', 'a:6']);
    expect(rig.outbox.counts()).toMatchObject({ items: 0, bytes: 0 });
  });
});

describe('a store that cannot be read', () => {
  it('is tried again', async () => {
    const rig = new OutboxRig();
    await rig.put('a:1');
    const read = vi.spyOn(rig.store, 'read').mockImplementation(() => {
      throw new CodedError('STORE_FAILED', 'no');
    });
    await rig.drain();
    expect(rig.outbox.counts()).toMatchObject({ failure: { code: 'STORE_FAILED' }, oldestAgeMs: null });
    read.mockRestore();
    await rig.pass(A_WHILE);
    expect(await rig.deliverAll()).toEqual(['a:1']);
  });
});

describe('counts', () => {
  it('say how much waits, since when, and how much is being sent', async () => {
    const rig = new OutboxRig();
    expect(rig.outbox.counts()).toEqual({ items: 0, bytes: 0, oldestAgeMs: null, inFlight: 0, delivered: 0, dead: 0, dropped: 0, refused: 0, failure: null });
    await rig.put('a:1');
    await rig.pass(5000);
    await rig.put(...numbered('b', 3));
    expect(rig.outbox.counts()).toMatchObject({ items: 4, oldestAgeMs: 5000, inFlight: 0 });
    await rig.drain();
    expect(rig.outbox.counts()).toMatchObject({ items: 4, inFlight: 3 });
    await rig.answer('delivered');
    expect(rig.outbox.counts()).toMatchObject({ items: 1, inFlight: 1, oldestAgeMs: 0, delivered: 3 });
  });

  it('are right after a restart', async () => {
    const rig = new OutboxRig();
    await rig.put('a:1', 'a:2');
    const { bytes } = rig.outbox.counts();
    await rig.stop();
    const again = new OutboxRig();
    expect(again.outbox.counts().items).toBe(0);
    await rig.restart();
    expect(rig.outbox.counts()).toMatchObject({ items: 2, bytes });
  });
});

describe('closing', () => {
  it('tells the target, and waits for an answer no longer than 1.5 s', async () => {
    const rig = new OutboxRig();
    await rig.put('a:1');
    let aborted = false;
    rig.outbox.drain((_, signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      return new Promise(() => undefined);
    });
    await rig.quiet();
    let closed = false;
    void rig.outbox.close().then(() => (closed = true));
    await rig.quiet();
    expect({ aborted, closed }).toEqual({ aborted: true, closed: false });
    await rig.pass(1500);
    expect(closed).toBe(true);
  });

  it('frees the name', async () => {
    const rig = new OutboxRig();
    await rig.outbox.close();
    await new Outbox(rig.store, rig.options, { clock: rig.clock }).close();
  });

  it('sends nothing any more', async () => {
    const rig = new OutboxRig();
    await rig.put(...numbered('a', 9));
    await rig.drain();
    await rig.fail();
    await rig.outbox.close();
    await rig.pass(A_WHILE);
    expect(rig.sending).toEqual([]);
  });
});
