/** Lines per second into one log file with rotation, 20,000 lines of 200 bytes, best of three. */
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStream } from 'rotating-file-stream';
import { LogFiles } from '../../nodes/monitor/log-file';

export const name = 'event-log: lines per second into a file';

const LINES = 20_000;
const line = 'x'.repeat(199);
const maxBytes = 1_000_000;
const maxFiles = 5;

type Case = [title: string, write: (path: string) => Promise<void>];

const cases: Case[] = [
  [
    'LogFiles, 20,000 lines at once',
    async (path) => {
      const logs = new LogFiles({ maxBytes, maxFiles });
      await Promise.all(Array.from({ length: LINES }, () => logs.append(path, line)));
      await logs.close();
    },
  ],
  [
    'LogFiles, 20,000 lines to 100 files at once',
    async (path) => {
      const logs = new LogFiles({ maxBytes, maxFiles });
      await Promise.all(Array.from({ length: LINES }, (_, index) => logs.append(`${path}-${index % 100}`, line)));
      await logs.close();
    },
  ],
  [
    'LogFiles, each line awaited',
    async (path) => {
      const logs = new LogFiles({ maxBytes, maxFiles });
      for (let index = 0; index < LINES; index++) await logs.append(path, line);
      await logs.close();
    },
  ],
  [
    'rotating-file-stream, 20,000 lines at once',
    async (path) => {
      const stream = createStream(path, { size: `${maxBytes}B`, rotate: maxFiles });
      for (let index = 0; index < LINES; index++) stream.write(`${line}\n`);
      await new Promise<void>((resolve) => stream.end(resolve));
    },
  ],
  [
    'rotating-file-stream, each line awaited',
    async (path) => {
      const stream = createStream(path, { size: `${maxBytes}B`, rotate: maxFiles });
      for (let index = 0; index < LINES; index++) await new Promise((resolve) => stream.write(`${line}\n`, resolve));
      await new Promise<void>((resolve) => stream.end(resolve));
    },
  ],
  [
    'fs.appendFile, each line awaited, no rotation',
    async (path) => {
      for (let index = 0; index < LINES; index++) await appendFile(path, `${line}\n`);
    },
  ],
];

async function linesPerSecond(write: (path: string) => Promise<void>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-event-log-'));
  try {
    const start = performance.now();
    await write(join(folder, 'x.log'));
    return LINES / ((performance.now() - start) / 1000);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** `ratio` is the speed against rotating-file-stream's, all lines at once, in the same run. */
export async function run(): Promise<{ case: string; figure: string; ratio?: number }[]> {
  const best = new Map<string, number>();
  for (let round = 0; round < 3; round++) {
    for (const [title, write] of cases) best.set(title, Math.max(best.get(title) ?? 0, await linesPerSecond(write)));
  }
  const reference = best.get('rotating-file-stream, 20,000 lines at once') ?? NaN;
  return [...best].map(([title, speed]) => ({
    case: title,
    figure: `${Math.round(speed).toLocaleString('en')} lines/s`,
    ratio: Number((speed / reference).toFixed(2)),
  }));
}
