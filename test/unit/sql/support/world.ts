/** Tables to write to, events to write and what must come of them; the same for both dialects. */
import fc from 'fast-check';
import { systemClock, type Clock } from '../../../../nodes/kit/clock';
import { applyAforo, type AforoChange, type AforoItem, type Counter } from '../../../../nodes/sql/apply-aforo';
import { applyBatch, type Outcome } from '../../../../nodes/sql/apply-batch';
import { applyHistory, type HistoryItem, type HistoryResult } from '../../../../nodes/sql/apply-history';
import type { Database, Row, Session } from '../../../../nodes/sql/database';
import { SqlError } from '../../../../nodes/sql/sql-error';
import type { OurTables, TableSpec } from '../../../../nodes/sql/statements';

export interface World {
  /** One more worker's connection to the same database. */
  open(): Database;
  ours: OurTables;
  history: string;
  /** Three zones; the third one's table has no key, as a user's may have none. */
  counters: Counter[];
  /** Reads and checks what no sink does. */
  rows(sql: string): Promise<Row[]>;
  dispose(): Promise<void>;
}

export const COLUMNS = [
  { column: 'name', type: 'text' },
  { column: 'happened', type: 'local-time' },
  { column: 'n', type: 'integer' },
] as const;

export const names = (prefix: string): Pick<World, 'ours' | 'history' | 'counters'> => ({
  ours: { ledger: `${prefix}ledger`, audit: `${prefix}audit` },
  history: `${prefix}eventos_Analisis`,
  counters: ['norte', 'campinsito', 'sur'].map((zone) => ({
    name: zone,
    key: `${prefix}${zone}.aforo`,
    table: `${prefix}${zone}`,
    eventColumn: 'evento',
    countColumn: 'aforo',
  })),
});

/** What the pack's own script makes; the keyless table each dialect makes itself. */
export const specs = ({ history, counters }: Pick<World, 'history' | 'counters'>): TableSpec[] => [
  { kind: 'ledger' },
  { kind: 'audit' },
  { kind: 'history', table: history, columns: COLUMNS },
  ...counters.slice(0, 2).map(({ table, eventColumn, countColumn }): TableSpec => ({ kind: 'counter', table, eventColumn, countColumns: [countColumn] })),
];

export async function create(database: Database, of: readonly TableSpec[]): Promise<void> {
  for (const spec of of) for (const statement of database.statements.create(spec)) await database.query(statement);
}

/** Time stands still, and waiting takes none. */
export const instantClock: Clock = {
  now: () => Date.parse('2026-03-01T12:00:00Z'),
  monotonic: () => 0,
  after(_, run) {
    queueMicrotask(run);
    return () => undefined;
  },
};

/** Against a real server, waiting for others is part of it. */
const options = ({ dialect }: Database) => ({
  clock: dialect === 'sqlserver' ? systemClock : instantClock,
  random: Math.random,
  signal: new AbortController().signal,
});

export const writeHistory = (world: World, database: Database, items: readonly HistoryItem[], effect = 'history:test'): Promise<Outcome<HistoryResult>[]> =>
  applyBatch(items, { ...options(database), apply: (part) => applyHistory(part, { database, table: world.history, columns: COLUMNS, effect }) });

export async function writeAforo(database: Database, items: readonly AforoItem[], effect = 'aforo:test'): Promise<{ outcomes: Outcome<boolean>[]; changes: AforoChange[] }> {
  const changes: AforoChange[] = [];
  const outcomes = await applyBatch(items, {
    ...options(database),
    apply: async (part) => {
      const result = await applyAforo(part, { database, effect, now: instantClock.now() });
      changes.push(...result.changes);
      return result.applied;
    },
  });
  return { outcomes, changes };
}

export const START = Date.parse('2026-03-01T10:00:00Z');

export const historyItem = (n: number, name = `event ${n}`): HistoryItem => ({ id: `h-${n}`, at: START + n, row: [name, '2026-03-01 05:00:00.000', n] });

/** A visitor's step: `zone` 0-2. Ids and times follow from `n`, so that a replay is the same again. */
export const step = (world: World, n: number, zone: number, delta: 1 | -1, event = 'Final'): AforoItem & { kind: 'move' } => ({
  kind: 'move',
  id: `s-${n}`,
  at: START + n,
  event,
  moves: [{ zone: world.counters[zone]!, delta }],
});

export const arbitrarySteps = (world: World, max: number): fc.Arbitrary<(AforoItem & { kind: 'move' })[]> =>
  fc
    .array(fc.record({ zone: fc.nat(2), delta: fc.constantFrom(1 as const, -1 as const), event: fc.constantFrom('Final', "O'Higgins") }), { maxLength: max })
    .map((steps) => steps.map(({ zone, delta, event }, n) => step(world, n, zone, delta, event)));

/** The counts that follow from each event once, in the order of their time, never below 0. */
export function expectedCounts(items: readonly (AforoItem & { kind: 'move' })[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { moves, event } of [...items].sort((a, b) => a.at - b.at)) {
    for (const { zone, delta } of moves) {
      const key = `${zone.name} ${event}`;
      counts[key] = Math.max(0, (counts[key] ?? 0) + delta);
    }
  }
  return counts;
}

export async function counts(world: World): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { name, table } of world.counters) {
    for (const row of await world.rows(`SELECT evento, aforo FROM ${table}`)) {
      const key = `${name} ${String(row.evento)}`;
      if (key in found) throw new Error(`${table} has two rows for ${key}`);
      found[key] = Number(row.aforo);
    }
  }
  return found;
}

export const historyNumbers = async (world: World): Promise<number[]> =>
  (await world.rows(`SELECT n FROM ${world.history}`)).map((row) => Number(row.n)).sort((a, b) => a - b);

/**
 * A database whose connection breaks at a boundary: before or after any statement, before the transaction, or after the commit,
 * which is then done but not known to be.
 */
export class Breaking implements Database {
  readonly #inner: Database;
  readonly #at: number;
  boundaries = 0;

  constructor(inner: Database, at: number) {
    this.#inner = inner;
    this.#at = at;
  }

  get dialect(): Database['dialect'] {
    return this.#inner.dialect;
  }
  get name(): string {
    return this.#inner.name;
  }
  get statements(): Database['statements'] {
    return this.#inner.statements;
  }

  async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    this.#boundary();
    const result = await this.#inner.transaction((session) =>
      work({
        query: async (statement) => {
          this.#boundary();
          const rows = await session.query(statement);
          this.#boundary();
          return rows;
        },
      }),
    );
    this.#boundary();
    return result;
  }

  query(...args: Parameters<Database['query']>): Promise<Row[]> {
    return this.#inner.query(...args);
  }
  execute(...args: Parameters<Database['execute']>): ReturnType<Database['execute']> {
    return this.#inner.execute(...args);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }

  #boundary(): void {
    if (this.boundaries++ === this.#at) throw new SqlError('retry', 'SQL_UNAVAILABLE', 'the connection broke');
  }
}
