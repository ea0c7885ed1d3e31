import { join, resolve } from 'node:path';
import type { NodeAPI } from 'node-red';
import { z } from 'zod';
import { field, readConfig, type EnvLookup } from '../kit/config';
import { CodedError, coded } from '../kit/errors';
import { loginOf, typedCredentials, type Login } from '../kit/login';
import { defineNode } from '../kit/node';
import { tlsOptions } from '../kit/tls';
import { assertZone } from '../kit/zone';
import type { Database } from './database';
import { EmbeddedDatabase } from './embedded-database';
import { DEFAULT_TABLES, SqlConnection, createTables, missingTables } from './sql-connection';
import { SqlServerDatabase } from './sqlserver-database';
import { OUR_TABLES, type TableSpec } from './statements';

const config = z.object({
  name: field.text(''),
  dialect: field.choice(['embedded', 'sqlserver'], 'embedded'),
  file: field.text(''),
  server: field.text(''),
  port: field.number({ min: 0, max: 65_535, fallback: 0, integer: true }),
  instance: field.text(''),
  database: field.text(''),
  domain: field.text(''),
  encrypt: field.flag(true),
  tlsVerify: field.flag(true),
  tlsCaFile: field.text(''),
  poolMax: field.number({ min: 1, max: 50, fallback: 4, integer: true }),
  connectTimeout: field.number({ min: 1, max: 120, fallback: 5 }),
  requestTimeout: field.number({ min: 1, max: 600, fallback: 15 }),
  timeZone: field.text('America/Bogota'),
  retentionDays: field.number({ min: 1, max: 3650, fallback: 30, integer: true }),
  userEnv: field.text(''),
  passwordEnv: field.text(''),
});
type Config = z.infer<typeof config>;

/** Connections of the running flows, for the dialog to know which tables they write to. */
const running = new Map<string, Set<SqlConnection>>();

export = defineNode({
  type: 'sql-database',
  config,
  credentials: { user: 'text', password: 'password' },
  start(kit) {
    const settings = kit.config;
    assertZone(settings.timeZone);
    const connection = new SqlConnection({
      database: databaseOf(settings, kit.credentials, kit.env, kit.userDir),
      timeZone: settings.timeZone,
      retentionDays: settings.retentionDays,
      createTables: settings.dialect === 'embedded',
      clock: kit.clock,
      random: kit.random,
      signal: kit.signal,
    });
    const place = placeOf(settings, kit.userDir);
    const here = running.get(place) ?? new Set<SqlConnection>();
    running.set(place, here.add(connection));
    return {
      provides: connection,
      async close() {
        here.delete(connection);
        if (here.size === 0) running.delete(place);
        await connection.database.close();
      },
    };
  },
  register(RED) {
    route(RED, 'test', async (database, tables) => {
      const [row] = await database.query(database.statements.version());
      const version = row?.version;
      return { version: typeof version === 'string' ? version.split('\n')[0] : '', database: database.name, missing: await missingTables(database, tables, OUR_TABLES) };
    });
    route(RED, 'create', async (database, tables) => {
      const created = await missingTables(database, tables, OUR_TABLES);
      await createTables(database, tables);
      return { created };
    });
  },
});

/** @throws CodedError CONFIG_INVALID, CREDENTIALS_MISSING, TLS_CA_UNREADABLE */
function databaseOf(settings: Config, stored: Login, env: EnvLookup, userDir: string): Database {
  if (settings.dialect === 'embedded') return new EmbeddedDatabase({ file: fileOf(settings, userDir) });
  const { instance, database, domain, encrypt, tlsVerify, tlsCaFile, poolMax, connectTimeout, requestTimeout } = settings;
  const { server, port } = addressOf(settings);
  if (!server) throw new CodedError('CONFIG_INVALID', 'server: must not be empty', { field: 'server' });
  if (!database) throw new CodedError('CONFIG_INVALID', 'database: must not be empty', { field: 'database' });
  const { ca } = tlsOptions(encrypt && tlsVerify && tlsCaFile ? { mode: 'ca', caFile: tlsCaFile } : { mode: 'verify' });
  return new SqlServerDatabase({
    server,
    port: port || undefined,
    // A port that is named needs no browser service to find it.
    instance: port ? undefined : instance || undefined,
    database,
    ...loginOf(stored, settings, 'DB_PASSWORD', env),
    domain: domain || undefined,
    encrypt,
    trustServerCertificate: !tlsVerify,
    ca: Array.isArray(ca) ? ca.map(String) : undefined,
    poolMax,
    connectTimeoutMs: connectTimeout * 1000,
    requestTimeoutMs: requestTimeout * 1000,
    deadlineMs: (connectTimeout + 2 * requestTimeout) * 1000,
  });
}

/** Also as SQL Server's own tools write it: `host,port`. */
function addressOf({ server, port }: Config): { server: string; port: number } {
  const [, host = server, ownPort = port] = /^([^,]+),\s*(\d{1,5})$/.exec(server) ?? [];
  return { server: host, port: Number(ownPort) };
}

const fileOf = ({ file }: Config, userDir: string): string => resolve(userDir, file || join('camera-events', 'events.sqlite'));

const placeOf = (settings: Config, userDir: string): string =>
  settings.dialect === 'embedded'
    ? fileOf(settings, userDir)
    : [settings.server, settings.port, settings.instance, settings.database].join('\n').toLowerCase();

/** A request of the dialog: with what is typed there or stored, on a connection of its own. */
function route(RED: NodeAPI, name: string, answer: (database: Database, tables: readonly TableSpec[]) => Promise<object>): void {
  RED.httpAdmin.post(`/camera-events/sql-database/${name}`, RED.auth.needsPermission('sql-database.write'), (request, response) => {
    const form = (request.body ?? {}) as Record<string, unknown>;
    const work = async (): Promise<object> => {
      const env: EnvLookup = (variable) => process.env[variable];
      const userDir = (RED.settings as { userDir?: string }).userDir ?? process.cwd();
      const settings = readConfig(config, form, env);
      const database = databaseOf(settings, typedCredentials(RED, ['user', 'password'], form, env), env, userDir);
      try {
        const wanted = [...(running.get(placeOf(settings, userDir)) ?? [])].flatMap((connection) => connection.required);
        return await answer(database, wanted.length > 0 ? wanted : DEFAULT_TABLES);
      } finally {
        await database.close();
      }
    };
    work().then(
      (result) => response.json(result),
      (error: unknown) => {
        const { code, message, field: at } = coded(error);
        response.status(422).json({ code, text: message, field: at });
      },
    );
  });
}
