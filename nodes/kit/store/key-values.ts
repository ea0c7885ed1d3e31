/** Small state by name: cursors, dedup windows. Values are JSON. */
import type { Sqlite, SqlValue } from './sqlite';
import type { StateStore } from './state-store';
import { fromText, toText } from './text';

/** Rows per transaction when forgetting. */
const MAX_FORGOTTEN = 2000;

export class KeyValues {
  readonly #store: StateStore;
  readonly #namespace: string;

  /** `namespace` is one user's own: node type and a stable name, for example. */
  constructor(store: StateStore, namespace: string) {
    this.#store = store;
    this.#namespace = toText(namespace);
  }

  /** What has been committed under the key; undefined for nothing, or nothing readable. What it is made of is for the caller to check. */
  get(key: string): unknown {
    const row = this.#store.read((database) =>
      database.all('SELECT value FROM key_values WHERE namespace = ? AND key = ?', [this.#namespace, toText(key)]),
    )[0];
    return row && parsed(row.value);
  }

  /** The newest `limit` entries that were set at `since` or later (ms since 1970), oldest first. */
  entries({ since = 0, limit = 100_000 }: { since?: number; limit?: number } = {}): { key: string; value: unknown; touched: number }[] {
    const rows = this.#store.read((database) =>
      database.all('SELECT key, value, touched FROM key_values WHERE namespace = ? AND touched >= ? ORDER BY touched DESC, rowid DESC LIMIT ?', [
        this.#namespace,
        since,
        limit,
      ]),
    );
    return rows.reverse().map(({ key, value, touched }) => ({
      key: fromText(String(key)),
      value: parsed(value),
      touched: Number(touched),
    }));
  }

  /** Resolves when it is on disk. `now` is kept with it, for {@link entries} and {@link forget}; ms since 1970. */
  set(key: string, value: unknown, now: number): Promise<void> {
    return this.setAll([[key, value]], now);
  }

  /** All or none. */
  setAll(entries: Iterable<readonly [key: string, value: unknown]>, now: number): Promise<void> {
    const rows = [...entries].map(([key, value]) => [toText(key), JSON.stringify(value ?? null)] as const);
    return this.#store.write((database) => {
      for (const [key, value] of rows) this.#put(database, key, value, now);
    });
  }

  delete(key: string): Promise<void> {
    return this.#store.write(
      (database) => {
        database.run('DELETE FROM key_values WHERE namespace = ? AND key = ?', [this.#namespace, toText(key)]);
      },
      { frees: true },
    );
  }

  /** Removes what was set before `time` (ms since 1970), and returns how many entries that were. */
  async forget(time: number): Promise<number> {
    for (let forgotten = 0; ; ) {
      const { changes } = await this.#store.write(
        (database) =>
          database.run(
            'DELETE FROM key_values WHERE rowid IN (SELECT rowid FROM key_values WHERE namespace = ? AND touched < ? LIMIT ?)',
            [this.#namespace, time, MAX_FORGOTTEN],
          ),
        { frees: true },
      );
      forgotten += changes;
      if (changes < MAX_FORGOTTEN) return forgotten;
    }
  }

  #put(database: Sqlite, key: string, value: string, now: number): void {
    database.run(
      `INSERT INTO key_values (namespace, key, value, touched) VALUES (?, ?, ?, ?)
       ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, touched = excluded.touched`,
      [this.#namespace, key, value, now],
    );
  }
}

function parsed(value: SqlValue | undefined): unknown {
  try {
    return JSON.parse(String(value));
  } catch {
    return undefined;
  }
}
