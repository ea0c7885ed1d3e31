import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Editor, launchBrowser } from './support/editor';
import { PACKAGE, startNodeRed, type NodeRed } from './support/node-red-process';
import { picture } from './support/screenshot';

const FLOWS = join(import.meta.dirname, '../../flows');

interface FlowNode {
  id: string;
  type: string;
  label?: string;
}

/** Folders and name of each example, as the menu shows them. */
const examples = readdirSync(FLOWS, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.json'))
  .sort()
  .map((file) => ({ file, path: file.replace(/\.json$/, '').split(/[\\/]/), nodes: JSON.parse(readFileSync(join(FLOWS, file), 'utf8')) as FlowNode[] }));

let nodeRed: NodeRed;
let browser: Browser;
beforeAll(async () => {
  [nodeRed, browser] = await Promise.all([startNodeRed(), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await nodeRed.stop();
});

/** Import > Examples, as a person does it. */
async function importExample(editor: Editor, path: readonly string[]): Promise<void> {
  const { page } = editor;
  await page.locator('#red-ui-workspace-chart').click({ position: { x: 600, y: 400 } });
  await page.keyboard.press('Control+i');
  const dialog = page.locator('.red-ui-clipboard-dialog:visible, .ui-dialog:visible').first();
  await dialog.waitFor();
  await page.locator('#red-ui-clipboard-dialog-import-tabs a', { hasText: 'Examples' }).click();
  const library = page.locator('#red-ui-clipboard-dialog-import-tab-examples');
  for (const step of [PACKAGE, ...path.slice(0, -1)]) {
    await library.locator('.red-ui-treeList-label', { hasText: step }).locator('.red-ui-treeList-icon').first().click();
  }
  await library.locator('.red-ui-treeList-label', { hasText: path.at(-1)! }).click();
  await page.locator('#red-ui-clipboard-dialog-ok').click();
  await dialog.waitFor({ state: 'hidden' });
}

describe.each(examples)('$file', ({ path, nodes, file }) => {
  test('imports from the menu, with all types known and every node valid', async () => {
    await nodeRed.deploy([]);
    const editor = await Editor.open(browser, nodeRed);
    await importExample(editor, path);
    const tab = nodes.find(({ type }) => type === 'tab');
    await editor.page.locator('#red-ui-workspace-tabs a', { hasText: tab?.label ?? '?' }).click();
    const wanted = nodes.filter(({ type }) => !['tab', 'group'].includes(type)).map(({ type }) => type);
    const imported = await editor.nodes();
    expect(imported.map(({ type }) => type).sort()).toEqual(wanted.sort());
    expect(imported.filter(({ type, valid }) => type === 'unknown' || valid === false)).toEqual([]);
    await editor.page.locator('.red-ui-notification').first().waitFor({ state: 'detached' });
    await picture(editor, path.join('-'));
    expect(editor.complaints, file).toEqual([]);
    await editor.close();
  });
});
