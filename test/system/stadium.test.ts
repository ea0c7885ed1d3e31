/** Flow 01, as shipped but for shorter waits: from a simulated Avigilon server to the embedded database, through kills. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { openSqlite } from '../../nodes/kit/store/sqlite';
import { startAvigilonServer, type AvigilonServer } from '../devices/avigilon/avigilon-server';
import { crossings } from '../devices/avigilon/crossings';
import { between, seededRandom } from '../devices/seeded-random';
import { flow, withProperties } from './support/flows';
import { newUserDir, nodeRed, startNodeRed } from './support/node-red';
import { until } from './support/until';

const EVENT = 'Clásico';
const TABLES: Record<string, string> = {
  'parqueadero norte': 'Aforo_parqueadero',
  campinsito: 'Aforo_parqueadero_campinsito',
  'zona sur': 'Aforo_parqueadero_SUR',
};
const ROUNDS = 12;
const CROSSINGS = 4000;

const stadium = withProperties(flow('01-avigilon-aforo'), 'avigilon-events', { interval: 1, overlap: 20 });

const environment = (server: AvigilonServer): Record<string, string> => ({
  AVIGILON_URL: server.url,
  AVIGILON_USER: 'nodered',
  AVIGILON_PASS: 'simulated-1',
  AVIGILON_NONCE: 'SimNonce01',
  AVIGILON_KEY: 'simulated-key',
  TIME_ZONE: 'UTC',
});

/** An event that began before the crossings and ends after them. */
async function writeFiles(userDir: string, server: AvigilonServer): Promise<void> {
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const today = new Date().toISOString().slice(0, 10);
  const allDay = { nombre: EVENT, hora_inicio: '00:00', hora_fin: '24:00' };
  await writeFile(join(userDir, 'eventos_programados.json'), JSON.stringify({ [yesterday]: allDay, [today]: allDay }));
  await writeFile(join(userDir, 'ids_camaras_permitidas.json'), JSON.stringify(server.site.cameras.map(({ id }) => id)));
}

test(`history and counters are exact although Node-RED was killed ${ROUNDS} times`, async () => {
  const [target] = inject('targets');
  const random = seededRandom(20261120);
  const server = await startAvigilonServer({ random });
  onTestFinished(() => server.close());
  const userDir = await newUserDir(target!);
  await writeFiles(userDir, server);
  // Within one day, whenever the test runs.
  const to = Date.now() + 30_000;
  const from = Math.max(to - 300_000, new Date().setUTCHours(0, 0, 0, 0));
  // One recording server, each event written when it happens: the floor at 0 follows the order in which events are read.
  const [recorder] = server.site.servers;
  const { events, truth } = crossings({ site: server.site, servers: [recorder!.id], count: CROSSINGS, from, to, random });
  server.controls.record(events);
  server.controls.fault({ kind: 'status', status: 503, route: 'GET /events/search', probability: 0.1 });
  server.controls.fault({ kind: 'sessionExpired', route: 'GET /events/search', probability: 0.05 });

  const env = environment(server);
  for (let round = 0; round < ROUNDS; round++) {
    const red = await startNodeRed(target!, { userDir, env, flow: stadium });
    await new Promise((wake) => setTimeout(wake, between(random, 100, 2500)));
    await red.kill9();
  }
  server.controls.clearFaults();
  const red = await nodeRed(target!, { userDir, env, flow: stadium });
  const settled = to + 1000;
  await until('the crossings to be over and read', () => {
    return server.stats.queries.some((query) => query.serverId === recorder!.id && (query.to ?? 0) > settled);
  });
  await until('the sinks to have written what they hold', () => new Promise<true>((wake) => setTimeout(() => wake(true), 3000)));
  await red.stop('SIGTERM');

  const database = openSqlite(join(userDir, 'camera-events', 'events.sqlite'));
  try {
    const [history] = database.all('SELECT count(*) AS n, count(DISTINCT "nombre_evento") AS names FROM "eventos_Analisis"');
    expect(Number(history?.n)).toBe(truth.history);
    for (const [zone, { occupancy }] of Object.entries(truth.zones)) {
      const rows = database.all(`SELECT "evento", "aforo" FROM "${TABLES[zone]!}"`);
      expect([zone, rows.reduce((sum, { aforo }) => sum + Number(aforo), 0)]).toEqual([zone, occupancy]);
    }
  } finally {
    database.close();
  }
  expect(red.log()).not.toMatch(/unhandled|Uncaught/i);
});
