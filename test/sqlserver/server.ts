/** A real server to test against: `MSSQL_URL=mssql://user:password@host:port/database?encrypt=false&trustServerCertificate=true`. */
import { randomBytes } from 'node:crypto';
import { SqlServerDatabase, type SqlServerSettings } from '../../nodes/sql/sqlserver-database';
import type { OurTables } from '../../nodes/sql/statements';
import { create, names, specs, type World } from '../unit/sql/support/world';

export const url = process.env.MSSQL_URL;

export const SKIPPED = 'MSSQL_URL is not set: nothing was tried against a real SQL Server';

export function settings(from: string, ours: OurTables): SqlServerSettings {
  const { hostname, port, username, password, pathname, searchParams } = new URL(from);
  return {
    server: hostname,
    port: port === '' ? 1433 : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    encrypt: searchParams.get('encrypt') !== 'false',
    trustServerCertificate: searchParams.get('trustServerCertificate') === 'true',
    ours,
  };
}

export interface ServerWorld extends World {
  prefix: string;
}

/** Objects of its own, under a random prefix, gone afterwards. */
export async function serverWorld(from: string): Promise<ServerWorld> {
  const prefix = `t${randomBytes(5).toString('hex')}_`;
  const { ours, history, counters } = names(prefix);
  const open = (): SqlServerDatabase => new SqlServerDatabase(settings(from, ours));
  const database = open();
  const rows = (sql: string) => database.query({ steps: [sql], params: {} });
  await rows(`CREATE TABLE ${history} (id int IDENTITY(1, 1) PRIMARY KEY, name nvarchar(max), happened datetime2(3), n int NOT NULL)`);
  await rows(`CREATE TABLE ${counters[2]!.table} (evento nvarchar(255), aforo int)`);
  await create(database, specs({ history, counters }));
  return {
    prefix,
    ours,
    history,
    counters,
    open,
    rows,
    async dispose() {
      for (const table of [history, ours.ledger, ours.audit, ...counters.map(({ table: of }) => of)]) await rows(`DROP TABLE ${table}`);
      await database.close();
    },
  };
}
