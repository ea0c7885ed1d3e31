/** SQL Server, Azure SQL and Babelfish through mssql, which is loaded on first use: 130 ms and 19 MiB (facts/sql-server.md). */
import type { ConnectionPool, Request, config as MssqlConfig } from 'mssql';
import { systemClock, type Clock } from '../kit/clock';
import type { Database, Row, Session, SqlValue, Statement } from './database';
import { SqlError } from './sql-error';
import { sqlserverError } from './sqlserver-errors';
import { OUR_TABLES, type OurTables, type Statements } from './statements';
import { sqlserverStatements } from './statements-sqlserver';

type Mssql = typeof import('mssql');

export interface SqlServerSettings {
  server: string;
  /** Not with `instance`, whose port the server's browser service tells. */
  port?: number | undefined;
  instance?: string | undefined;
  database: string;
  user: string;
  password: string;
  /** Windows domain, for NTLM. */
  domain?: string | undefined;
  encrypt: boolean;
  /** Do not check the certificate. */
  trustServerCertificate: boolean;
  /** PEM certificates of the authorities to trust instead of Node's own. */
  ca?: string[] | undefined;
  poolMax?: number;
  connectTimeoutMs?: number;
  requestTimeoutMs?: number;
  /** For a whole transaction or statement, whatever the driver does. */
  deadlineMs?: number;
  ours?: OurTables;
  clock?: Clock;
}

const CLOSE_MS = 5000;
/** Longer texts compare without an index. */
const INDEXED_TEXT = 4000;
const MAX_INT = 2_147_483_647;

export class SqlServerDatabase implements Database {
  readonly dialect = 'sqlserver';
  readonly name: string;
  readonly statements: Statements;
  readonly #settings: SqlServerSettings;
  readonly #where: string;
  readonly #clock: Clock;
  #connecting: Promise<{ sql: Mssql; pool: ConnectionPool }> | undefined;
  #closed = false;

  constructor(settings: SqlServerSettings) {
    this.#settings = settings;
    this.#clock = settings.clock ?? systemClock;
    this.name = settings.database;
    this.#where = `SQL Server ${settings.server}${settings.instance ? `\\${settings.instance}` : ''}, database ${settings.database}`;
    this.statements = sqlserverStatements(settings.ours ?? OUR_TABLES);
  }

  async query(statement: Statement): Promise<Row[]> {
    return (await this.execute(statement)).rows;
  }

  execute(statement: Statement): Promise<{ rows: Row[]; changes: number }> {
    return this.#within(async () => {
      const { sql, pool } = await this.#connected();
      return send(sql, pool.request(), statement);
    });
  }

  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#within(async (assertTime) => {
      const { sql, pool } = await this.#connected();
      assertTime();
      const transaction = pool.transaction();
      await transaction.begin(sql.ISOLATION_LEVEL.READ_COMMITTED);
      try {
        const query = async (statement: Statement): Promise<Row[]> => {
          assertTime();
          return (await send(sql, transaction.request(), statement)).rows;
        };
        const result = await work({ query: (statement) => this.#coded(query(statement)) });
        assertTime();
        await transaction.commit();
        return result;
      } catch (error) {
        // Says EABORT or ENOTBEGUN where the server, or the end of the connection, has rolled back already.
        await transaction.rollback().catch(() => undefined);
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = await this.#connecting?.catch(() => undefined);
    if (!open) return;
    let cancel: () => void = () => undefined;
    const patience = new Promise<void>((resolve) => (cancel = this.#clock.after(CLOSE_MS, resolve)));
    // It waits for the statement that is running.
    await Promise.race([open.pool.close().catch(() => undefined), patience]);
    cancel();
  }

  /** One pool for good: it recovers by itself when the server is back (facts/sql-server.md). Only the first connect is tried anew. */
  #connected(): Promise<{ sql: Mssql; pool: ConnectionPool }> {
    if (this.#closed) return Promise.reject(unavailable(`${this.#where}: the connection was closed`));
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  async #connect(): Promise<{ sql: Mssql; pool: ConnectionPool }> {
    const sql = (await import('mssql')).default;
    const pool = new sql.ConnectionPool(this.#config());
    // Without a listener a server that stops ends the process. What the error means reaches whoever waits for an answer.
    pool.on('error', () => undefined);
    await pool.connect();
    return { sql, pool };
  }

  #config(): MssqlConfig {
    const { server, port, instance, database, user, password, domain, encrypt, trustServerCertificate, ca } = this.#settings;
    return {
      server,
      ...(port !== undefined && !instance ? { port } : {}),
      database,
      user,
      password,
      ...(domain ? { domain } : {}),
      connectionTimeout: this.#settings.connectTimeoutMs ?? 5000,
      requestTimeout: this.#settings.requestTimeoutMs ?? 15_000,
      validateConnection: 'socket',
      pool: { max: this.#settings.poolMax ?? 4, min: 0, idleTimeoutMillis: 30_000, acquireTimeoutMillis: 5000 },
      options: {
        encrypt,
        trustServerCertificate,
        appName: 'node-red-camera-events',
        ...(instance ? { instanceName: instance } : {}),
        ...(ca ? { cryptoCredentialsDetails: { ca } } : {}),
      },
    };
  }

  /** The driver's own time limits each cover one step, and not the waiting in between. */
  async #within<T>(work: (assertTime: () => void) => Promise<T>): Promise<T> {
    const limit = this.#settings.deadlineMs ?? 30_000;
    let over = false;
    const late = (): SqlError => unavailable(`${this.#where}: not finished after ${Math.round(limit / 1000)} s`);
    const assertTime = (): void => {
      if (over) throw late();
    };
    let cancel: () => void = () => undefined;
    const expired = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(limit, () => {
        over = true;
        reject(late());
      });
    });
    try {
      return await this.#coded(Promise.race([work(assertTime), expired]));
    } finally {
      cancel();
    }
  }

  async #coded<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw sqlserverError(error, this.#where);
    }
  }
}

async function send(sql: Mssql, request: Request, { steps, params }: Statement): Promise<{ rows: Row[]; changes: number }> {
  for (const [name, value] of Object.entries(params)) bind(sql, request, name, value);
  const { recordsets, rowsAffected } = await request.query<Row[]>(steps.join(';\n'));
  return { rows: (recordsets as unknown as Row[][]).flat(), changes: rowsAffected.reduce((sum, count) => sum + count, 0) };
}

function bind(sql: Mssql, request: Request, name: string, value: SqlValue): void {
  switch (typeof value) {
    case 'string':
      request.input(name, value.length <= INDEXED_TEXT ? sql.NVarChar(INDEXED_TEXT) : sql.NVarChar(sql.MAX), value);
      return;
    case 'number':
      request.input(name, !Number.isSafeInteger(value) ? sql.Float() : Math.abs(value) <= MAX_INT ? sql.Int() : sql.BigInt(), value);
      return;
    case 'bigint':
      request.input(name, sql.BigInt(), value);
      return;
    case 'boolean':
      request.input(name, sql.Bit(), value);
      return;
    default:
      if (value instanceof Date) request.input(name, sql.DateTime2(3), value);
      else if (value === null) request.input(name, sql.NVarChar(INDEXED_TEXT), null);
      else request.input(name, sql.VarBinary(sql.MAX), Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  }
}

const unavailable = (text: string): SqlError => new SqlError('retry', 'SQL_UNAVAILABLE', text);
