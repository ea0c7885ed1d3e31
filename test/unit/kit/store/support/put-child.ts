/**
 * Puts items into an outbox as fast as they get to the disk, and drains it, until it is killed. Tells its parent of each item that
 * was acknowledged, and of each that the target had.
 */
import { Outbox } from '../../../../../nodes/kit/outbox';
import { openStateStore } from '../../../../../nodes/kit/store/state-store';
import type { SqliteDriver } from '../../../../../nodes/kit/store/sqlite';

const [userDir = '', driver, first = '0'] = process.argv.slice(2);
const store = openStateStore(userDir, { driver: driver as SqliteDriver, preallocateBytes: 256 * 1024 });
const outbox = new Outbox(store, { name: 'sink', maxItems: 1_000_000, maxBytes: 1e9, whenFull: 'refuse-new', batchSize: 20 });
const tell = (...message: [string, ...number[]]): void => void process.send?.(message);

outbox.drain((batch) => {
  // Some at a time: the others wait, and are there when it is killed.
  const results = batch.map((_, at) => (at < 5 ? 'delivered' : 'retry'));
  tell('delivered', ...batch.slice(0, 5).map(({ id }) => Number(id)));
  return Promise.resolve(results);
});

async function put(): Promise<void> {
  for (let n = Number(first); ; ) {
    const numbers = Array.from({ length: 1 + (n % 7) }, () => n++);
    const put = outbox.put(numbers.map((number) => ({ key: String(number % 3), id: String(number), payload: { number } })));
    if (n % 3 === 0) store.flush();
    await put;
    tell('acknowledged', ...numbers);
  }
}

// The channel keeps it alive: timers of the store do not.
process.on('message', () => undefined);
void put();
