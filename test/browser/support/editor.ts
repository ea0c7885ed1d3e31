/** The Node-RED editor in Chromium, as a person sees it, and what it has complained of. */
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from 'playwright-core';
import { DARK } from './dark-theme';
import type { NodeRed } from './node-red-process';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Of the editor's global object, what the tests ask. */
export interface EditorNode {
  id: string;
  type: string;
  z?: string;
  valid?: boolean;
  changed?: boolean;
  validationErrors?: string[];
  _def: { defaults: object };
  [property: string]: unknown;
}
interface EditorRed {
  nodes: {
    node(id: string): EditorNode | null;
    eachNode(visit: (node: EditorNode) => void): void;
    eachConfig(visit: (node: EditorNode) => void): void;
    dirty(): boolean;
  };
  workspaces: { active(): string; show(id: string): void };
  sidebar: { help: { show(type: string, toFront: boolean): void } };
}
declare const RED: EditorRed;
declare const document: { documentElement: { classList: { add(name: string): void } } };

export const launchBrowser = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

export class Editor {
  readonly page: Page;
  /** Uncaught errors, and everything on the console that is an error. */
  readonly complaints: string[] = [];
  readonly #context: BrowserContext;

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context;
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400 && response.status() !== 422) this.complaints.push(`HTTP ${response.status()} ${response.url()}`);
    });
  }

  static async open(browser: Browser, nodeRed: NodeRed, options: { locale?: string; dark?: boolean; height?: number } = {}): Promise<Editor> {
    const context = await browser.newContext({ locale: options.locale ?? 'en-US', viewport: { width: 1400, height: options.height ?? 900 } });
    context.setDefaultTimeout(10_000);
    const editor = new Editor(context, await context.newPage());
    await editor.page.goto(nodeRed.url);
    await editor.page.locator('#red-ui-palette-container .red-ui-palette-node').first().waitFor();
    await editor.page.waitForFunction(() => RED.workspaces.active() !== '');
    await editor.page.locator('#red-ui-loading-progress').waitFor({ state: 'hidden' });
    if (options.dark) await editor.#dim();
    return editor;
  }

  /** The dark theme of Node-RED 5; 4.1 has none, so its colours come along. */
  async #dim(): Promise<void> {
    await this.page.evaluate(() => document.documentElement.classList.add('nr-theme-dark'));
    await this.page.addStyleTag({ content: `:root { color-scheme: dark; ${Object.entries(DARK).map(([name, colour]) => `--red-ui-${name}: ${colour};`).join(' ')} }` });
  }

  close(): Promise<void> {
    return this.#context.close();
  }

  /** The properties of a node as the editor holds them. */
  node(id: string): Promise<EditorNode> {
    return this.page.evaluate((wanted) => {
      const found = RED.nodes.node(wanted);
      if (!found) throw new Error(`no node ${wanted}`);
      const names = ['id', 'type', 'valid', 'changed', ...Object.keys(found._def.defaults)];
      return Object.fromEntries(names.map((name) => [name, found[name]])) as EditorNode;
    }, id);
  }

  /** All nodes that are on a tab, and all configuration nodes. */
  nodes(): Promise<Omit<EditorNode, '_def'>[]> {
    return this.page.evaluate(() => {
      const all: Omit<EditorNode, '_def'>[] = [];
      const note = ({ id, type, z, valid, validationErrors }: EditorNode): void => {
        all.push({ id, type, ...(z ? { z } : {}), ...(valid === undefined ? {} : { valid }), ...(validationErrors ? { validationErrors } : {}) });
      };
      RED.nodes.eachNode(note);
      RED.nodes.eachConfig(note);
      return all;
    });
  }

  hasUndeployedChanges(): Promise<boolean> {
    return this.page.evaluate(() => RED.nodes.dirty());
  }

  /** The help of a type, in its sidebar. */
  async help(type: string): Promise<string> {
    await this.page.evaluate((wanted) => RED.sidebar.help.show(wanted, true), type);
    const content = this.page.locator('.red-ui-help .red-ui-help');
    await content.waitFor();
    return content.innerText();
  }

  /** Opens the dialog of a node on the tab with a double click. */
  async openDialog(id: string): Promise<Dialog> {
    await this.page.locator(`[id="${id}"] rect.red-ui-flow-node`).dblclick();
    return this.#dialog('#dialog-form', '#node-dialog');
  }

  /** From the open dialog of a node to that of the configuration node it refers to, with the keyboard. */
  async openReferred(property: string): Promise<Dialog> {
    const edit = this.page.locator(`#node-input-btn-${property}-edit`);
    await this.page.locator(`#node-input-${property}`).focus();
    await this.page.keyboard.press('Tab');
    await edit.and(this.page.locator(':focus')).waitFor();
    await this.page.keyboard.press('Enter');
    return this.#dialog('#node-config-dialog-edit-form', '#node-config-dialog');
  }

  async #dialog(form: string, buttons: string): Promise<Dialog> {
    const dialog = new Dialog(this.page, this.page.locator(form), this.page.locator(`${buttons}-ok`));
    await dialog.form.locator('.camera-events-form').waitFor();
    await dialog.settled();
    return dialog;
  }
}

export class Dialog {
  constructor(
    readonly page: Page,
    readonly form: Locator,
    private readonly ok: Locator,
  ) {}

  /** The field with a visible label. */
  field(label: string): Locator {
    return this.form.getByLabel(label, { exact: true });
  }

  /** Waits until the tray has slid in; before that, clicks go astray. */
  async settled(): Promise<void> {
    await this.ok.click({ trial: true });
  }

  /** What the field says when the pointer rests on it; waits until it says it. */
  async complaintAt(field: Locator): Promise<string> {
    await this.form.page().mouse.move(1, 1);
    await field.hover();
    const tooltip = this.page.locator('.red-ui-popover.red-ui-popover-size-small, .red-ui-popover').last();
    await tooltip.waitFor();
    return tooltip.innerText();
  }

  async save(): Promise<void> {
    await this.ok.click();
    await this.form.waitFor({ state: 'detached' });
  }
}
