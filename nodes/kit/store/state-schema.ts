/** The tables of the state store. Each step brings the file from one version to the next; steps are only ever added. */
import { CodedError } from '../errors';
import type { Sqlite } from './sqlite';

/**
 * Every table has a rowid, by which a damaged file is read row by row. `outbox_totals` is kept by triggers: it cannot
 * disagree with the items, costs no count over all of them, and tells after damage how many there were.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE key_values (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    touched INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)
  );
  CREATE INDEX key_values_by_age ON key_values (namespace, touched);

  CREATE TABLE outbox_items (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    outbox TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    payload TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    put_at INTEGER NOT NULL,
    UNIQUE (outbox, id)
  );
  CREATE INDEX outbox_items_in_order ON outbox_items (outbox, seq);
  CREATE INDEX outbox_items_by_key ON outbox_items (outbox, key, seq);

  CREATE TABLE outbox_totals (outbox TEXT PRIMARY KEY, items INTEGER NOT NULL, bytes INTEGER NOT NULL);
  CREATE TRIGGER outbox_item_in AFTER INSERT ON outbox_items BEGIN
    INSERT INTO outbox_totals VALUES (NEW.outbox, 1, NEW.bytes)
      ON CONFLICT (outbox) DO UPDATE SET items = items + 1, bytes = bytes + NEW.bytes;
  END;
  CREATE TRIGGER outbox_item_out AFTER DELETE ON outbox_items BEGIN
    UPDATE outbox_totals SET items = items - 1, bytes = bytes - OLD.bytes WHERE outbox = OLD.outbox;
  END;
  `,
];

/** Throws STORE_FAILED on a file that a newer version of the pack has written. */
export function migrate(database: Sqlite): void {
  const version = Number(database.all('PRAGMA user_version')[0]?.user_version);
  if (version > MIGRATIONS.length)
    throw new CodedError('STORE_FAILED', `the state store was written by a newer version of this pack (format ${version}, known up to ${MIGRATIONS.length})`);
  MIGRATIONS.slice(version).forEach((step, at) => {
    database.transaction(() => {
      database.exec(step);
      database.exec(`PRAGMA user_version=${version + at + 1}`);
    });
  });
}

/** The tables that salvage copies; the others follow from them. JSON columns are checked for being whole. */
export const SALVAGED = [
  { table: 'key_values', json: ['value'], total: undefined },
  { table: 'outbox_items', json: ['payload'], total: 'SELECT sum(items) AS total FROM outbox_totals' },
] as const;

/** The table whose row numbers are never given twice. */
export const NUMBERED = 'outbox_items';
