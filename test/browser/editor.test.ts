import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Editor, launchBrowser } from './support/editor';
import { PACKAGE, startNodeRed, type NodeRed } from './support/node-red-process';

let nodeRed: NodeRed;
let browser: Browser;
beforeAll(async () => {
  [nodeRed, browser] = await Promise.all([startNodeRed(), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await nodeRed.stop();
});

/** What the catalogues call the nodes that are not configuration nodes. */
function paletteLabels(locale: string): string[] {
  const language = locale.startsWith('es') ? 'es-ES' : locale;
  const { 'node-red': red } = JSON.parse(readFileSync('package.json', 'utf8')) as { 'node-red': { nodes: Record<string, string> } };
  return Object.entries(red.nodes).flatMap(([type, path]) => {
    const family = join('nodes', basename(dirname(path)));
    if (/category:\s*'config'/.test(readFileSync(join(family, `${type}.html`), 'utf8'))) return [];
    const catalogue = JSON.parse(readFileSync(join(family, 'locales', language, `${type}.json`), 'utf8')) as { label: { palette: string } };
    return [catalogue.label.palette];
  });
}

const LANGUAGES = [
  { locale: 'en-US', category: 'camera events', source: 'CGI events', log: 'event log', help: 'one message per event', deviceHelp: 'its address and login' },
  { locale: 'es-CO', category: 'eventos de cámara', source: 'eventos CGI', log: 'registro de eventos', help: 'un mensaje por cada evento', deviceHelp: 'su dirección y su acceso' },
  { locale: 'es-419', category: 'eventos de cámara', source: 'eventos CGI', log: 'registro de eventos', help: 'un mensaje por cada evento', deviceHelp: 'su dirección y su acceso' },
  { locale: 'es-ES', category: 'eventos de cámara', source: 'eventos CGI', log: 'registro de eventos', help: 'un mensaje por cada evento', deviceHelp: 'su dirección y su acceso' },
  { locale: 'pt-BR', category: 'eventos de câmera', source: 'eventos CGI', log: 'log de eventos', help: 'uma mensagem por evento', deviceHelp: 'seu endereço e seu login' },
];

describe.each(LANGUAGES)('the editor in $locale', ({ locale, category, source, log, help, deviceHelp }) => {
  let editor: Editor;
  beforeAll(async () => {
    editor = await Editor.open(browser, nodeRed, { locale });
  });
  afterAll(() => editor.close());

  test('shows the nodes in their category, by their names', async () => {
    const shelf = editor.page.locator('#red-ui-palette-container-camera_events');
    expect(await shelf.locator('.red-ui-palette-header').innerText()).toBe(category);
    const texts = await shelf.locator('.red-ui-palette-label').allInnerTexts();
    const labels = texts.map((label) => label.replace(/\s+/g, ' ')).sort();
    expect(labels).toEqual(paletteLabels(locale).sort());
    expect(labels).toEqual(expect.arrayContaining([source, log]));
  });

  test('explains them', async () => {
    expect(await editor.help('cgi-events')).toContain(help);
    expect(await editor.help('cgi-device')).toContain(deviceHelp);
    expect(await editor.help('event-log')).toContain('NOT_A_CAMERA_EVENT');
  });

  test('has nothing to complain of', () => {
    expect(editor.complaints).toEqual([]);
  });
});

test('the icons on the palette are ours, and load', async () => {
  const editor = await Editor.open(browser, nodeRed);
  const containers = editor.page.locator('#red-ui-palette-container-camera_events [data-palette-icon]');
  const urls = await containers.evaluateAll((elements) => elements.map((element) => (element as unknown as { getAttribute(name: string): string }).getAttribute('data-palette-icon')));
  expect(urls.length).toBeGreaterThan(0);
  for (const url of [...urls, `icons/${PACKAGE}/aforo-camera.svg`]) {
    expect(url).toMatch(/\/aforo-[\w-]+\.svg$/);
    const answer = await fetch(new URL(url, nodeRed.url));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringContaining('image/svg+xml')]);
    const width = await editor.page.evaluate(`new Promise((done) => { const image = new Image(); image.onload = () => done(image.naturalWidth); image.onerror = () => done(0); image.src = ${JSON.stringify(url)}; })`);
    expect(width).toBe(40);
  }
  await editor.close();
});

test('Node-RED has loaded the nodes without a word', () => {
  const said = nodeRed.output().split('\n').filter((line) => /\[(warn|error)\]|camera-events\//.test(line));
  expect(said.filter((line) => !/Projects disabled|Encrypted credentials not found/.test(line))).toEqual([]);
});
