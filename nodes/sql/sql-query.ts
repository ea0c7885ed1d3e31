import { z } from 'zod';
import { field } from '../kit/config';
import { CodedError } from '../kit/errors';
import { defineNode } from '../kit/node';
import type { SqlValue } from './database';
import { isSingle, parameterNames } from './named-parameters';
import type { SqlConnection } from './sql-connection';

export = defineNode({
  type: 'sql-query',
  config: z.object({
    database: field.text(''),
    statement: field.text(),
  }),
  start(kit) {
    const { statement } = kit.config;
    const connection = kit.use(kit.config.database, 'database') as SqlConnection;
    const { database } = connection;
    if (database.dialect === 'sqlite' && !isSingle(statement)) {
      throw new CodedError('CONFIG_INVALID', 'statement: the embedded database takes one statement', { field: 'statement' });
    }
    const names = parameterNames(statement);
    // What the statement declares itself is not for the message to give.
    const declares = /\bdeclare\b/i.test(statement);

    return {
      async input(msg, send) {
        kit.counters.received++;
        const given = parametersIn(msg);
        const params: Record<string, SqlValue> = {};
        for (const name of names) {
          if (Object.hasOwn(given, name) && given[name] !== undefined) params[name] = valueOf(given[name], name);
          else if (!declares) throw new CodedError('BAD_MESSAGE', `the statement needs @${name}; give it in msg.params or msg.payload`);
        }
        try {
          await connection.prepare();
          const { rows, changes } = await database.execute({ steps: [statement], params });
          kit.status('green', 'dot', 'rows', { rows: rows.length });
          kit.counters.published++;
          send(Object.assign(msg, { payload: rows, rowsAffected: changes }));
        } catch (error) {
          if (error instanceof CodedError) kit.status('red', 'ring', 'error', { reason: kit.translate(`reason.${error.code}`) });
          throw error;
        }
      },
    };
  },
});

/** `msg.params`, else `msg.payload.params`, else the properties of `msg.payload`. */
function parametersIn(msg: object): Record<string, unknown> {
  const { params, payload } = msg as { params?: unknown; payload?: unknown };
  if (isRecord(params)) return params;
  if (!isRecord(payload)) return {};
  return isRecord(payload.params) ? payload.params : payload;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date) && !(value instanceof Uint8Array);

function valueOf(value: unknown, name: string): SqlValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      break;
    case 'object':
      if (value === null || value instanceof Uint8Array) return value;
      if (!(value instanceof Date)) return JSON.stringify(value);
      if (!Number.isNaN(value.getTime())) return value;
  }
  throw new CodedError('BAD_MESSAGE', `@${name} is nothing that a database can store`);
}
