import { randomUUID } from 'node:crypto';
import type { NodeMessageInFlow } from 'node-red';
import { z } from 'zod';
import { asCameraEvent, type CameraEvent } from '../kit/camera-event';
import { CodedError, reasonOf } from '../kit/errors';
import { actionOf } from '../kit/message';
import { defineNode } from '../kit/node';
import { applyAforo, type AforoChange, type AforoItem } from './apply-aforo';
import { jsonList } from './json-field';
import { assertEffect, effectName } from './ledger';
import { SinkNode, eventNameOf, excerptOf, sinkFields, type Excerpt } from './sink-node';
import type { SqlConnection } from './sql-connection';
import { DEFAULT_ZONES, movesOf, zoneNamed, zoneSchema, zonesOf } from './zones';

const PROPERTIES = ['topic', 'payload', 'event'];
const MAX_COUNT = 2_147_483_647;

/** A setting on its way to the database. */
interface Setting {
  action: 'set' | 'reset';
  zone: string;
  event: string;
  value: number;
  at: number;
}

export = defineNode({
  type: 'aforo-upsert',
  config: z.object({ ...sinkFields, zones: jsonList(zoneSchema, DEFAULT_ZONES) }),
  start(kit) {
    const { counters, clock } = kit;
    const { eventName } = kit.config;
    const connection = kit.use(kit.config.database, 'database') as SqlConnection;
    const { database } = connection;
    const zones = zonesOf(kit.config.zones);
    const effect = kit.config.effect ? assertEffect(kit.config.effect) : effectName('aforo', database.name);
    for (const zone of zones) {
      // Names that cannot be quoted are found now, and not by the first event.
      database.statements.setCount(zone, '', 0);
      connection.require([{ kind: 'counter', table: zone.table, eventColumn: zone.eventColumn, countColumns: [zone.countColumn] }]);
    }

    /** By zone, as this node last saw them; for its status. */
    const totals = new Map<string, number>();
    const sink = new SinkNode<AforoItem, boolean>({
      kit,
      connection,
      effect,
      read: (excerpt, id) => itemOf(excerpt, id),
      async apply(items) {
        const { changes, applied } = await applyAforo(items, { database, effect, now: clock.now() });
        for (const mine of applied) {
          if (mine) counters.published++;
          else counters.deduplicated++;
        }
        for (const change of changes) emit(change);
        return applied;
      },
      message: () => null,
      written: () => ({ totals: [...totals].map(([zone, aforo]) => `${zone} ${aforo}`).join(', ') || '–' }),
    });

    function itemOf(excerpt: Excerpt, id: string): AforoItem {
      const name = eventNameOf(excerpt, '');
      if (excerpt.setting !== undefined) {
        const { zone, ...setting } = excerpt.setting as Setting;
        return { kind: 'set', id, zone: zoneNamed(zone, zones), ...setting };
      }
      const event = excerpt.payload as CameraEvent;
      const moves = movesOf(event, zones);
      if (moves.length === 0) throw noZone();
      return { kind: 'move', id, at: Date.parse(event.time), event: name, moves };
    }

    function emit({ zone, event, entries, exits, aforo, previous, lost, action }: AforoChange): void {
      counters.emitted++;
      totals.set(zone, aforo);
      const payload = { zone, event, entries, exits, aforo, previous, ...(lost > 0 ? { lost } : {}), ...(action ? { action } : {}) };
      kit.send([{ topic: `aforo/${zone}`, payload }, null]);
    }

    /** @throws CodedError BAD_MESSAGE, EVENT_NAME_MISSING */
    function settingOf(msg: NodeMessageInFlow, action: 'set' | 'reset'): Setting {
      const payload = typeof msg.payload === 'object' && msg.payload !== null ? msg.payload : {};
      const asked = { ...msg, ...payload } as { zone?: unknown; value?: unknown; event?: unknown };
      const { name: zone } = zoneNamed(asked.zone, zones);
      const value = asked.value === undefined && action === 'reset' ? 0 : Number(asked.value);
      if (!Number.isInteger(value) || value < 0 || value > MAX_COUNT) throw new CodedError('BAD_MESSAGE', `msg.payload.value must be a whole number from 0 to ${MAX_COUNT}`);
      const event = typeof asked.event === 'string' && asked.event.trim() !== '' ? asked.event.trim() : eventNameOf(msg, eventName);
      if (event === '') throw nameless();
      return { action, zone, event, value, at: clock.now() };
    }

    return {
      async input(msg, send) {
        counters.received++;
        const action = actionOf(msg);
        if (action === 'set' || action === 'reset') {
          const settled = await sink.put(randomUUID(), { ...excerptOf(msg, PROPERTIES), setting: settingOf(msg, action) });
          if (settled.state === 'dead') throw settled.error;
          return;
        }
        if (action !== undefined) throw new CodedError('BAD_MESSAGE', 'msg.payload.action must be set or reset');
        const event = asCameraEvent(msg.payload);
        counters.lastEventAt = clock.now();
        const refuse = (error: CodedError): void => send([null, Object.assign(msg, { reason: reasonOf(error) })]);
        if (movesOf(event, zones).length === 0) {
          counters.filtered++;
          refuse(noZone());
          return;
        }
        const name = eventNameOf(msg, eventName);
        if (name === '') {
          counters.dead_lettered++;
          refuse(nameless());
          return;
        }
        const scheduled = { ...(msg as { event?: object }).event, name };
        const settled = await sink.put(event.id, excerptOf({ ...msg, event: scheduled }, PROPERTIES));
        if (settled.state === 'dead') refuse(settled.error);
      },
      close: () => sink.close(),
    };
  },
});

const noZone = (): CodedError => new CodedError('EVENT_FILTERED', 'no zone counts this event');

const nameless = (): CodedError => new CodedError('EVENT_NAME_MISSING', 'msg.event.name is missing, and the node has no event name to fall back on');
