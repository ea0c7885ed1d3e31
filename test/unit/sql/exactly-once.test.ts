import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedDatabase } from '../../../nodes/sql/embedded-database';
import { exactlyOnce } from './support/exactly-once';
import { create, names, specs, type World } from './support/world';

async function embeddedWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sql-'));
  const { ours, history, counters } = names('t_');
  const open = (): EmbeddedDatabase => new EmbeddedDatabase({ file: join(folder, 'events.sqlite'), ours });
  const database = open();
  const rows = (sql: string) => database.query({ steps: [sql], params: {} });
  await rows(`CREATE TABLE ${history} (id INTEGER PRIMARY KEY, name TEXT, happened TEXT, n INTEGER NOT NULL)`);
  await rows(`CREATE TABLE ${counters[2]!.table} (evento TEXT, aforo INTEGER)`);
  await create(database, specs({ history, counters }));
  return {
    ours,
    history,
    counters,
    open,
    rows,
    async dispose() {
      await database.close();
      rmSync(folder, { recursive: true });
    },
  };
}

exactlyOnce('the embedded database', embeddedWorld, { runs: 60 });
