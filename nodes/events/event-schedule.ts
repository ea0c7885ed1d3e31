import { isAbsolute, join } from 'node:path';
import type { NodeMessageInFlow } from 'node-red';
import { z } from 'zod';
import { cameraEventSchema } from '../kit/camera-event';
import { pause } from '../kit/clock';
import { field } from '../kit/config';
import { CodedError, reasonOf } from '../kit/errors';
import { actionOf } from '../kit/message';
import { defineNode, type Send } from '../kit/node';
import { WatchedFile } from '../kit/watched-file';
import { assertZone, formatLocal } from '../kit/zone';
import { Schedule, parseSchedule, type EventWindow } from './schedule';
import { ScheduleRunner } from './schedule-runner';

/** Thousands of events; more would hold up other nodes while it is read. */
const MAX_BYTES = 1024 * 1024;
/** How long messages wait for the first look at the file, where its disk does not answer. */
const OPENING_MS = 5000;
const CONFLICTS_SAID = 3;
const LONGEST_NAME = 24;

export = defineNode({
  type: 'event-schedule',
  config: z.object({
    path: field.text('eventos_programados.json'),
    timeZone: field.text('America/Bogota'),
    by: field.choice(['event-time', 'now'], 'event-time'),
    lead: field.number({ min: 0, max: 1440, fallback: 0 }),
    tail: field.number({ min: 0, max: 1440, fallback: 0 }),
  }),
  start(kit) {
    const { clock, counters } = kit;
    const { timeZone, by, lead, tail } = kit.config;
    assertZone(timeZone);
    const path = isAbsolute(kit.config.path) ? kit.config.path : join(kit.userDir, kit.config.path);

    const control = (payload: object): void => kit.send([null, { topic: 'schedule', payload }]);
    let broken: CodedError | undefined;
    let running: EventWindow | undefined;
    let next: EventWindow | undefined;
    const runner = new ScheduleRunner({
      clock,
      started: kit.guard(({ name, from, to }: EventWindow) => control({ action: 'start', eventName: name, from: iso(from), to: iso(to) })),
      stopped: kit.guard(({ name }: EventWindow) => control({ action: 'stop', eventName: name })),
      changed: kit.guard((...now: [EventWindow | undefined, EventWindow | undefined]) => {
        [running, next] = now;
        show();
      }),
    });

    // Reading takes at least a turn of the event loop, so the first start message finds the nodes behind this one made.
    const file = new WatchedFile({
      path,
      maxBytes: MAX_BYTES,
      clock,
      parse: (text) => new Schedule(parseSchedule(text), { timeZone, lead, tail }),
      changed: kit.guard((schedule: Schedule) => {
        warnOfConflicts(schedule);
        runner.follow(schedule);
      }),
      broken: kit.guard((error: CodedError) => {
        broken = error;
        kit.down(new CodedError(error.code, `${error.message}; ${file.value ? 'the schedule read before stays in force' : 'no event can start'}`));
        show();
      }),
      recovered: kit.guard(() => {
        broken = undefined;
        kit.up('the schedule can be read again');
        show();
      }),
    });
    let opening: Promise<void> | undefined = Promise.race([file.reload(), pause(clock, OPENING_MS, kit.signal)]).then(() => {
      opening = undefined;
    });

    const warnOfConflicts = ({ conflicts }: Schedule): void => {
      const now = clock.now();
      const ahead = conflicts.filter(({ until }) => until > now).map(({ text }) => text);
      if (ahead.length === 0) return;
      const more = ahead.length > CONFLICTS_SAID ? `; and ${ahead.length - CONFLICTS_SAID} more` : '';
      kit.warn(new CodedError('SCHEDULE_CONFLICT', ahead.slice(0, CONFLICTS_SAID).join('; ') + more));
    };

    const show = (): void => {
      if (broken && !file.value) {
        kit.status('red', 'ring', 'unreadable', { reason: kit.translate(`reason.${broken.code}`) });
        return;
      }
      const [key, values] = state();
      if (broken) kit.status('yellow', running ? 'dot' : 'ring', 'kept', { state: kit.translate(`status.${key}`, values) });
      else kit.status(running ? 'green' : 'grey', running ? 'dot' : 'ring', key, values);
    };

    const state = (): [key: string, values: Record<string, string>] => {
      if (running) return ['running', { name: shortened(running.name), time: formatLocal(timeZone, running.to).slice(11, 16) }];
      return next ? ['waiting', { name: shortened(next.name), time: formatLocal(timeZone, next.from).slice(0, 16) }] : ['idle', {}];
    };

    const route = (msg: NodeMessageInFlow, send: Send): void | Promise<void> => {
      const event = cameraEventSchema.safeParse(msg.payload);
      if (!event.success && actionOf(msg) === 'reload') return reload();
      counters.received++;
      counters.lastEventAt = clock.now();
      const at = event.success && by === 'event-time' ? Date.parse(event.data.time) : clock.now();
      const window = file.value?.current(at);
      if (window) {
        counters.emitted++;
        send([Object.assign(msg, { event: { name: window.name, start: iso(window.start), end: iso(window.end) } }), null]);
      } else {
        counters.filtered++;
        send([null, Object.assign(msg, { reason: reasonOf(whyNot(at)) })]);
      }
    };

    const whyNot = (at: number): CodedError => {
      if (file.value) return new CodedError('NO_EVENT_RUNNING', `no event of the schedule runs at ${iso(at)}`);
      return broken ?? new CodedError('FILE_UNREADABLE', `${path} could not be read yet`);
    };

    const reload = async (): Promise<void> => {
      const failure = await file.reload();
      if (failure) throw failure;
    };

    return {
      input: (msg, send) => (opening ? opening.then(() => route(msg, send)) : route(msg, send)),
      close() {
        runner.close();
        file.close();
      },
    };
  },
});

const iso = (ms: number): string => new Date(ms).toISOString();

function shortened(name: string): string {
  const characters = Array.from(name);
  return characters.length > LONGEST_NAME ? `${characters.slice(0, LONGEST_NAME - 1).join('')}…` : name;
}
