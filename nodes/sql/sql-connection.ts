/** What the configuration node gives to the nodes that use it: the database, and what they agree on in it. */
import type { Clock, Random } from '../kit/clock';
import { DEFAULT_COLUMNS } from './columns';
import type { Database } from './database';
import { PRUNE_ROWS, Retention } from './ledger';
import { tableOf, type OurTables, type TableSpec } from './statements';
import { DEFAULT_ZONES } from './zones';

/** What the stadium's flow writes to; made where nothing else is asked for. */
export const DEFAULT_TABLES: readonly TableSpec[] = [
  { kind: 'ledger' },
  { kind: 'audit' },
  { kind: 'history', table: 'eventos_Analisis', columns: DEFAULT_COLUMNS },
  ...DEFAULT_ZONES.map(({ table, eventColumn, countColumn }): TableSpec => ({ kind: 'counter', table, eventColumn, countColumns: [countColumn] })),
];

const PRUNE_EVERY_MS = 10 * 60_000;
/** Batches per round: at most so many rows are forgotten at a time. */
const PRUNE_BATCHES = 50;

export interface SqlConnectionSettings {
  database: Database;
  timeZone: string;
  retentionDays: number;
  /** Make missing tables without being asked: the embedded database is the pack's own. */
  createTables: boolean;
  clock: Clock;
  random: Random;
  signal: AbortSignal;
}

export class SqlConnection {
  readonly database: Database;
  readonly timeZone: string;
  readonly retention: Retention;
  readonly #settings: SqlConnectionSettings;
  readonly #wanted = new Map<string, TableSpec>();
  #created: Promise<void> | undefined;
  #pruning = false;

  constructor(settings: SqlConnectionSettings) {
    this.#settings = settings;
    this.database = settings.database;
    this.timeZone = settings.timeZone;
    this.retention = new Retention(settings.retentionDays);
  }

  /** Tables that a node writes to, with those of ours that go with them. From then on the ledger is kept short. */
  require(specs: readonly TableSpec[]): void {
    for (const spec of merged([{ kind: 'ledger' }, { kind: 'audit' }, ...this.#wanted.values(), ...specs])) this.#wanted.set(keyOf(spec), spec);
    this.#created = undefined;
    if (this.#pruning) return;
    this.#pruning = true;
    this.#pruneLater();
  }

  /** What nodes have asked for. */
  get required(): TableSpec[] {
    return [...this.#wanted.values()];
  }

  /** Before the first write, and again after it failed. @throws SqlError */
  prepare(): Promise<void> {
    if (!this.#settings.createTables) return Promise.resolve();
    this.#created ??= createTables(this.database, this.required).catch((error: unknown) => {
      this.#created = undefined;
      throw error;
    });
    return this.#created;
  }

  /** Workers do not all prune at once. */
  #pruneLater(): void {
    const { clock, random, signal } = this.#settings;
    const cancel = clock.after(PRUNE_EVERY_MS * (0.5 + random()), () => {
      // What fails now is done the next time.
      this.#prune().catch(() => undefined).finally(() => {
        if (!signal.aborted) this.#pruneLater();
      });
    });
    signal.addEventListener('abort', cancel, { once: true });
  }

  async #prune(): Promise<void> {
    const { clock, signal } = this.#settings;
    await this.prepare();
    const before = this.retention.pruneBefore(clock.now());
    for (let batch = 0; batch < PRUNE_BATCHES && !signal.aborted; batch++) {
      const [row] = await this.database.query(this.database.statements.prune(before));
      if (Number(row?.pruned ?? 0) < PRUNE_ROWS) return;
    }
  }
}

/** Makes what is missing. @throws SqlError */
export async function createTables(database: Database, specs: readonly TableSpec[]): Promise<void> {
  for (const spec of merged(specs)) for (const statement of database.statements.create(spec)) await database.query(statement);
}

/** Names of those that are not there. @throws SqlError */
export async function missingTables(database: Database, specs: readonly TableSpec[], ours: OurTables): Promise<string[]> {
  const missing: string[] = [];
  for (const spec of merged(specs)) {
    const table = tableOf(spec, ours);
    if ((await database.query(database.statements.find(table))).length === 0) missing.push(table);
  }
  return missing;
}

const keyOf = (spec: TableSpec): string => (spec.kind === 'ledger' || spec.kind === 'audit' ? spec.kind : `table ${spec.table.toLowerCase()}`);

/** One of each table; counters that are columns of one table together. */
function merged(specs: readonly TableSpec[]): TableSpec[] {
  const tables = new Map<string, TableSpec>();
  for (const spec of specs) {
    const key = keyOf(spec);
    const before = tables.get(key);
    if (before?.kind === 'counter' && spec.kind === 'counter') {
      tables.set(key, { ...before, countColumns: [...new Set([...before.countColumns, ...spec.countColumns])] });
    } else if (!before) tables.set(key, spec);
  }
  return [...tables.values()];
}
