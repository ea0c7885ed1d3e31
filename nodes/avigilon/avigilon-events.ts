import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { topicOf, type CameraEvent } from '../kit/camera-event';
import { field } from '../kit/config';
import type { ConnectionState } from '../kit/connection';
import { ConnectionStatus } from '../kit/connection-status';
import { CodedError, coded } from '../kit/errors';
import { actionOf } from '../kit/message';
import { defineNode, type Kit } from '../kit/node';
import { allCameras, allowListFile, chosenCameras, type CameraList } from './camera-list';
import { Poller } from './poller';
import type { AvigilonServer } from './site';
import { readRequest, type SourceRequest } from './source-request';
import { StateCursors } from './state-cursors';
import { WebhookRegistration } from './webhook-registration';
import { webhookAddress, webhookHandler, type WebhookAddress } from './webhook-route';
import { WebhookSource } from './webhook-source';

const SECOND = 1000;
/** While pushes arrive, searches only make sure that none was missed. */
const PUSHED_INTERVAL_MS = 60 * SECOND;
/** The nodes behind this one are made after it; its first message should find them. */
const GATHER_MS = 20;
const FAREWELL_MS = 4 * SECOND;
const BACKOFF = { base: 1.5, max: 60 };

/** Never empty: all topics of a site are mostly motion (facts/avigilon-een.md A9.5). */
const topics = z.preprocess(
  (value) => (typeof value === 'string' && value.trim() !== '' ? value : 'DEVICE_ANALYTICS_STOP'),
  field.list({ required: true }).pipe(z.array(z.string().regex(/^\w+$/, 'must be event topics, separated by commas').transform((topic) => topic.toUpperCase()))),
);

const config = z.object({
  server: field.text(''),
  mode: field.choice(['poll', 'webhook'], 'poll'),
  topics,
  cameras: field.choice(['all', 'ids', 'file'], 'all'),
  cameraIds: field.list(),
  cameraFile: field.text('ids_camaras_permitidas.json'),
  serverIds: field.list(),
  interval: field.number({ min: 1, max: 3600, fallback: 5 }),
  overlap: field.number({ min: 1, max: 3600, fallback: 30 }),
  autostart: field.flag(true),
  webhookUrl: field.text(''),
  heartbeat: field.number({ min: 30, max: 3600, fallback: 60 }),
});
type EventsKit = Kit<z.infer<typeof config>>;

