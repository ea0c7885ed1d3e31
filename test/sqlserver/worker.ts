/**
 * One worker of several, as a process: writes the same events as all the others, in batches and an order of its own, until each
 * is applied. Arguments: prefix of the tables, number of events, seed. MSSQL_URL says where.
 */
import { setTimeout } from 'node:timers/promises';
import { seededRandom } from '../devices/seeded-random';
import { SqlServerDatabase } from '../../nodes/sql/sqlserver-database';
import { historyItem, names, step, writeAforo, writeHistory, type World } from '../unit/sql/support/world';
import { settings } from './server';

async function main(): Promise<void> {
  const [prefix = '', count = '0', seed = '1'] = process.argv.slice(2);
  const world = names(prefix);
  const database = new SqlServerDatabase(settings(process.env.MSSQL_URL ?? '', world.ours));
  const random = seededRandom(Number(seed));
  const offset = Math.floor(random() * Number(count));
  for (let done = 0; done < Number(count); ) {
    const size = 1 + Math.floor(random() * 40);
    const numbers = Array.from({ length: Math.min(size, Number(count) - done) }, (_, at) => (offset + done + at) % Number(count));
    const history = await writeHistory(world as World, database, numbers.map((n) => historyItem(n)));
    const { outcomes } = await writeAforo(database, numbers.map((n) => step(world as World, n, n % 3, 1)));
    const all = [...history, ...outcomes];
    if (all.some(({ state }) => state === 'dead')) throw new Error('a row was refused');
    if (all.every(({ state }) => state === 'done')) done += numbers.length;
    else await setTimeout(200);
    if (done >= Number(count) / 4) process.stdout.write('quarter\n');
  }
  await database.close();
}

void main();
