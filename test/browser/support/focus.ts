/** Who can be reached with the keyboard in a dialog, in which order, and what a screen reader calls it. */
import type { Dialog } from './editor';

interface Focusable {
  /** The element's id, or what else tells it from others. */
  who: string;
  /** Its accessible name, as Chromium computes it. */
  name: string;
}

/** Lets a test and the page speak of the same element. */
const MARK = 'data-test-focusable';

const SELECTOR = 'input:not([type=hidden]), select, textarea, button, summary, a[href], [tabindex]';

/** Of an element in the page, what is asked of it here. */
interface PageElement {
  id: string;
  tagName: string;
  tabIndex: number;
  disabled?: boolean;
  checkVisibility(): boolean;
  setAttribute(name: string, value: string): void;
  getAttribute(name: string): string | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
}
declare const document: { activeElement: PageElement | null };

/** All that can take the focus in our part of the form, in document order. */
export async function focusables(dialog: Dialog): Promise<Focusable[]> {
  // Node-RED's own traps against password managers stand outside of our form.
  const ids = await dialog.form.locator('.camera-events-form').evaluate(
    (form, [selector, mark]) => {
      const all = [...(form as unknown as PageElement).querySelectorAll(selector)].filter((one) => one.checkVisibility() && one.tabIndex >= 0 && !one.disabled);
      all.forEach((one, index) => one.setAttribute(mark, String(index)));
      return all.map((one) => one.id || one.tagName.toLowerCase());
    },
    [SELECTOR, MARK] as const,
  );
  const session = await dialog.page.context().newCDPSession(dialog.page);
  const { root } = await session.send('DOM.getDocument', { depth: 0 });
  const found: Focusable[] = [];
  for (const [index, who] of ids.entries()) {
    const { nodeId } = await session.send('DOM.querySelector', { nodeId: root.nodeId, selector: `[${MARK}="${index}"]` });
    const { nodes } = await session.send('Accessibility.getPartialAXTree', { nodeId, fetchRelatives: false });
    found.push({ who, name: String(nodes[0]?.name?.value ?? '') });
  }
  await session.detach();
  return found;
}

/** Where the Tab key leads, from the first element on, until it leaves the form or comes round. */
export async function tabOrder(dialog: Dialog, all: readonly Focusable[]): Promise<string[]> {
  await dialog.form.locator(`[${MARK}="0"]`).focus();
  const order: string[] = [];
  while (order.length < all.length) {
    const at = await dialog.page.evaluate((mark) => document.activeElement?.getAttribute(mark) ?? '', MARK);
    const who = all[Number(at)]?.who;
    if (at === '' || who === undefined) break;
    order.push(who);
    await dialog.page.keyboard.press('Tab');
  }
  return order;
}
