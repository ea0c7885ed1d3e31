import type { Browser, Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Editor, launchBrowser, type Dialog } from './support/editor';
import { DEVICE, LOG, SOURCE, flow, variables, type Settings } from './support/flow';
import { focusables, tabOrder } from './support/focus';
import { startNodeRed, type NodeRed } from './support/node-red-process';

let nodeRed: NodeRed;
let browser: Browser;
let editor: Editor;
beforeAll(async () => {
  [nodeRed, browser] = await Promise.all([startNodeRed(), launchBrowser()]);
});
afterEach(async () => {
  expect(editor.complaints).toEqual([]);
  await editor.close();
});
afterAll(async () => {
  await browser.close();
  await nodeRed.stop();
});

async function open(settings: Settings = {}, credentials: Record<string, object> = {}): Promise<void> {
  await nodeRed.deploy(flow(settings), credentials);
  editor = await Editor.open(browser, nodeRed);
}

async function openDevice(): Promise<Dialog> {
  await editor.openDialog(SOURCE);
  return editor.openReferred('device');
}

const isRed = async (field: Locator): Promise<boolean> => /\binput-error\b/.test((await field.getAttribute('class')) ?? '');

const dialogs = [
  { type: 'cgi-events', id: SOURCE, openIt: () => editor.openDialog(SOURCE) },
  { type: 'cgi-device', id: DEVICE, openIt: openDevice },
  { type: 'event-log', id: LOG, openIt: () => editor.openDialog(LOG) },
];

/** Without a login, Node-RED itself takes the empty fields for a change. */
const login = { [DEVICE]: { user: '${CAM_USER}', password: '${CAM_PASS}' } };

describe.each(dialogs)('the dialog of $type', ({ id, openIt }) => {
  test('changes nothing when it is saved as it was opened', async () => {
    await open({}, login);
    const before = await editor.node(id);
    await (await openIt()).save();
    expect(await editor.node(id)).toEqual(before);
    expect(await editor.hasUndeployedChanges()).toBe(false);
  });

  test('keeps environment variables in every field', async () => {
    await open(variables, login);
    const before = await editor.node(id);
    expect(before.valid).toBe(true);
    const dialog = await openIt();
    expect(await dialog.form.locator('.input-error').count()).toBe(0);
    await dialog.save();
    expect(await editor.node(id)).toEqual(before);
    expect(await editor.hasUndeployedChanges()).toBe(false);
  });

  test.each([{ settings: {}, when: 'as dropped' }, { settings: variables, when: 'with environment variables' }])(
    'is all within reach of the Tab key, and everything has a name, $when',
    async ({ settings }) => {
      await open(settings);
      const dialog = await openIt();
      for (const fold of await dialog.form.locator('summary').all()) await fold.click();
      const all = await focusables(dialog);
      expect(all.length).toBeGreaterThan(4);
      expect(all.filter(({ name }) => name.trim() === '')).toEqual([]);
      expect(await tabOrder(dialog, all)).toEqual(all.map(({ who }) => who));
    },
  );
});

describe('cgi-device', () => {
  test('refuses an empty address, in red and in words', async () => {
    await open();
    const dialog = await openDevice();
    const host = dialog.field('Address');
    expect(await isRed(host)).toBe(false);
    await host.fill('');
    await host.press('Tab');
    expect(await isRed(host)).toBe(true);
    expect(await dialog.complaintAt(host)).toBe('Address: must not be empty');
    await host.fill('10.0.0.1/cgi-bin');
    expect(await isRed(host)).toBe(true);
    await host.fill('10.0.0.1:8080');
    await host.press('Tab');
    expect(await isRed(host)).toBe(false);
  });

  test('refuses a heartbeat out of range, and takes one from the environment', async () => {
    await open();
    const dialog = await openDevice();
    const heartbeat = dialog.field('Heartbeat (s)');
    expect(await heartbeat.isVisible()).toBe(false);
    await dialog.form.getByText('Advanced settings').press('Enter');
    await heartbeat.fill('99');
    await heartbeat.press('Tab');
    expect(await isRed(heartbeat)).toBe(true);
    expect(await dialog.complaintAt(heartbeat)).toMatch(/^Heartbeat \(s\): a whole number from 1 to 60/);
    await heartbeat.fill('${HEARTBEAT:-5}');
    await heartbeat.press('Tab');
    expect(await isRed(heartbeat)).toBe(false);
  });

  test('unfolds where something stored there is wrong', async () => {
    await open({ device: { heartbeat: '99' } });
    expect((await editor.node(DEVICE)).valid).toBe(false);
    const dialog = await openDevice();
    expect(await dialog.field('Heartbeat (s)').isVisible()).toBe(true);
    expect(await isRed(dialog.field('Heartbeat (s)'))).toBe(true);
  });

  test('shows the TLS fields only where HTTPS is on or may be', async () => {
    await open();
    const dialog = await openDevice();
    const verify = dialog.field('Check certificate');
    expect(await verify.isVisible()).toBe(false);
    await dialog.field('HTTPS').selectOption('Yes');
    expect(await verify.isVisible()).toBe(true);
    await dialog.field('HTTPS').selectOption('No');
    expect(await verify.isVisible()).toBe(false);
    await dialog.field('HTTPS').selectOption('from environment');
    expect(await verify.isVisible()).toBe(true);
  });

  test('stores flags and numbers as such, and variables as text', async () => {
    await open();
    const dialog = await openDevice();
    await dialog.field('HTTPS').selectOption('Yes');
    await dialog.field('Check certificate').selectOption('from environment');
    const variable = dialog.field('Check certificate: environment variable');
    expect(await isRed(dialog.field('Check certificate'))).toBe(true);
    await variable.fill('${VERIFY_TLS:-true}');
    expect(await isRed(dialog.field('Check certificate'))).toBe(false);
    await dialog.form.getByText('Advanced settings').click();
    await dialog.field('Heartbeat (s)').fill('7');
    await dialog.field('Basic login').selectOption('Yes');
    await dialog.field('Character set').selectOption('Chinese (GB18030)');
    await dialog.save();
    expect(await editor.node(DEVICE)).toMatchObject({
      https: true, tlsVerify: '${VERIFY_TLS:-true}', tlsLegacy: false, allowBasic: true, heartbeat: 7, backoffBase: 1.5, charset: 'gb18030', valid: true,
    });
  });

  test('says where the login comes from while its fields are empty', async () => {
    await open({ device: { userEnv: 'CAM_USER', passwordEnv: 'CAM_PASS' } });
    const dialog = await openDevice();
    expect(await dialog.field('User').getAttribute('placeholder')).toBe('empty: from ${CAM_USER}');
    expect(await dialog.field('Password').getAttribute('placeholder')).toBe('empty: from ${CAM_PASS}');
  });
});

