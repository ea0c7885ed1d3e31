import { describe, expect, test } from 'vitest';
import { Schedule, parseSchedule, type ScheduleOptions } from '../../../nodes/events/schedule';

const BOGOTA: ScheduleOptions = { timeZone: 'America/Bogota', lead: 0, tail: 0 };
const iso = (ms: number): string => new Date(ms).toISOString().replace(/:00\.000Z$/, 'Z');

const event = (nombre: string, hora_inicio: string, hora_fin: string): object => ({ nombre, hora_inicio, hora_fin });
const schedule = (file: object, options: Partial<ScheduleOptions> = {}): Schedule =>
  new Schedule(parseSchedule(JSON.stringify(file)), { ...BOGOTA, ...options });
/** `name start end`, with `from` and `to` where they differ. */
const windows = ({ windows: all }: Schedule): string[] =>
  all.map(({ name, start, end, from, to }) =>
    [name, iso(start), iso(end), ...(from === start && to === end ? [] : [iso(from), iso(to)])].join(' '),
  );
const nameAt = (one: Schedule, at: string): string | undefined => one.current(Date.parse(at))?.name;

describe('which event runs', () => {
  const seed = schedule({ '2025-01-20': event('Evento Prueba', '16:00', '23:00') });

  test('the one of the day, from its start up to its end', () => {
    expect(windows(seed)).toEqual(['Evento Prueba 2025-01-20T21:00Z 2025-01-21T04:00Z']);
    expect(nameAt(seed, '2025-01-20T20:59:59.999Z')).toBeUndefined();
    expect(nameAt(seed, '2025-01-20T21:00:00.000Z')).toBe('Evento Prueba');
    expect(nameAt(seed, '2025-01-21T03:59:59.999Z')).toBe('Evento Prueba');
    expect(nameAt(seed, '2025-01-21T04:00:00.000Z')).toBeUndefined();
  });

  test('the next one is the first that has not begun', () => {
    const two = schedule({ '2025-01-24': [event('B', '20:00', '22:00'), event('A', '15:00', '18:00')] });
    const nextAt = (at: string): string | undefined => two.next(Date.parse(at))?.name;
    expect(nextAt('2025-01-01T00:00Z')).toBe('A');
    expect(nextAt('2025-01-24T19:59:59Z')).toBe('A');
    expect(nextAt('2025-01-24T20:00:00Z')).toBe('B');
    expect(nextAt('2025-01-24T23:30:00Z')).toBe('B');
    expect(nextAt('2025-01-25T01:00:00Z')).toBeUndefined();
  });

  test.each([
    ['20:00', '02:00', '2025-01-25T01:00Z', '2025-01-25T07:00Z'],
    ['20:00', '00:00', '2025-01-25T01:00Z', '2025-01-25T05:00Z'],
    ['20:00', '24:00', '2025-01-25T01:00Z', '2025-01-25T05:00Z'],
    ['00:00', '24:00', '2025-01-24T05:00Z', '2025-01-25T05:00Z'],
    ['20:00', '20:00', '2025-01-25T01:00Z', '2025-01-26T01:00Z'],
    ['9:05', '9:10', '2025-01-24T14:05Z', '2025-01-24T14:10Z'],
    [' 20:00 ', '20:00:30', '2025-01-25T01:00Z', '2025-01-25T01:00:30.000Z'],
  ])('from %s to %s on 24 January is %s to %s', (from, to, start, end) => {
    expect(windows(schedule({ '2025-01-24': event('E', from, to) }))).toEqual([`E ${start} ${end}`]);
  });

  test('an event after midnight of one that crosses it', () => {
    const night = schedule({ '2025-12-31': event('Old', '22:00', '01:00'), '2026-01-01': [event('New', '01:00', '03:00')] });
    expect(nameAt(night, '2026-01-01T05:59:59Z')).toBe('Old');
    expect(nameAt(night, '2026-01-01T06:00:00Z')).toBe('New');
    expect(night.conflicts).toEqual([]);
  });

  test('none where the file has none', () => {
    const empty = schedule({ '2025-01-24': [] });
    expect([empty.windows, empty.current(0), empty.next(0)]).toEqual([[], undefined, undefined]);
  });
});

