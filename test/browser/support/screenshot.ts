/** Pictures for the eye, beside the assertions. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Dialog, Editor } from './editor';

const FOLDER = join(import.meta.dirname, '../screenshots');

const file = (name: string): string => {
  mkdirSync(FOLDER, { recursive: true });
  return join(FOLDER, `${name}.png`);
};

/** The whole editor. */
export async function picture(editor: Editor, name: string): Promise<void> {
  await editor.page.screenshot({ path: file(name), animations: 'disabled' });
}

/** The tray with the dialog, as high as what is in it. */
export async function pictureOfDialog(dialog: Dialog, name: string): Promise<void> {
  await dialog.page.locator('.red-ui-tray').last().screenshot({ path: file(name), animations: 'disabled' });
}
