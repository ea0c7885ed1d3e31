/** The way most users take: the palette manager of a running Node-RED installs the tarball, and removes it again. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormData, request } from 'undici';
import { expect, inject, test } from 'vitest';
import { camera, cameraEnv, listening, numbered } from './support/camera';
import { untilLogged } from './support/event-lines';
import { flow } from './support/flows';
import { nodeRed } from './support/node-red';
import { PACK } from './support/pack';

const [target] = inject('targets');

test('installs into a running Node-RED, works without a restart, and goes without a trace', async () => {
  const device = await camera();
  const userDir = await mkdtemp(join(tmpdir(), 'camera-events-user-'));
  const red = await nodeRed(target!, { userDir, env: cameraEnv(device) });

  const form = new FormData();
  form.append('tarball', new Blob([await readFile(target!.tarball)]), 'pack.tgz');
  const added = await request(`${red.adminUrl}/nodes`, { method: 'POST', body: form, headersTimeout: 120_000, reset: true });
  expect([added.statusCode, await added.body.json()]).toEqual([200, expect.objectContaining({ name: PACK })]);

  await red.deploy(flow('02-cgi-listener'));
  await listening(device);
  for (const event of numbered(10)) device.emit(event);
  await untilLogged(red, 10);

  await red.deploy([]);
  await device.stats.until((stats) => stats.connectionsOpen === 0);
  const removed = await request(`${red.adminUrl}/nodes/${PACK}`, { method: 'DELETE', headersTimeout: 120_000, reset: true });
  expect(removed.statusCode).toBe(204);
  expect((await red.get('/nodes', { accept: 'application/json' })).text).not.toContain(PACK);
  expect(red.log()).not.toMatch(/\[error\]/);
});