describe('overlaps', () => {
  test('the one that starts first runs to its end, the other from there, and it is said', () => {
    const both = schedule({ '2025-01-24': [event('Late', '17:00', '20:00'), event('Early', '15:00', '18:00')] });
    expect(windows(both)).toEqual(['Early 2025-01-24T20:00Z 2025-01-24T23:00Z', 'Late 2025-01-24T23:00Z 2025-01-25T01:00Z']);
    expect(both.conflicts).toEqual([
      { text: '"Late" of 2025-01-24 17:00 starts late: "Early" runs until 2025-01-24 18:00', until: Date.UTC(2025, 0, 25, 1) },
    ]);
  });

  test('one within another never runs, and cuts nothing', () => {
    const three = schedule({ '2025-01-24': [event('A', '15:00', '19:00'), event('B', '16:00', '17:00'), event('C', '18:00', '20:00')] });
    expect(windows(three)).toEqual(['A 2025-01-24T20:00Z 2025-01-25T00:00Z', 'C 2025-01-25T00:00Z 2025-01-25T01:00Z']);
    expect(three.conflicts.map(({ text }) => text)).toEqual([
      '"B" of 2025-01-24 16:00 never runs: "A" runs until 2025-01-24 19:00',
      '"C" of 2025-01-24 18:00 starts late: "A" runs until 2025-01-24 19:00',
    ]);
  });

  test('of two that start together the first in the file runs', () => {
    expect(windows(schedule({ '2025-01-24': [event('A', '15:00', '16:00'), event('B', '15:00', '16:00')] }))).toHaveLength(1);
  });

  test('a night that reaches into the event of the next day', () => {
    const days = schedule({ '2025-01-25': event('Next', '01:00', '04:00'), '2025-01-24': event('Night', '22:00', '02:00') });
    expect(windows(days)).toEqual(['Night 2025-01-25T03:00Z 2025-01-25T07:00Z', 'Next 2025-01-25T07:00Z 2025-01-25T09:00Z']);
  });
});

describe('minutes before and after', () => {
  test('widen an event, and leave its own times as they are', () => {
    expect(windows(schedule({ '2025-01-24': event('E', '15:00', '18:00') }, { lead: 30, tail: 45 }))).toEqual([
      'E 2025-01-24T20:00Z 2025-01-24T23:00Z 2025-01-24T19:30Z 2025-01-24T23:45Z',
    ]);
  });

  test('take no time of another event, and the minutes after go before those of the next', () => {
    const file = { '2025-01-24': [event('A', '15:00', '18:00'), event('B', '18:50', '20:00'), event('C', '20:10', '21:00')] };
    const all = schedule(file, { lead: 30, tail: 30 });
    expect(windows(all)).toEqual([
      'A 2025-01-24T20:00Z 2025-01-24T23:00Z 2025-01-24T19:30Z 2025-01-24T23:30Z',
      'B 2025-01-24T23:50Z 2025-01-25T01:00Z 2025-01-24T23:30Z 2025-01-25T01:10Z',
      'C 2025-01-25T01:10Z 2025-01-25T02:00Z 2025-01-25T01:10Z 2025-01-25T02:30Z',
    ]);
    expect(all.conflicts).toEqual([]);
  });
});

