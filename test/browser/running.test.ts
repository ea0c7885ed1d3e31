import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDahuaDevice, type DahuaDevice } from '../devices/dahua/dahua-device';
import { demoScene } from '../devices/dahua/demo-scene';
import { seededRandom } from '../devices/seeded-random';
import { Editor, launchBrowser } from './support/editor';
import { startNodeRed, type NodeRed } from './support/node-red-process';
import { picture } from './support/screenshot';

const FLOW = join(import.meta.dirname, '../../flows/02-cgi-listener.json');

interface FlowNode {
  id: string;
  type: string;
}

describe('flow 02 with a device that is alive', () => {
  const nodes = JSON.parse(readFileSync(FLOW, 'utf8')) as FlowNode[];
  const source = nodes.find(({ type }) => type === 'cgi-events')!.id;
  let nodeRed: NodeRed;
  let browser: Browser;
  let camera: DahuaDevice;
  let endScene: () => void;
  beforeAll(async () => {
    camera = await startDahuaDevice({ users: { admin: 'Oqoqo-1' }, channels: ['Entrada', 'Parqueadero'] });
    endScene = demoScene(camera, { channels: 2, pace: 5, random: seededRandom(2) });
    const env = { CAM_IP: `127.0.0.1:${camera.port}`, CAM_USER: 'admin', CAM_PASS: 'Oqoqo-1' };
    [nodeRed, browser] = await Promise.all([startNodeRed(env), launchBrowser()]);
    await nodeRed.deploy(nodes);
  });
  afterAll(async () => {
    endScene();
    await browser.close();
    await nodeRed.stop();
    await camera.close();
  });

  test.each([
    { locale: 'en-US', connected: 'connected' },
    { locale: 'es-CO', connected: 'conectado' },
    { locale: 'pt-BR', connected: 'conectado' },
  ])('says under the node how it is, in $locale, and shows events as they come', async ({ locale, connected }) => {
    const editor = await Editor.open(browser, nodeRed, { locale, height: 560 });
    const { page } = editor;
    await page.locator(`[id="${source}"] .red-ui-flow-node-status-label`, { hasText: new RegExp(`^${connected}$`) }).waitFor();
    await page.keyboard.press('Control+g');
    await page.keyboard.press('d');
    await page.locator('.red-ui-debug-msg', { hasText: 'source: "cgi"' }).first().waitFor();
    await page.locator('#red-ui-palette-container-camera_events').scrollIntoViewIfNeeded();
    await picture(editor, `flow-02-${locale}`);
    expect(editor.complaints).toEqual([]);
    await editor.close();
  });
});
