import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Dialect } from '../../../nodes/sql/database';
import { DEFAULT_TABLES } from '../../../nodes/sql/sql-connection';
import { OUR_TABLES } from '../../../nodes/sql/statements';
import { sqliteStatements } from '../../../nodes/sql/statements-sqlite';
import { sqlserverStatements } from '../../../nodes/sql/statements-sqlserver';

const WHAT = `-- Tables of @aforo/node-red-camera-events. Creates what is missing and changes nothing that is there.
-- eventos_Analisis and the three counters are the stadium's; a table of the same name and columns serves as well.
-- camera_events_ledger remembers which event has been applied, so that each counts once: every worker needs it.
`;

function script(dialect: Dialect): string {
  const statements = dialect === 'sqlite' ? sqliteStatements(OUR_TABLES) : sqlserverStatements(OUR_TABLES);
  const texts = DEFAULT_TABLES.flatMap((spec) => statements.create(spec)).flatMap(({ steps }) => steps);
  return dialect === 'sqlite' ? `${WHAT}\n${texts.join(';\n\n')};\n` : `${WHAT}-- For SQL Server 2016 and later, Azure SQL and Babelfish.\n\n${texts.map((text) => `${text}\nGO\n`).join('\n')}`;
}

describe.each<[Dialect, string]>([
  ['sqlite', 'create-sqlite.sql'],
  ['sqlserver', 'create-sqlserver.sql'],
])('the script for %s', (dialect, file) => {
  const path = new URL(`../../../sql/${file}`, import.meta.url);

  test('is what the code itself would run (UPDATE_SQL=1 writes it)', () => {
    if (process.env.UPDATE_SQL) writeFileSync(path, script(dialect));
    expect(readFileSync(path, 'utf8')).toBe(script(dialect));
  });
});
