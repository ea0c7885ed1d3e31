import { z } from 'zod';
import { asCameraEvent, type CameraEvent } from '../kit/camera-event';
import { field } from '../kit/config';
import { reasonOf, CodedError } from '../kit/errors';
import { defineNode } from '../kit/node';
import { applyHistory, type HistoryItem, type HistoryResult } from './apply-history';
import { DEFAULT_COLUMNS, columnSchema, rowMapping } from './columns';
import { jsonList } from './json-field';
import { assertEffect, effectName } from './ledger';
import { DEFAULT_FILTER, anyRule, ruleSchema } from './rules';
import { SinkNode, eventNameOf, excerptOf, sinkFields } from './sink-node';
import type { SqlConnection } from './sql-connection';

export = defineNode({
  type: 'event-insert',
  config: z.object({
    ...sinkFields,
    table: field.text('eventos_Analisis'),
    columns: jsonList(columnSchema, DEFAULT_COLUMNS),
    /** Any of them; none at all lets every event through. */
    filter: jsonList(ruleSchema, DEFAULT_FILTER),
  }),
  start(kit) {
    const { counters } = kit;
    const { table, filter, eventName } = kit.config;
    const connection = kit.use(kit.config.database, 'database') as SqlConnection;
    const { database } = connection;
    const mapping = rowMapping(kit.config.columns, connection.timeZone);
    const wanted = filter.length === 0 ? () => true : anyRule(filter, 'filter');
    const effect = kit.config.effect ? assertEffect(kit.config.effect) : effectName('history', database.name, table);
    const properties = new Set(['topic', 'payload', 'event', ...mapping.roots]);
    // Names that cannot be quoted are found now, and not by the first event.
    database.statements.insertRows(table, mapping.columns, []);
    connection.require([{ kind: 'history', table, columns: mapping.columns }]);

    const count = (result: HistoryResult): void => {
      if (result === 'inserted') counters.published++;
      else counters.deduplicated++;
    };
    const sink = new SinkNode<HistoryItem, HistoryResult>({
      kit,
      connection,
      effect,
      read: (excerpt, id) => ({ id, at: Date.parse((excerpt.payload as CameraEvent).time), row: mapping.row(excerpt) }),
      apply: (items) => applyHistory(items, { database, table, columns: mapping.columns, effect }),
      message: (excerpt, result) => {
        count(result);
        return [{ ...excerpt, stored: result }, null];
      },
    });

    return {
      async input(msg, send) {
        counters.received++;
        const event = asCameraEvent(msg.payload);
        counters.lastEventAt = kit.clock.now();
        if (!wanted(event)) {
          counters.filtered++;
          const reason = reasonOf(new CodedError('EVENT_FILTERED', 'no rule of the filter asks for this event'));
          send([null, Object.assign(msg, { reason })]);
          return;
        }
        const name = eventNameOf(msg, eventName);
        const excerpt = excerptOf({ ...msg, ...(name ? { event: { ...(msg as { event?: object }).event, name } } : {}) }, properties);
        const settled = await sink.put(event.id, excerpt);
        if (settled.state === 'done') {
          count(settled.result);
          send([Object.assign(msg, { stored: settled.result }), null]);
        } else if (settled.state === 'dead') send([null, Object.assign(msg, { reason: reasonOf(settled.error) })]);
      },
      close: () => sink.close(),
    };
  },
});
