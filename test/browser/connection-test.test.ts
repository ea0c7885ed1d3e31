import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startDahuaDevice, type DahuaDevice } from '../devices/dahua/dahua-device';
import { cameraIdentity } from '../devices/dahua/identity';
import { Editor, launchBrowser, type Dialog } from './support/editor';
import { DEVICE, SOURCE, flow } from './support/flow';
import { startNodeRed, type NodeRed } from './support/node-red-process';
import { pictureOfDialog } from './support/screenshot';

const PASSWORD = 'Oqoqo-1';

let nodeRed: NodeRed;
let browser: Browser;
let camera: DahuaDevice;
let editor: Editor | undefined;
beforeAll(async () => {
  [nodeRed, browser, camera] = await Promise.all([startNodeRed({ CAM_PASS: PASSWORD }), launchBrowser(), startDahuaDevice({ users: { admin: PASSWORD } })]);
});
afterEach(async () => {
  await editor?.close();
  editor = undefined;
});
afterAll(async () => {
  await browser.close();
  await nodeRed.stop();
  await camera.close();
});

const address = (): string => `127.0.0.1:${camera.port}`;

async function openDevice(device: object, credentials: object = {}, locale?: string): Promise<{ dialog: Dialog; press: () => Promise<string> }> {
  // Node-RED keeps the login of a node that is deployed again; and a source that listens would log in by itself.
  await nodeRed.deploy([]);
  await nodeRed.deploy(flow({ device, source: { d: true } }), { [DEVICE]: credentials });
  editor = await Editor.open(browser, nodeRed, locale ? { locale } : {});
  await editor.openDialog(SOURCE);
  const dialog = await editor.openReferred('device');
  const button = dialog.form.locator('#camera-events-test');
  const result = dialog.form.getByRole('status');
  return {
    dialog,
    async press() {
      const answered = dialog.page.waitForResponse((response) => response.url().endsWith('/camera-events/cgi-device/test'));
      await button.press('Enter');
      await (await answered).finished();
      // Enabled again means that the answer is shown.
      await button.click({ trial: true });
      return (await result.innerText()).trim();
    },
  };
}

test('shows who the device is, and fills in name and serial number where they are empty', async () => {
  const { dialog, press } = await openDevice({ host: address() });
  await dialog.field('User').fill('admin');
  await dialog.field('Password').fill(PASSWORD);
  const text = await press();
  for (const fact of [cameraIdentity.machineName, cameraIdentity.serial, cameraIdentity.model, cameraIdentity.version]) expect(text).toContain(fact);
  await pictureOfDialog(dialog, 'connection-test-ok');
  const adopt = dialog.form.getByRole('button', { name: 'Use name and serial number' });
  await adopt.press('Enter');
  expect(await dialog.field('Name').inputValue()).toBe(cameraIdentity.machineName);
  expect(await dialog.field('Serial number').inputValue()).toBe(cameraIdentity.serial);
  expect(await adopt.isVisible()).toBe(false);
  await dialog.save();
  expect(await editor!.node(DEVICE)).toMatchObject({ name: cameraIdentity.machineName, serial: cameraIdentity.serial });
  expect(editor!.complaints).toEqual([]);
});

test('offers nothing to fill in where name and serial number are given', async () => {
  const { dialog, press } = await openDevice({ host: address(), name: 'plaza', serial: '1' }, { user: 'admin', password: PASSWORD });
  expect(await press()).toContain(cameraIdentity.serial);
  expect(await dialog.form.getByRole('button', { name: 'Use name and serial number' }).isVisible()).toBe(false);
});

test('uses the stored password without ever having seen it', async () => {
  const { dialog, press } = await openDevice({ host: address() }, { user: 'admin', password: '${CAM_PASS}' });
  expect(await dialog.field('Password').inputValue()).toBe('__PWRD__');
  expect(await press()).toContain(cameraIdentity.serial);
});

test('says that the password is wrong', async () => {
  const { dialog, press } = await openDevice({ host: address() });
  await dialog.field('User').fill('admin');
  await dialog.field('Password').fill('not it');
  const text = await press();
  expect(text).toMatch(/^password refused \(AUTH_REFUSED\): /);
  expect(text).not.toContain('not it');
});

test('says that the device cannot be reached, in the language of the editor', async () => {
  await camera.powerOff();
  const { dialog, press } = await openDevice({ host: address() }, { user: 'admin', password: PASSWORD }, 'es-CO');
  expect(await press()).toMatch(/^host: inaccesible \(HOST_UNREACHABLE\): /);
  await pictureOfDialog(dialog, 'connection-test-unreachable');
  await camera.powerOn();
});

test('marks the field that is at fault, also where it is folded away', async () => {
  const { dialog, press } = await openDevice({ host: address() });
  expect(await press()).toContain('CREDENTIALS_MISSING');
  expect(await dialog.field('User').getAttribute('class')).toContain('input-error');
  await dialog.field('User').fill('admin');
  await dialog.field('Password').fill(PASSWORD);
  await dialog.form.getByText('Advanced settings').click();
  await dialog.field('Heartbeat (s)').fill('${NOT_SET_ANYWHERE}');
  await dialog.form.getByText('Advanced settings').click();
  expect(await dialog.field('Heartbeat (s)').isVisible()).toBe(false);
  expect(await press()).toContain('CONFIG_ENV_UNSET');
  expect(await dialog.field('Heartbeat (s)').isVisible()).toBe(true);
  expect(await dialog.field('Heartbeat (s)').getAttribute('class')).toContain('input-error');
});

test('can be pressed only once while it runs', async () => {
  const { dialog } = await openDevice({ host: address() }, { user: 'admin', password: PASSWORD });
  const button = dialog.form.locator('#camera-events-test');
  camera.mode = 'hang';
  await button.click();
  expect(await button.isDisabled()).toBe(true);
  expect(await dialog.form.getByRole('status').innerText()).toBe('Asking the device …');
  camera.mode = 'normal';
});
