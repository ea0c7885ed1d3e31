import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allCameras, allowListFile, chosenCameras, parseIds, type CameraList } from '../../../nodes/avigilon/camera-list';
import { ManualClock } from '../support/manual-clock';

let folder: string;
let path: string;
let clock: ManualClock;
let said: string[];
let list: CameraList | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cameras-'));
  path = join(folder, 'ids_camaras_permitidas.json');
  clock = new ManualClock();
  said = [];
});
afterEach(() => {
  list?.close();
  rmSync(folder, { recursive: true, force: true });
});

function opened(): CameraList {
  list = allowListFile({
    path,
    clock,
    changed: (count) => said.push(`${count} cameras`),
    broken: ({ code }) => said.push(code),
    recovered: () => said.push('recovered'),
  });
  return list;
}
const write = (content: string): void => {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
};

/** Lets the file be looked at until the list is this. */
async function becomes(ids: readonly string[]): Promise<void> {
  while (JSON.stringify(await list!.ids()) !== JSON.stringify(ids)) {
    clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('all and chosen', async () => {
  expect(await allCameras.ids()).toBeUndefined();
  expect(await chosenCameras(['a']).ids()).toEqual(['a']);
});

test('the first question waits for the file', async () => {
  write('["a", "b", "a"]');
  expect(await opened().ids()).toEqual(['a', 'b']);
});

test('a changed file counts without a restart', async () => {
  write('["a"]');
  await opened().ids();
  write('["a", "b"]');
  await becomes(['a', 'b']);
  expect(said).toEqual(['1 cameras', '2 cameras']);
});

test('without any good list nothing may pass: an error, and not all cameras', async () => {
  await expect(opened().ids()).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  write('{"a": 1}');
  await expect(list!.ids()).rejects.toMatchObject({ code: 'FILE_INVALID' });
  write('["a"]');
  await becomes(['a']);
});

test('the last good list stays in force while the file is gone or wrong', async () => {
  write('["a"]');
  await opened().ids();
  rmSync(path);
  while (!said.includes('FILE_UNREADABLE')) {
    clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(await list!.ids()).toEqual(['a']);
  write('["b"]');
  await becomes(['b']);
  expect(said.at(-1)).toBe('recovered');
});

test('an empty list is a list', async () => {
  write('[]');
  expect(await opened().ids()).toEqual([]);
});

test.each(['', '{', '{"ids": ["a"]}', '["a", 3]', '["a", ""]', '"a"', 'null'])('%j is no list', (text) => {
  expect(() => parseIds(text)).toThrow();
});
