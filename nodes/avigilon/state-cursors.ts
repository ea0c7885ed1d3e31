/** Cursors in the embedded store of the user directory. */
import type { Clock } from '../kit/clock';
import { KeyValues } from '../kit/store/key-values';
import { openStateStore, type StateStore } from '../kit/store/state-store';
import type { CursorStore } from './cursor-store';

const NAMESPACE = 'avigilon-events';

/**
 * Opened by the first use, and tried again by each where that failed: a process that is ending may hold the store for a while.
 * Methods throw, or reject with, STORE_LOCKED, STORE_FULL, STORE_FAILED.
 */
export class StateCursors implements CursorStore {
  readonly #userDir: string;
  readonly #clock: Clock;
  #open: { store: StateStore; values: KeyValues } | undefined;

  constructor(userDir: string, clock: Clock) {
    this.#userDir = userDir;
    this.#clock = clock;
  }

  get(key: string): unknown {
    return this.#values().get(key);
  }

  async set(key: string, value: unknown): Promise<void> {
    await this.#values().set(key, value, this.#clock.now());
  }

  release(): void {
    this.#open?.store.release();
    this.#open = undefined;
  }

  #values(): KeyValues {
    if (!this.#open) {
      const store = openStateStore(this.#userDir);
      this.#open = { store, values: new KeyValues(store, NAMESPACE) };
    }
    return this.#open.values;
  }
}
