/** Opens the database named on the command line, says so, and holds it until it is killed. */
import { openSqlite, type SqliteDriver } from '../../../../../nodes/kit/store/sqlite';

const [path = '', driver] = process.argv.slice(2);
const database = openSqlite(path, { driver: driver as SqliteDriver });
database.exec('CREATE TABLE IF NOT EXISTS t (v); INSERT INTO t VALUES (1)');
process.send?.('open');
// The IPC channel keeps it alive.
process.on('message', () => undefined);
