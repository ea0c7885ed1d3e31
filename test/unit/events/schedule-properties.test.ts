/** The schedule against a model that goes through the days minute by minute and knows of zones only what Intl shows. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Schedule, parseSchedule } from '../../../nodes/events/schedule';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const DAYS = 3;

/** Three days in a zone, each minute with what a wall clock shows, as minutes since 1970. */
interface Days {
  zone: string;
  /** The first of the days in local time. */
  first: number;
  minutes: { at: number; shown: number }[];
}

function days(zone: string, firstDay: string): Days {
  const first = Date.parse(firstDay);
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
  const minutes = [];
  for (let at = first - 2 * DAY; at < first + (DAYS + 3) * DAY; at += MINUTE) {
    minutes.push({ at, shown: Date.parse(`${format.format(at).replace(' ', 'T')}Z`) / MINUTE });
  }
  return { zone, first, minutes };
}

const CALENDAR = [
  days('America/Bogota', '2026-01-20'),
  days('Europe/Madrid', '2026-03-28'),
  days('Europe/Madrid', '2026-10-24'),
  days('America/Santiago', '2026-04-03'),
  days('America/Santiago', '2026-09-05'),
  days('Australia/Lord_Howe', '2026-10-03'),
];

interface ModelEvent {
  name: string;
  day: number;
  start: number;
  end: number;
}

/** The first minute that shows a local time; where none does, as long after the gap as the time is after the gap's begin. */
function firstShowing({ minutes }: Days, shown: number): number {
  const exact = minutes.find((minute) => minute.shown === shown);
  if (exact) return exact.at;
  const index = minutes.findIndex((minute) => minute.shown > shown);
  const before = minutes[index - 1]!;
  return before.at + (shown - before.shown) * MINUTE;
}

interface Running {
  name: string;
  start: number;
}

/** What runs at each minute: first the events alone, then the minutes around them where nothing runs. */
function model(calendar: Days, events: ModelEvent[], lead: number, tail: number): (Running | undefined)[] {
  const local = (event: ModelEvent, minute: number): number => firstShowing(calendar, calendar.first / MINUTE + event.day * 1440 + minute);
  const waiting = events
    .map((event) => ({ name: event.name, start: local(event, event.start), end: local(event, event.end > event.start ? event.end : event.end + 1440) }))
    .map((event, order) => ({ ...event, order }))
    .sort((a, b) => a.start - b.start || a.order - b.order);

  const alone: (Running | undefined)[] = [];
  let current: (Running & { end: number }) | undefined;
  for (const { at } of calendar.minutes) {
    if (current && at >= current.end) current = undefined;
    if (!current) {
      const first = waiting.find(({ start, end }) => start <= at && at < end);
      if (first) current = { name: first.name, start: at, end: first.end };
    }
    alone.push(current && { name: current.name, start: current.start });
  }
  return alone.map((running, index) => {
    if (running) return running;
    for (let back = 1; back <= tail; back++) if (alone[index - back]) return alone[index - back];
    for (let ahead = 1; ahead <= lead; ahead++) if (alone[index + ahead]) return alone[index + ahead];
    return undefined;
  });
}

const twoDigits = (value: number): string => String(value).padStart(2, '0');
const clockTime = (minute: number): string => `${twoDigits(Math.floor(minute / 60))}:${twoDigits(minute % 60)}`;

function fileOf({ first }: Days, events: ModelEvent[]): string {
  const file: Record<string, object[]> = {};
  for (const { name, day, start, end } of events) {
    const date = new Date(first + day * DAY).toISOString().slice(0, 10);
    (file[date] ??= []).push({ nombre: name, hora_inicio: clockTime(start), hora_fin: clockTime(end) });
  }
  return JSON.stringify(file);
}

// Nights and full quarters more often than chance would have them: that is where days meet and clocks change.
const time = fc.oneof(fc.nat(1439), fc.nat(5 * 60), fc.nat(95).map((quarter) => quarter * 15));
const someEvents = fc
  .array(fc.record({ day: fc.nat(DAYS - 1), start: time, end: time }), { maxLength: 6 })
  .map((all) => all.sort((a, b) => a.day - b.day).map((event, index) => ({ ...event, name: `E${index}` })));
const margin = fc.oneof(fc.constant(0), fc.nat(90));

test('the same event runs at every minute as in the model', () => {
  fc.assert(
    fc.property(fc.constantFrom(...CALENDAR), someEvents, margin, margin, (calendar, events, lead, tail) => {
      const schedule = new Schedule(parseSchedule(fileOf(calendar, events)), { timeZone: calendar.zone, lead, tail });
      const expected = model(calendar, events, lead, tail);
      const mine = (running: Running | undefined): string => (running ? `${running.name} ${running.start}` : '');
      const different = calendar.minutes.flatMap(({ at }, index) => {
        // Between two minutes nothing changes.
        const found = [schedule.current(at), schedule.current(at + MINUTE - 1)].map(mine);
        return found.every((one) => one === mine(expected[index])) ? [] : [{ at: new Date(at).toISOString(), expected: mine(expected[index]), found }];
      });
      expect(different.slice(0, 3)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test('the next event is the first that begins later, and windows are in order, apart and not empty', () => {
  fc.assert(
    fc.property(fc.constantFrom(...CALENDAR), someEvents, margin, margin, fc.nat(5 * 1440), (calendar, events, lead, tail, minute) => {
      const schedule = new Schedule(parseSchedule(fileOf(calendar, events)), { timeZone: calendar.zone, lead, tail });
      const { windows } = schedule;
      const at = calendar.first + minute * MINUTE;
      expect(schedule.next(at)).toBe(windows.find(({ from }) => from > at));
      expect(schedule.current(at)).toBe(windows.find(({ from, to }) => from <= at && at < to));
      windows.forEach(({ from, start, end, to }, index) => {
        expect(from <= start && start < end && end <= to).toBe(true);
        expect(from).toBeGreaterThanOrEqual(windows[index - 1]?.to ?? -Infinity);
      });
    }),
    { numRuns: 300 },
  );
});
