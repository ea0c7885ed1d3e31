import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Editor, launchBrowser, type Dialog } from './support/editor';
import { SOURCE, LOG, flow, variables } from './support/flow';
import { startNodeRed, type NodeRed } from './support/node-red-process';
import { pictureOfDialog } from './support/screenshot';

let nodeRed: NodeRed;
let browser: Browser;
beforeAll(async () => {
  [nodeRed, browser] = await Promise.all([startNodeRed(), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await nodeRed.stop();
});

/** Of an element in the page, what is asked of it here. */
interface PageElement {
  innerText: string;
  tagName: string;
  id: string;
  scrollWidth: number;
  clientWidth: number;
  checkVisibility(): boolean;
  getBoundingClientRect(): { left: number; right: number; top: number; bottom: number };
  querySelectorAll(selector: string): Iterable<PageElement>;
}

/** Texts that are catalogue keys, or wider than what they stand in, and elements that cover each other. */
const flaws = (dialog: Dialog): Promise<string[]> =>
  dialog.form.locator('.camera-events-form').evaluate((element) => {
    const form = element as unknown as PageElement;
    const visible = (selector: string): PageElement[] => [...form.querySelectorAll(selector)].filter((one) => one.checkVisibility());
    const found: string[] = [];
    for (const key of form.innerText.matchAll(/\b(?:label|tip|form|test|error|placeholder|format|charset)\.\w+/g)) found.push(`untranslated: ${key[0]}`);
    for (const one of visible('label, summary, button, .camera-events-tip')) {
      if (one.scrollWidth > one.clientWidth + 1) found.push(`cut: ${one.innerText}`);
    }
    const boxes = visible('label, input, select, button, summary, .camera-events-tip').map((one) => ({ name: `${one.tagName} ${one.id || one.innerText}`, at: one.getBoundingClientRect() }));
    for (const [index, { name, at }] of boxes.entries()) {
      for (const other of boxes.slice(index + 1)) {
        const apart = at.right <= other.at.left + 1 || other.at.right <= at.left + 1 || at.bottom <= other.at.top + 1 || other.at.bottom <= at.top + 1;
        if (!apart) found.push(`overlap: ${name} / ${other.name}`);
      }
      const { left, right } = form.getBoundingClientRect();
      if (at.right > right + 1 || at.left < left - 1) found.push(`outside: ${name}`);
    }
    return found;
  });

const cases = ['en-US', 'es-CO', 'pt-BR'].flatMap((locale) => [false, true].map((dark) => ({ locale, dark, scheme: dark ? 'dark' : 'light' })));

describe.each(cases)('the dialogs in $locale, $scheme', ({ locale, dark, scheme }) => {
  const opened = async (settings: Parameters<typeof flow>[0]): Promise<Editor> => {
    await nodeRed.deploy(flow(settings));
    return Editor.open(browser, nodeRed, { locale, dark, height: 1250 });
  };

  test.each([
    { what: 'as dropped', settings: { device: { https: true }, log: { format: 'template', template: '{{code}}' } } },
    { what: 'with environment variables', settings: variables },
  ])('have no untranslated, cut or overlapping text, $what', async ({ what, settings }) => {
    const editor = await opened(settings);
    const name = (type: string): string => `${type}-${locale}-${scheme}${what === 'as dropped' ? '' : '-env'}`;

    const log = await editor.openDialog(LOG);
    await pictureOfDialog(log, name('event-log'));
    expect(await flaws(log)).toEqual([]);
    await log.save();

    const source = await editor.openDialog(SOURCE);
    await pictureOfDialog(source, name('cgi-events'));
    expect(await flaws(source)).toEqual([]);

    const device = await editor.openReferred('device');
    await pictureOfDialog(device, name('cgi-device'));
    expect(await flaws(device)).toEqual([]);
    await device.form.locator('summary').click();
    await pictureOfDialog(device, name('cgi-device-advanced'));
    expect(await flaws(device)).toEqual([]);

    expect(editor.complaints).toEqual([]);
    await editor.close();
  });
});
