/**
 * The schedule of events: what is written in `eventos_programados.json` (facts/avigilon-een.md A7), and which event runs when.
 * All intervals are half-open: an event runs at its start and no longer at its end.
 */
import { z } from 'zod';
import { CodedError } from '../kit/errors';
import { formatLocal, localToInstant } from '../kit/zone';

const DAY_SECONDS = 86_400;
const MINUTE_MS = 60_000;

/** One event as the file has it, in local time. */
export interface ScheduledEvent {
  name: string;
  /** `YYYY-MM-DD`, the day on which it starts. */
  date: string;
  /** Seconds since the midnight of `date` by the wall clock; `end` is after `start` and may be on the next day. */
  start: number;
  end: number;
}

/** When an event runs; ms since 1970. */
export interface EventWindow {
  name: string;
  /** The event itself, after what an overlap took from it. */
  start: number;
  end: number;
  /** With lead and tail. */
  from: number;
  to: number;
}

/** An event that does not run as written. */
export interface ScheduleConflict {
  text: string;
  /** The last instant that it concerns, ms since 1970. */
  until: number;
}

export interface ScheduleOptions {
  /** IANA time zone of the file. */
  timeZone: string;
  /** Minutes before and after each event that belong to it as well. */
  lead: number;
  tail: number;
}

const seconds = (time: string): number => {
  const [hours = 0, minutes = 0, rest = 0] = time.split(':').map(Number);
  return hours * 3600 + minutes * 60 + rest;
};

const timeOfDay = (pattern: RegExp, words: string) => z.string({ error: words }).trim().regex(pattern, words).transform(seconds);

const eventSchema = z.object(
  {
    nombre: z.string({ error: 'must be a text' }).trim().min(1, 'must not be empty'),
    hora_inicio: timeOfDay(/^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/, 'must be a time such as 16:00'),
    hora_fin: timeOfDay(/^(([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?|24:00(:00)?)$/, 'must be a time such as 23:00'),
  },
  { error: 'must be an event with nombre, hora_inicio and hora_fin, or a list of them' },
);
const fileSchema = z.record(z.string(), z.unknown(), { error: 'must be an object with a date for each key' });

/**
 * Reads the file's text: `{"YYYY-MM-DD": {nombre, hora_inicio, hora_fin}}`, with a list where a day has several events. Times are
 * `HH:MM` or `HH:MM:SS`; a `hora_fin` that is not after `hora_inicio` is on the next day, as `24:00` is its first moment.
 * @throws CodedError FILE_INVALID that names the entry
 */
export function parseSchedule(text: string): ScheduledEvent[] {
  const file = fileSchema.safeParse(readJson(text));
  if (!file.success) throw invalid('the schedule', file.error);
  return Object.entries(file.data).flatMap(([date, entry]) => {
    if (!isDate(date)) throw new CodedError('FILE_INVALID', `"${date}" is not a date such as 2026-01-20`);
    const several = Array.isArray(entry);
    return (several ? (entry as unknown[]) : [entry]).map((one, index) => {
      const event = eventSchema.safeParse(one);
      if (!event.success) throw invalid(several ? `${date}, event ${index + 1}` : date, event.error);
      const { nombre: name, hora_inicio: start, hora_fin: end } = event.data;
      return { name, date, start, end: end > start ? end : end + DAY_SECONDS };
    });
  });
}

/** Which event runs when. Immutable; made anew when the file changes. */
export class Schedule {
  /** In the order of time, none overlapping another. */
  readonly windows: readonly EventWindow[];
  readonly conflicts: readonly ScheduleConflict[];

  /**
   * Of events that overlap, the one that starts first runs to its end, and the other from there; of two that start together,
   * the first in the file. Lead and tail take only time that no event has; a tail goes before the next event's lead.
   * A start or end that a clock change skips moves forward by what is skipped; of one that occurs twice the first counts.
   * @throws CodedError CONFIG_INVALID, field timeZone
   */
  constructor(events: readonly ScheduledEvent[], { timeZone, lead, tail }: ScheduleOptions) {
    const conflicts: ScheduleConflict[] = [];
    const cores = withoutOverlaps(instants(events, timeZone, conflicts), timeZone, conflicts);
    let free = -Infinity;
    this.windows = cores.map((core, index) => {
      const from = Math.max(core.start - lead * MINUTE_MS, free);
      const to = Math.min(core.end + tail * MINUTE_MS, cores[index + 1]?.start ?? Infinity);
      free = to;
      return { ...core, from, to };
    });
    this.conflicts = conflicts;
  }

  /** The event that runs at an instant, ms since 1970. */
  current(at: number): EventWindow | undefined {
    const window = this.windows[this.#firstEndingAfter(at)];
    return window && window.from <= at ? window : undefined;
  }

  /** The first event that begins after an instant, ms since 1970. */
  next(at: number): EventWindow | undefined {
    const index = this.#firstEndingAfter(at);
    const window = this.windows[index];
    return window && window.from <= at ? this.windows[index + 1] : window;
  }

  #firstEndingAfter(at: number): number {
    let [low, high] = [0, this.windows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.windows[middle]?.to ?? Infinity) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

type Core = Pick<EventWindow, 'name' | 'start' | 'end'>;

function instants(events: readonly ScheduledEvent[], zone: string, conflicts: ScheduleConflict[]): Core[] {
  return events.flatMap((event) => {
    const start = instantOf(zone, event.date, event.start);
    const end = instantOf(zone, event.date, event.end);
    if (end > start) return [{ name: event.name, start, end }];
    conflicts.push({ text: `${event.date} "${event.name}" never runs: the clock change of that day skips it`, until: start });
    return [];
  });
}

function withoutOverlaps(cores: Core[], zone: string, conflicts: ScheduleConflict[]): Core[] {
  const minute = (at: number): string => formatLocal(zone, at).slice(0, 16);
  let last: Core | undefined;
  return cores
    .sort((a, b) => a.start - b.start)
    .flatMap((core) => {
      if (!last || core.start >= last.end) return [(last = core)];
      const what = `"${core.name}" of ${minute(core.start)}`;
      const why = `"${last.name}" runs until ${minute(last.end)}`;
      const cut = core.end > last.end;
      conflicts.push({ text: `${what} ${cut ? 'starts late' : 'never runs'}: ${why}`, until: core.end });
      return cut ? [(last = { ...core, start: last.end })] : [];
    });
}

function instantOf(zone: string, date: string, sinceMidnight: number): number {
  const day = new Date(Date.parse(date) + Math.floor(sinceMidnight / DAY_SECONDS) * DAY_SECONDS * 1000);
  const time = new Date((sinceMidnight % DAY_SECONDS) * 1000);
  return localToInstant(zone, day.toISOString().slice(0, 10), time.toISOString().slice(11, 19));
}

function readJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CodedError('FILE_INVALID', `it is not JSON: ${(error as Error).message}`, { cause: error });
  }
  // JSON.parse keeps only the last of them; a colon follows nothing but a key.
  const dates = new Set<string>();
  for (const [, date = ''] of text.matchAll(/"(\d{4}-\d\d-\d\d)"\s*:/g)) {
    if (dates.has(date)) throw new CodedError('FILE_INVALID', `${date} is there twice; put the events of a day into one list`);
    dates.add(date);
  }
  return value;
}

function isDate(text: string): boolean {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

function invalid(where: string, error: z.ZodError): CodedError {
  const issue = error.issues[0];
  const field = issue?.path.length ? `${issue.path.join('.')} ` : '';
  return new CodedError('FILE_INVALID', `${where}: ${field}${issue?.message ?? 'is not valid'}`);
}