describe('cgi-events', () => {
  test('wants a device, and events by their names', async () => {
    await open({ source: { device: '' } });
    expect((await editor.node(SOURCE)).valid).toBe(false);
    const dialog = await editor.openDialog(SOURCE);
    expect(await dialog.complaintAt(dialog.field('Device'))).toBe('Device: must not be empty');
    const codes = dialog.field('Events');
    await codes.fill('VideoMotion; AlarmLocal');
    await codes.press('Tab');
    expect(await isRed(codes)).toBe(true);
    expect(await dialog.complaintAt(codes)).toBe('Events: “VideoMotion; AlarmLocal” is not an event name; separate names with commas');
    await codes.fill('VideoMotion, AlarmLocal');
    await codes.press('Tab');
    expect(await isRed(codes)).toBe(false);
    await dialog.field('Channels').fill('0, one');
    await dialog.field('Channels').press('Tab');
    expect(await isRed(dialog.field('Channels'))).toBe(true);
  });

  test('completes each name of a list', async () => {
    await open();
    const dialog = await editor.openDialog(SOURCE);
    const offered = (): Promise<string[]> =>
      dialog.form.locator('#node-input-codes-words option').evaluateAll((options) => options.map((option) => (option as unknown as { value: string }).value));
    await dialog.field('Events').fill('Video');
    expect(await offered()).toContain('VideoMotion');
    await dialog.field('Events').fill('VideoMotion,Al');
    expect(await offered()).toContain('VideoMotion, AlarmLocal');
    expect(await offered()).not.toContain('VideoMotion, VideoMotion');
  });

  test('gets a new device with nothing but the keyboard', async () => {
    await open({ source: { device: '' } });
    const dialog = await editor.openDialog(SOURCE);
    const { page } = editor;
    await dialog.field('Device').focus();
    const add = dialog.form.getByRole('button', { name: 'Device: add new' });
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await add.and(page.locator(':focus')).waitFor();
    await page.keyboard.press('Space');
    const host = page.locator('#node-config-input-host');
    await host.waitFor();
    await page.locator('#node-config-dialog-ok').click({ trial: true });
    expect(await isRed(host)).toBe(true);
    await host.fill('camera.local');
    await page.locator('#node-config-dialog-ok').click();
    await page.locator('#node-config-dialog-edit-form').waitFor({ state: 'detached' });
    await dialog.settled();
    await dialog.save();
    expect((await editor.node(SOURCE)).valid).toBe(true);
    const device = await editor.node(String((await editor.node(SOURCE)).device));
    expect(device).toMatchObject({ type: 'cgi-device', host: 'camera.local', https: false, tlsVerify: true, heartbeat: 5, valid: true });
  });
});

describe('event-log', () => {
  test('wants a line where the format is a template, and only there', async () => {
    await open();
    const dialog = await editor.openDialog(LOG);
    const line = dialog.field('Line');
    expect(await line.isVisible()).toBe(false);
    await dialog.field('Format').selectOption('own template');
    expect(await line.isVisible()).toBe(true);
    expect(await isRed(line)).toBe(true);
    expect(await dialog.complaintAt(line)).toBe('Line: must not be empty');
    await line.fill('{{now|local}} {{code}}');
    await line.press('Tab');
    expect(await isRed(line)).toBe(false);
    await dialog.field('Largest size (MB)').fill('0');
    await dialog.field('Largest size (MB)').press('Tab');
    expect(await isRed(dialog.field('Largest size (MB)'))).toBe(true);
    await dialog.field('Largest size (MB)').fill('0.5');
    await dialog.field('Lowest level').selectOption('ERROR');
    await dialog.save();
    expect(await editor.node(LOG)).toMatchObject({ format: 'template', template: '{{now|local}} {{code}}', maxMegabytes: 0.5, maxFiles: 5, level: 'ERROR', valid: true });
  });
});
