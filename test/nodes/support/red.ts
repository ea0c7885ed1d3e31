/** node-red-node-test-helper, wrapped: one runtime per test file, flows loaded and unloaded per test. */
import { createRequire } from 'node:module';
import helper from 'node-red-node-test-helper';
import type { Node } from 'node-red';
import { afterAll, afterEach, beforeAll } from 'vitest';
import cgiDevice from '../../../nodes/cgi/cgi-device';
import cgiEvents from '../../../nodes/cgi/cgi-events';

const require = createRequire(import.meta.url);

export type TestNode = Node & { received: Received[] };
export interface Received {
  topic?: string;
  payload: unknown;
}

/** Call once per file. */
export function useRed(): void {
  beforeAll(async () => {
    helper.init(require.resolve('node-red'));
    await new Promise<void>((resolve) => helper.startServer(() => resolve()));
  });
  afterEach(async () => {
    await helper.unload();
    unhandled.splice(0);
  });
  afterAll(async () => {
    await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
  });
}

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));
/** What would have ended a real Node-RED. */
export const unhandledRejections = (): readonly unknown[] => unhandled;

export async function load(flow: object[], credentials: Record<string, object> = {}): Promise<void> {
  await helper.load([cgiDevice, cgiEvents] as never, flow as never, credentials);
}

export { helper };

export function node(id: string): Node {
  const found = helper.getNode(id) as Node | null;
  if (!found) throw new Error(`no node ${id}: its type is not loaded`);
  return found;
}

/** Collects what arrives at a test helper node. */
export function collect(id: string): Received[] {
  const received: Received[] = [];
  node(id).on('input', (msg) => received.push(msg as Received));
  return received;
}

/** Resolves once the condition holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
