/** What the embedded database is held to, on a real SQL Server, and with workers in processes of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exactlyOnce } from '../unit/sql/support/exactly-once';
import { counts, historyNumbers } from '../unit/sql/support/world';
import { SKIPPED, serverWorld, url, type ServerWorld } from './server';

if (url === undefined) {
  test.skip(SKIPPED, () => undefined);
} else {
  const server = url;
  exactlyOnce('SQL Server', () => serverWorld(server), { runs: 4 });

  describe('workers in processes of their own', () => {
    const EVENTS = 300;
    const EXPECTED = { 'norte Final': 100, 'campinsito Final': 100, 'sur Final': 100 };
    let world: ServerWorld;
    const workers = new Set<ChildProcess>();
    beforeEach(async () => {
      world = await serverWorld(server);
    });
    afterEach(async () => {
      for (const worker of workers) worker.kill('SIGKILL');
      workers.clear();
      await world.dispose();
    });

    function start(seed: number): ChildProcess {
      const script = fileURLToPath(new URL('worker.ts', import.meta.url));
      const worker = spawn(process.execPath, ['--import', 'tsx', script, world.prefix, String(EVENTS), String(seed)], {
        env: { ...process.env, MSSQL_URL: server },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      workers.add(worker);
      return worker;
    }
    const ended = async (worker: ChildProcess): Promise<number | null> => ((await once(worker, 'exit')) as [number | null])[0];

    async function nothingTwice(): Promise<void> {
      expect(await historyNumbers(world)).toEqual(Array.from({ length: EVENTS }, (_, n) => n));
      expect(await counts(world)).toEqual(EXPECTED);
    }

    test.each([2, 4])('%i at once write the same events once', async (number) => {
      const codes = await Promise.all(Array.from({ length: number }, (_, seed) => ended(start(seed + 1))));
      expect(codes).toEqual(Array<number>(number).fill(0));
      await nothingTwice();
    });

    test('one that is killed in the middle leaves nothing half done', async () => {
      const killed = start(1);
      const other = start(2);
      await once(killed.stdout!, 'data');
      killed.kill('SIGKILL');
      await ended(other);
      await ended(start(3));
      await nothingTwice();
    });
  });
}