export = defineNode({
  type: 'avigilon-events',
  config,
  start(kit) {
    const { clock, random, counters } = kit;
    const { topics, serverIds, interval, overlap, heartbeat, autostart, mode } = kit.config;
    const { client, site } = kit.use(kit.config.server, 'server') as AvigilonServer;
    const status = new ConnectionStatus(kit);
    const cursors = new StateCursors(kit.userDir, clock);
    const notice = (error: CodedError): void => kit.warnRarely(error);
    let asked: SourceRequest = {};
    let cancelStart = (): void => undefined;

    const emit = (event: CameraEvent, about: object): void => {
      counters.received++;
      counters.emitted++;
      counters.lastEventAt = Date.parse(event.receivedAt);
      kit.send([{ topic: topicOf(event), payload: event, ...about }, null]);
    };

    const address = mode === 'webhook' ? route(kit, (body, authorization): number => webhook?.receive(body, authorization) ?? 503) : undefined;
    const cameras = cameraList(kit, () => poller.retry());
    const webhook: WebhookSource | undefined =
      address &&
      new WebhookSource({
        registration: new WebhookRegistration({ client, store: cursors, key: `${kit.id}/webhook`, url: address.url, topics, heartbeatMs: heartbeat * SECOND }),
        scheme: address.scheme,
        heartbeatMs: heartbeat * SECOND,
        cameras,
        serverIds,
        now: () => client.now,
        push: (event) => poller.push(event),
        missed: () => poller.wake(),
        backoff: BACKOFF,
        clock,
        random,
        report: { down: notice, up: () => undefined, notice, filtered: () => counters.filtered++ },
      });
    const poller = new Poller({
      client,
      site,
      serverIds,
      cameras,
      topics,
      interval: () => Math.max(interval * SECOND, webhook?.isAlive ? PUSHED_INTERVAL_MS : 0),
      overlapMs: overlap * SECOND,
      store: cursors,
      keyPrefix: kit.id,
      backoff: BACKOFF,
      clock,
      random,
      report: {
        event: (event) => emit(event, eventOf(asked)),
        state: kit.guard((state: ConnectionState) => {
          if (state.state === 'connecting' && state.attempt > 1) counters.reconnects++;
          if (state.state === 'stopped') void webhook?.stop(AbortSignal.timeout(FAREWELL_MS));
          status.show(state);
          kit.send([null, { topic: `avigilon/${client.label}/connection`, payload: state }]);
        }),
        down: (error) => kit.down(error),
        up: () => kit.up(`${client.label}: events are read again`),
        notice,
      },
    });
    const leave = client.lease();

    const begin = (request: SourceRequest): void => {
      cancelStart();
      asked = request;
      poller.start({ from: request.from, until: request.to });
      webhook?.start();
    };
    let querying = false;
    const query = async ({ from, to = client.now, ...rest }: SourceRequest): Promise<void> => {
      if (from === undefined || from >= to) throw new CodedError('BAD_MESSAGE', 'a query needs from, and optionally to, which is later');
      if (querying) throw new CodedError('BAD_MESSAGE', 'another query is still being answered; its message is done when it is over');
      querying = true;
      try {
        await poller.history(from, to, (event) => emit(event, { ...eventOf({ ...rest, from, to }), history: true }), kit.signal);
      } finally {
        querying = false;
      }
    };

    if (autostart) cancelStart = clock.after(GATHER_MS, kit.guard(() => begin({})));
    else status.show({ state: 'stopped', attempt: 0, since: iso(clock.now()) });

    return {
      input(msg) {
        switch (actionOf(msg)) {
          case 'start':
            begin(readRequest(msg));
            return undefined;
          case 'stop':
            cancelStart();
            poller.finish();
            return undefined;
          case 'query':
            return query(readRequest(msg));
          case 'retry':
            client.retry();
            poller.retry();
            return undefined;
          default:
            throw new CodedError('BAD_MESSAGE', 'msg.payload.action must be start, stop, query or retry');
        }
      },
      async close() {
        cancelStart();
        try {
          await poller.stop();
          await webhook?.stop(AbortSignal.timeout(FAREWELL_MS));
        } finally {
          leave();
          cameras.close();
          cursors.release();
        }
      },
    };
  },
});

const iso = (time: number): string => new Date(time).toISOString();

/** `msg.event`, as `event-schedule` stamps it. */
const eventOf = ({ eventName, from, to }: SourceRequest): object =>
  eventName === undefined ? {} : { event: { name: eventName, ...(from === undefined ? {} : { start: iso(from) }), ...(to === undefined ? {} : { end: iso(to) }) } };

/** @param changed a list was read, the first one included */
function cameraList(kit: EventsKit, changed: () => void): CameraList {
  const { cameras, cameraIds, cameraFile } = kit.config;
  switch (cameras) {
    case 'all':
      return allCameras;
    case 'ids':
      if (cameraIds.length === 0) throw new CodedError('CONFIG_INVALID', 'cameraIds: must name at least one camera', { field: 'cameraIds' });
      return chosenCameras(cameraIds);
    case 'file':
      return allowListFile({
        path: isAbsolute(cameraFile) ? cameraFile : join(kit.userDir, cameraFile),
        clock: kit.clock,
        changed: kit.guard((count: number) => {
          kit.log(`${cameraFile}: ${count} cameras`);
          changed();
        }),
        broken: kit.guard((error: CodedError) => kit.warnRarely(error)),
        recovered: kit.guard(() => kit.log(`${cameraFile} can be read again`)),
      });
  }
}

/** @throws CodedError CONFIG_INVALID */
function route(kit: EventsKit, receive: Parameters<typeof webhookHandler>[0]): WebhookAddress {
  const { webhookUrl } = kit.config;
  webhookAddress(webhookUrl, '');
  try {
    return webhookAddress(webhookUrl, kit.serve('POST', `/camera-events/avigilon/${kit.id}`, webhookHandler(receive)));
  } catch (error) {
    const { code, message } = coded(error);
    throw new CodedError(code, `mode: ${message}. Until then choose polling.`, { field: 'mode' });
  }
}