describe('clock changes', () => {
  const madrid = { timeZone: 'Europe/Madrid' };
  const santiago = { timeZone: 'America/Santiago' };

  test.each([
    ['an hour shorter across the change', madrid, '2026-03-28', '22:00', '06:00', '2026-03-28T21:00Z', '2026-03-29T04:00Z'],
    ['a start that is skipped moves forward', madrid, '2026-03-29', '02:30', '06:00', '2026-03-29T01:30Z', '2026-03-29T04:00Z'],
    ['an end that is skipped moves forward', madrid, '2026-03-29', '01:00', '02:30', '2026-03-29T00:00Z', '2026-03-29T01:30Z'],
    ['an hour longer across the change', madrid, '2026-10-24', '22:00', '06:00', '2026-10-24T20:00Z', '2026-10-25T05:00Z'],
    ['a start that occurs twice is the first', madrid, '2026-10-25', '02:30', '06:00', '2026-10-25T00:30Z', '2026-10-25T05:00Z'],
    ['an end that occurs twice is the first', madrid, '2026-10-25', '01:00', '02:30', '2026-10-24T23:00Z', '2026-10-25T00:30Z'],
    ['a skipped midnight as the end', santiago, '2026-09-05', '20:00', '00:00', '2026-09-06T00:00Z', '2026-09-06T04:00Z'],
    ['a skipped midnight within', santiago, '2026-09-05', '20:00', '02:00', '2026-09-06T00:00Z', '2026-09-06T05:00Z'],
    ['the repeated hour before midnight', santiago, '2026-04-04', '22:00', '00:00', '2026-04-05T01:00Z', '2026-04-05T04:00Z'],
  ])('%s', (_, zone, date, from, to, start, end) => {
    expect(windows(schedule({ [date]: event('E', from, to) }, zone))).toEqual([`E ${start} ${end}`]);
  });

  test.each([
    ['02:00', '03:00'],
    ['02:15', '03:10'],
  ])('an event from %s to %s, of which nothing is left, is said and does not run', (from, to) => {
    const skipped = schedule({ '2026-03-29': event('E', from, to) }, madrid);
    expect(skipped.windows).toEqual([]);
    expect(skipped.conflicts).toMatchObject([{ text: '2026-03-29 "E" never runs: the clock change of that day skips it' }]);
  });
});

describe('a wrong file is refused, and the entry named', () => {
  const good = event('E', '15:00', '18:00');
  test.each([
    ['[]', 'the schedule: must be an object with a date for each key'],
    ['null', 'the schedule: must be an object'],
    ['', 'it is not JSON'],
    ['{"2025-01-20": {}', 'it is not JSON'],
    [JSON.stringify({ '20/01/2025': good }), '"20/01/2025" is not a date such as 2026-01-20'],
    [JSON.stringify({ '2025-02-29': good }), '"2025-02-29" is not a date'],
    [JSON.stringify({ __proto__x: good }), '"__proto__x" is not a date'],
    [JSON.stringify({ '2025-01-20': null }), '2025-01-20: must be an event with nombre, hora_inicio and hora_fin'],
    [JSON.stringify({ '2025-01-20': 'E' }), '2025-01-20: must be an event'],
    [JSON.stringify({ '2025-01-20': {} }), '2025-01-20: nombre must be a text'],
    [JSON.stringify({ '2025-01-20': { ...good, nombre: ' ' } }), '2025-01-20: nombre must not be empty'],
    [JSON.stringify({ '2025-01-20': { ...good, hora_inicio: '24:00' } }), '2025-01-20: hora_inicio must be a time such as 16:00'],
    [JSON.stringify({ '2025-01-20': { ...good, hora_inicio: 16 } }), '2025-01-20: hora_inicio must be a time'],
    [JSON.stringify({ '2025-01-20': { ...good, hora_fin: '23:60' } }), '2025-01-20: hora_fin must be a time such as 23:00'],
    [JSON.stringify({ '2025-01-20': { ...good, hora_fin: '24:01' } }), '2025-01-20: hora_fin must be a time'],
    [JSON.stringify({ '2025-01-20': { ...good, hora_fin: '11 pm' } }), '2025-01-20: hora_fin must be a time'],
    [JSON.stringify({ '2025-01-20': [good, { nombre: 'F', hora_inicio: '20:00' }] }), '2025-01-20, event 2: hora_fin must be a time'],
    ['{"2025-01-20": [], "2025-01-20" : []}', '2025-01-20 is there twice; put the events of a day into one list'],
  ])('%s', (text, message) => {
    expect(() => parseSchedule(text)).toThrow(expect.objectContaining({ code: 'FILE_INVALID', message: expect.stringContaining(message) as string }));
  });

  test('but not for what else an entry says', () => {
    expect(parseSchedule(JSON.stringify({ '2025-01-20': { ...good, nota: '"2025-01-20":' } }))).toHaveLength(1);
  });
});
