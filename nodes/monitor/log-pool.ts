/** The open log files, never more than `maxOpen`: the one that has been idle longest is closed for a new one. */
import { LRUCache } from 'lru-cache';
import { OpenLog, type OpenLogSettings } from './log-open';

export class OpenLogs {
  readonly #settings: OpenLogSettings;
  readonly #maxOpen: number;
  readonly #idle: LRUCache<string, OpenLog>;
  readonly #waiting: (() => void)[] = [];
  /** Idle, in use, opening and closing ones. */
  #open = 0;

  constructor(settings: OpenLogSettings, maxOpen: number) {
    this.#settings = settings;
    this.#maxOpen = maxOpen;
    this.#idle = new LRUCache({ max: maxOpen });
  }

  /** The file, open, for one user at a time; give it back with `release` or `discard`. Rejects as opening does. */
  async take(path: string): Promise<OpenLog> {
    const idle = this.#idle.get(path);
    if (idle) {
      this.#idle.delete(path);
      return idle;
    }
    await this.#makeRoom();
    try {
      return await OpenLog.open(path, this.#settings);
    } catch (error) {
      this.#closed();
      throw error;
    }
  }

  /** After use, without error. */
  release(log: OpenLog): void {
    this.#idle.set(log.path, log);
    this.#waiting.shift()?.();
  }

  /** After an error. */
  async discard(log: OpenLog): Promise<void> {
    await log.close();
    this.#closed();
  }

  /** Closes the idle ones. */
  async close(): Promise<void> {
    const idle = [...this.#idle.values()];
    this.#idle.clear();
    await Promise.all(idle.map((log) => this.discard(log)));
  }

  async #makeRoom(): Promise<void> {
    while (this.#open >= this.#maxOpen) {
      const longestIdle = this.#idle.pop();
      if (longestIdle) await this.discard(longestIdle);
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#open++;
  }

  #closed(): void {
    this.#open--;
    this.#waiting.shift()?.();
  }
}
