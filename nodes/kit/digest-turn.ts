/** One login at a time: where a device keeps one nonce only, two logins under way at once void each other's. */
import { once } from 'node:events';

export class Turn {
  #work: Promise<unknown> | undefined;

  get taken(): boolean {
    return this.#work !== undefined;
  }

  /** Waits until the work under way is over, however it ends; rejects with the reason of `signal` if that comes first. */
  async over(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const settled = this.#work?.then(
      () => undefined,
      () => undefined,
    );
    if (!signal) return settled;
    const done = new AbortController();
    await Promise.race([settled, once(signal, 'abort', { signal: done.signal }).catch(() => undefined)]);
    done.abort();
    signal.throwIfAborted();
  }

  /** Takes the turn, which must be free, for as long as `work` lasts. */
  async take<T>(work: Promise<T>): Promise<T> {
    this.#work = work;
    try {
      return await work;
    } finally {
      this.#work = undefined;
    }
  }
}
