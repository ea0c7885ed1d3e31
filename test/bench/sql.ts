/** Events per second into the embedded database, each on disk and in the ledger when counted; wall-clock time, best of three. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyAforo, type AforoItem } from '../../nodes/sql/apply-aforo';
import { applyHistory } from '../../nodes/sql/apply-history';
import { DEFAULT_COLUMNS, rowMapping } from '../../nodes/sql/columns';
import type { Database } from '../../nodes/sql/database';
import { EmbeddedDatabase } from '../../nodes/sql/embedded-database';
import { DEFAULT_TABLES, createTables } from '../../nodes/sql/sql-connection';
import { DEFAULT_ZONES, movesOf, zonesOf } from '../../nodes/sql/zones';

export const name = 'sql: events per second into the embedded database, against history alone in batches of 1';

const EVENTS = 20_000;
const zones = zonesOf(DEFAULT_ZONES);
const mapping = rowMapping(DEFAULT_COLUMNS, 'America/Bogota');
const NAMES = ['Aforo Entrada Parqueadero Norte', 'Salida Vehicular Campinsito', 'Ingreso Parqueadero Sur', 'Aforo Salida Parqueadero Norte'];
const messages = Array.from({ length: EVENTS }, (_, n) => ({
  id: `4xIx1DMwMLSwMDW2tDBKNNBLTsw1MBASCDilIf-${n}`,
  payload: {
    time: new Date(Date.UTC(2026, 0, 20, 20) + n).toISOString(),
    data: { analyticEventName: NAMES[n % NAMES.length], area: '', activity: 'OBJECT_COUNTING_ENTER', cameraId: '4xIx1DMwMLSwMDUyMLewSNRLTsw1MBASWFrTcl-dw2XC' },
  },
  event: { name: 'Final' },
}));
type Message = (typeof messages)[number];

const history = (database: Database, batch: readonly Message[]): Promise<unknown> =>
  applyHistory(
    batch.map((message) => ({ id: message.id, at: Date.parse(message.payload.time), row: mapping.row(message) })),
    { database, table: 'eventos_Analisis', columns: mapping.columns, effect: 'history:bench' },
  );

const counters = (database: Database, batch: readonly Message[]): Promise<unknown> =>
  applyAforo(
    batch.map(({ id, payload, event }): AforoItem => ({ kind: 'move', id, at: Date.parse(payload.time), event: event.name, moves: movesOf(payload, zones) })),
    { database, effect: 'aforo:bench', now: 0 },
  );

async function both(database: Database, batch: readonly Message[]): Promise<void> {
  await history(database, batch);
  await counters(database, batch);
}

async function replayed(database: Database, batch: readonly Message[]): Promise<void> {
  await both(database, batch);
  await both(database, batch);
}

type Work = (database: Database, batch: readonly Message[]) => Promise<unknown>;
const cases: [title: string, events: number, batch: number, work: Work][] = [
  ['history, batches of 1', 1000, 1, history],
  ['history, batches of 500', EVENTS, 500, history],
  ['counters, batches of 500', EVENTS, 500, counters],
  ['history and counters, batches of 1', 1000, 1, both],
  ['history and counters, batches of 50', EVENTS, 50, both],
  ['history and counters, batches of 500', EVENTS, 500, both],
  ['history and counters, batches of 500, everything twice', EVENTS, 500, replayed],
];

async function eventsPerSecond(events: number, size: number, work: Work): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sql-bench-'));
  const database = new EmbeddedDatabase({ file: join(folder, 'events.sqlite') });
  try {
    await createTables(database, DEFAULT_TABLES);
    const start = performance.now();
    for (let from = 0; from < events; from += size) await work(database, messages.slice(from, Math.min(events, from + size)));
    return events / ((performance.now() - start) / 1000);
  } finally {
    await database.close();
    rmSync(folder, { recursive: true });
  }
}

export async function run(): Promise<{ case: string; figure: string; ratio?: number }[]> {
  const best = cases.map(() => 0);
  for (let round = 0; round < 3; round++) {
    for (const [nth, [, events, size, work]] of cases.entries()) best[nth] = Math.max(best[nth]!, await eventsPerSecond(events, size, work));
  }
  return cases.map(([title], nth) => ({
    case: title,
    figure: `${Math.round(best[nth]!).toLocaleString('en')} events/s`,
    ratio: Number((best[nth]! / best[0]!).toFixed(2)),
  }));
}
