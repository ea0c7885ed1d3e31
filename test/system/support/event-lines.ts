/** What flow 02 has written, read with nothing but the line form of the seed. */
import { readFile } from 'node:fs/promises';
import type { NodeRed } from './node-red';
import { until } from './until';

export interface EventLine {
  level: string;
  code: string;
  action: string;
  /** Of `ch=`; NaN where it is empty. */
  channel: number;
  /** Local time of the event, as written. */
  ts: string;
  payload: { Code?: unknown; action?: unknown; index?: unknown; data?: Record<string, unknown>; raw?: string };
}

const FORM =
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) EVENTO!!! (\S+) \[([^\]]+)\] ch=(-?\d*) ts=(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) payload=(\{.*\})$/;

/**
 * All whole lines of all log files, the oldest file first. While they are written the end of a line may not be there yet, and
 * a file may be moved away between listing and reading: whoever polls sees less, never something wrong.
 */
export async function logLines(red: NodeRed): Promise<string[]> {
  const oldestFirst = (await red.logFiles()).sort((a, b) => age(b) - age(a));
  const texts = await Promise.all(oldestFirst.map((path) => readFile(path, 'utf8').catch(() => '')));
  return texts.flatMap((text) => text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== ''));
}

const age = (path: string): number => Number(/\.log\.(\d+)$/.exec(path)?.[1] ?? 0);

/** @throws where a line that speaks of an event does not have the form */
export async function eventLines(red: NodeRed): Promise<EventLine[]> {
  return (await logLines(red)).filter((line) => line.includes('EVENTO')).map(parseLine);
}

export function parseLine(line: string): EventLine {
  const [, level = '', code = '', action = '', channel = '', ts = '', payload = ''] = FORM.exec(line) ?? [];
  if (!code) throw new Error(`not the seed's form: ${line}`);
  return { level, code, action, channel: channel === '' ? NaN : Number(channel), ts, payload: JSON.parse(payload) as EventLine['payload'] };
}

/** `data.N` of every event written so far. */
export const numbersIn = async (red: NodeRed): Promise<unknown[]> => (await eventLines(red)).map(({ payload }) => payload.data?.N);

/** Resolves when at least `count` events are in the log. */
export const untilLogged = (red: NodeRed, count: number): Promise<EventLine[]> =>
  until(`${count} events in the log`, async () => {
    const lines = await eventLines(red);
    return lines.length >= count && lines;
  });

/** Resolves when a line matches. */
export const untilLine = (red: NodeRed, form: RegExp): Promise<string> =>
  until(`a log line like ${String(form)}`, async () => (await logLines(red)).find((line) => form.test(line)));
