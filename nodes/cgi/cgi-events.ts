import { z } from 'zod';
import { topicOf, type CameraEvent } from '../kit/camera-event';
import { field } from '../kit/config';
import type { ConnectionState } from '../kit/connection';
import { ConnectionStatus } from '../kit/connection-status';
import { CodedError } from '../kit/errors';
import { actionOf } from '../kit/message';
import { defineNode } from '../kit/node';
import { isAll } from './attach';
import type { CgiDevice } from './cgi-stream';

const names = (required: boolean) =>
  field.list({ required }).pipe(z.array(z.string().regex(/^(\[all\]|[\w-]+)$/i, 'must be event names, separated by commas')));

export = defineNode({
  type: 'cgi-events',
  config: z.object({
    device: field.text(''),
    codes: names(true),
    exclude: names(false),
    channels: field.list().pipe(z.array(z.string().regex(/^\d+$/, 'must be channel numbers, separated by commas').transform(Number))),
  }),
  start(kit) {
    const { codes, exclude, channels } = kit.config;
    const device = kit.use(kit.config.device, 'device') as CgiDevice;
    const counters = kit.counters;
    const status = new ConnectionStatus(kit);
    const wanted = isAll(codes) ? undefined : lowerCaseSet(codes);
    const unwanted = lowerCaseSet(exclude);

    const passes = (event: CameraEvent): boolean => {
      const code = event.code.toLowerCase();
      if (wanted && !wanted.has(code)) return false;
      if (unwanted.has(code)) return false;
      return channels.length === 0 || (event.channel !== null && channels.includes(event.channel));
    };

    const subscriber = {
      codes,
      event: kit.guard((event: CameraEvent) => {
        counters.received++;
        counters.lastEventAt = Date.parse(event.receivedAt);
        if (!passes(event)) {
          counters.filtered++;
          return;
        }
        counters.emitted++;
        kit.send([{ topic: topicOf(event), payload: event }, null]);
      }),
      state: kit.guard((state: ConnectionState) => {
        if (state.state === 'connecting' && state.attempt > 1) counters.reconnects++;
        status.show(state);
        kit.send([null, { topic: `cgi/${device.address}/connection`, payload: state }]);
      }),
    };
    let leave: (() => void) | undefined = device.stream.subscribe(subscriber);

    return {
      input(msg) {
        switch (actionOf(msg)) {
          case 'retry':
            device.stream.retry();
            break;
          case 'start':
            leave ??= device.stream.subscribe(subscriber);
            break;
          case 'stop':
            if (!leave) break;
            leave();
            leave = undefined;
            subscriber.state({ state: 'stopped', attempt: 0, since: new Date(kit.clock.now()).toISOString() });
            break;
          default:
            throw new CodedError('BAD_MESSAGE', 'msg.payload.action must be retry, start or stop');
        }
      },
      close() {
        leave?.();
      },
    };
  },
});

const lowerCaseSet = (words: readonly string[]): Set<string> => new Set(words.map((word) => word.toLowerCase()));
